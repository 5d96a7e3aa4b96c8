"""Any part goes with any part where the mathematics allows: every legal pair trains three steps, the rest says why."""

import itertools

import keras
import numpy as np
import pytest

from vae_tf.errors import UserError
from vae_tf.recipes import build

SHAPE, LATENT = (8, 8, 1), 3
AXES = {
    "posterior": ("diagonal", "isotropic", "full_covariance", "iaf", "deterministic", "beta_bernoulli"),
    "prior": ("standard_normal", "normal", "mixture", "vamp", "beta_bernoulli"),
    "likelihood": ("gaussian", "bernoulli", "continuous_bernoulli", "discretised_logistic"),
    "objective": (
        "elbo", "capacity", "free_bits", "beta_tc", "dip", "mmd", "iwae", "dreg", "reconstruction", "sparse",
    ),
}  # fmt: skip
# Models with a discriminator, by the recipe that has it.
ADVERSARIAL = ("factor", "vae-gan")
PLAIN = ("reconstruction", "sparse")
PAIRS = [
    {a: x, b: y}
    for a, b in itertools.combinations(AXES, 2)
    for x, y in itertools.product(AXES[a], AXES[b])
]  # fmt: skip


def settings(pair):
    """The pair with what its members always need: a plain autoencoder's objective its code, switches their prior."""
    chosen = dict(pair)
    for axis, other in (("posterior", "prior"), ("prior", "posterior")):
        if chosen.get(axis) == "beta_bernoulli":
            chosen.setdefault(other, "beta_bernoulli")
    if chosen.get("objective") in PLAIN:
        chosen.setdefault("posterior", "deterministic")
    if chosen.get("posterior") == "deterministic":
        chosen.setdefault("objective", "reconstruction")
    named = {f"{axis}.name": name for axis, name in chosen.items()}
    return named | {"encoder.widths": (8,), "decoder.widths": (8,)}


def is_legal(pair):
    """What the mathematics allows, written down apart from the code that refuses."""
    posterior, objective = pair.get("posterior", "diagonal"), pair.get("objective", "elbo")
    prior = pair.get("prior", "standard_normal")
    if "beta_bernoulli" in (posterior, prior):
        if "posterior" in pair and "prior" in pair:
            return posterior == prior
        return objective in ("elbo", "capacity", "free_bits", "dip", "mmd")
    if "objective" not in pair and posterior == "deterministic":
        objective = "reconstruction"
    if objective in PLAIN:
        return pair.get("posterior", "deterministic") == "deterministic"
    if posterior == "deterministic":
        return False
    if objective == "beta_tc":
        return posterior in ("diagonal", "isotropic")
    if objective == "dreg":
        return posterior != "iaf"
    if objective == "dip":
        return posterior in ("diagonal", "isotropic")
    if objective == "free_bits":
        return posterior in ("diagonal", "isotropic") and prior == "standard_normal"
    return True


OF_SENTENCES = [
    pair
    for pair in PAIRS
    if "likelihood" not in pair and pair.get("prior") != "vamp" and set(pair) & {"posterior", "objective"}
]


@pytest.mark.slow
@pytest.mark.parametrize("pair", OF_SENTENCES, ids=lambda pair: "-".join(pair.values()))
def test_pair_of_sentences(pair):
    """What is decided between these parts is the same; each legal pair gives a finite gradient."""
    chosen = {key: value for key, value in settings(pair).items() if "widths" not in key}
    chosen = {"objective.name": "elbo"} | chosen | {f"{axis}.width": 4 for axis in ("encoder", "decoder")}
    if not is_legal(pair):
        with pytest.raises(UserError):
            build("sentence", (4,), LATENT, settings=chosen, num_tokens=7)
        return
    model = build("sentence", (4,), LATENT, settings=chosen, num_tokens=7)
    for part in (model.objective, model.prior):
        if hasattr(part, "num_examples"):
            part.num_examples = 6
    model.compile(keras.optimizers.Adam(1e-2), run_eagerly=True)
    tokens = np.array([[4, 5, 2, 0], [2, 0, 0, 0], [6, 6, 6, 2]] * 2, np.int32)
    assert np.isfinite(float(model.train_on_batch(tokens, return_dict=True)["loss"]))
    assert model.health.failure() is None


def pictures():
    return np.random.default_rng(0).integers(0, 256, (6, *SHAPE), dtype=np.uint8)


# A likelihood sees pixels alone, and a prior meets an objective through its KL to a posterior: these pairs matter less.
QUICK = ({"posterior", "prior"}, {"posterior", "objective"})


@pytest.mark.parametrize(
    "pair",
    [pytest.param(pair, marks=[] if set(pair) in QUICK else [pytest.mark.slow]) for pair in PAIRS],
    ids=lambda pair: "-".join(pair.values()),
)
def test_pair(pair):
    if is_legal(pair):
        train_three_steps("mlp", settings(pair))
    else:
        assert_refused("mlp", settings(pair))


SINGLES = [
    pytest.param(recipe, {axis: name}, marks=[] if axis == "posterior" else [pytest.mark.slow])
    for recipe in ADVERSARIAL
    for axis in AXES
    for name in AXES[axis]
]


@pytest.mark.parametrize(
    ("recipe", "part"),
    SINGLES,
    ids=lambda value: "-".join(value.values()) if isinstance(value, dict) else value,
)
def test_models_with_a_discriminator(recipe, part):
    networks = {"encoder.name": "mlp", "decoder.name": "mlp", "model.discriminator_widths": (4, 4, 4)}
    # Samples of q(z) are all that they ask of a posterior; a code without a density is none.
    if is_legal(part) and settings(part).get("posterior.name") != "deterministic":
        train_three_steps(recipe, settings(part) | networks)
    else:
        assert_refused(recipe, settings(part) | networks)


def assert_refused(recipe, chosen):
    with pytest.raises(UserError) as refused:
        build(recipe, SHAPE, LATENT, settings=chosen)
    assert len(refused.value.message) > 20 and refused.value.message[-1] == "."


def train_three_steps(recipe, chosen):
    model = build(recipe, SHAPE, LATENT, settings=chosen)
    for part in (model.objective, model.prior):
        if hasattr(part, "num_examples"):
            part.num_examples = 6
    before = [weight.copy() for weight in model.get_weights()]
    model.compile(keras.optimizers.Adam(1e-2), run_eagerly=True)
    losses = [float(model.train_on_batch(pictures(), return_dict=True)["loss"]) for _ in range(3)]
    assert np.isfinite(losses).all() and model.health.failure() is None
    assert any(not np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
