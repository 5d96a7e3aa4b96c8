"""What every part must satisfy, from one table; a part that is missing from the table fails."""

import dataclasses
from typing import Any

import keras
import numpy as np
import pytest

from vae_tf.parts import AXES, REGISTRY, ElboTerms, build_part, objectives
from vae_tf.recipes import build
from vae_tf.recipes.checks import OF_SENTENCES

SHAPE, LATENT = (16, 16, 3), 4
POSITIONS, NUM_TOKENS = 6, 9
PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")


@dataclasses.dataclass(frozen=True)
class Case:
    """How to make a part small, and the shape of what it takes (without the batch)."""

    axis: str
    name: str
    arguments: dict[str, Any]
    takes: tuple[int, ...]


CASES = [
    Case("encoder", "mlp", {"widths": (8,)}, SHAPE),
    Case("encoder", "conv", {"widths": (4, 8), "features": 8}, SHAPE),
    Case("encoder", "patch", {"widths": (4, 8), "patch": 2, "features": 8}, SHAPE),
    Case("encoder", "lstm", {"num_tokens": NUM_TOKENS, "embedding": 4, "width": 8}, (POSITIONS,)),
    Case("posterior", "diagonal", {"latent_dim": LATENT}, (8,)),
    Case("posterior", "isotropic", {"latent_dim": LATENT}, (8,)),
    Case("posterior", "full_covariance", {"latent_dim": LATENT}, (8,)),
    Case("posterior", "deterministic", {"latent_dim": LATENT}, (8,)),
    Case("posterior", "iaf", {"latent_dim": LATENT, "num_flows": 3, "width": 6}, (8,)),
    Case("posterior", "beta_bernoulli", {"latent_dim": LATENT, "temperature": 0.3}, (8,)),
    Case("prior", "beta_bernoulli", {"latent_dim": LATENT, "alpha": 2.0, "num_examples": 32}, (LATENT,)),
    Case("prior", "standard_normal", {"latent_dim": LATENT}, (LATENT,)),
    Case("prior", "normal", {"latent_dim": LATENT}, (LATENT,)),
    Case("prior", "mixture", {"latent_dim": LATENT, "num_components": 3}, (LATENT,)),
    Case("prior", "vamp", {"latent_dim": LATENT, "image_shape": SHAPE, "num_inputs": 4}, (LATENT,)),
    Case("decoder", "mlp", {"image_shape": SHAPE, "widths": (8,)}, (LATENT,)),
    Case("decoder", "conv", {"image_shape": SHAPE, "widths": (8, 4)}, (LATENT,)),
    Case("decoder", "patch", {"image_shape": SHAPE, "widths": (8, 4), "patch": 2}, (LATENT,)),
    Case(
        "decoder",
        "lstm",
        {"num_tokens": NUM_TOKENS, "num_positions": POSITIONS, "embedding": 4, "width": 8},
        (LATENT,),
    ),
    Case("likelihood", "categorical", {}, (POSITIONS, NUM_TOKENS)),
    Case("likelihood", "gaussian", {"scale": "learned", "activation": "linear"}, SHAPE),
    Case("likelihood", "gaussian", {"scale": "pixel"}, SHAPE),
    Case("likelihood", "gaussian", {"scale": "output"}, (16, 16, 6)),
    Case("likelihood", "bernoulli", {}, SHAPE),
    Case("likelihood", "continuous_bernoulli", {}, SHAPE),
    Case("likelihood", "discretised_logistic", {"scale": "learned"}, SHAPE),
    Case("likelihood", "discretised_logistic", {"scale": "output"}, (16, 16, 6)),
    Case("objective", "elbo", {"beta": 2.0, "warmup_steps": 5}, ()),
    Case("objective", "capacity", {}, ()),
    Case("objective", "free_bits", {"warmup_steps": 5}, ()),
    Case("objective", "beta_tc", {"num_examples": 32}, ()),
    Case("objective", "dip", {}, ()),
    Case("objective", "mmd", {}, ()),
    Case("objective", "iwae", {"num_samples": 3}, ()),
    Case("objective", "dreg", {"num_samples": 3}, ()),
    Case("objective", "reconstruction", {}, ()),
    Case("objective", "sparse", {}, ()),
]
# A VampPrior is no function of z alone: it needs the model's encoder.
LAYERS = [case for case in CASES if case.axis != "objective" and case.name != "vamp"]
# Some parts go with each other only.
COMPANIONS = {
    "beta_bernoulli": {
        "posterior.name": "beta_bernoulli",
        "prior.name": "beta_bernoulli",
        "prior.num_examples": 32,
    },
    "deterministic": {"objective.name": "reconstruction"},
    "reconstruction": {"posterior.name": "deterministic"},
    "sparse": {"posterior.name": "deterministic"},
}


def ids(cases):
    return [
        f"{case.axis}-{case.name}" + (f"-{case.arguments['scale']}" if "scale" in case.arguments else "")
        for case in cases
    ]


def as_arrays(output):
    return [np.asarray(value) for value in keras.tree.flatten(output)]


def inputs(case, count=3):
    generator = np.random.default_rng(0)
    if is_of_sentences(case) and case.axis == "encoder":
        return generator.integers(1, NUM_TOKENS, (count, *case.takes)).astype(np.int32)
    return generator.uniform(size=(count, *case.takes)).astype(np.float32)


def is_of_sentences(case):
    return case.name in OF_SENTENCES.get(case.axis, ())


def sentences(count=16):
    """Tokens [N, T], of all lengths, each with its end (2) and padding."""
    rows = np.random.default_rng(0).integers(4, NUM_TOKENS, (count, POSITIONS)).astype(np.int32)
    lengths = np.arange(count) % POSITIONS
    rows[np.arange(POSITIONS) > lengths[:, None]] = 0
    rows[np.arange(count), lengths] = 2
    return rows


def test_table_holds_every_part():
    registered = {(axis, name) for axis in AXES for name in REGISTRY[axis]}
    assert registered == {(case.axis, case.name) for case in CASES}


@pytest.mark.parametrize("case", CASES, ids=ids(CASES))
def test_configuration_round_trip(case):
    extra = {} if case.axis == "objective" else {"dtype": "float32"}
    part = build_part(case.axis, case.name, **case.arguments, **extra)
    config = keras.saving.serialize_keras_object(part)
    again = keras.saving.deserialize_keras_object(config)
    assert type(again) is type(part)
    for argument, value in case.arguments.items():
        assert keras.tree.flatten(getattr(again, argument)) == keras.tree.flatten(value)


@pytest.mark.parametrize("case", LAYERS, ids=ids(LAYERS))
def test_saved_and_loaded_part_gives_equal_outputs(case, tmp_path):
    part = build_part(case.axis, case.name, **case.arguments)
    source = keras.Input(case.takes)
    model = keras.Model(source, part(source))
    model.save(tmp_path / "part.keras")
    loaded = keras.models.load_model(tmp_path / "part.keras")
    x = inputs(case)
    for ours, theirs in zip(as_arrays(model(x)), as_arrays(loaded(x)), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("case", LAYERS, ids=ids(LAYERS))
def test_symbolic_shapes_equal_eager_shapes(case):
    part = build_part(case.axis, case.name, **case.arguments)
    symbolic = keras.tree.flatten(part(keras.Input(case.takes, batch_size=3)))
    eager = as_arrays(part(inputs(case)))
    assert [tuple(value.shape) for value in symbolic] == [value.shape for value in eager]


# An objective computes in float32 whatever the networks do.
FITS = [
    (case, precision)
    for case in CASES
    for precision in (PRECISIONS if case.axis != "objective" else ("float32",))
]


@pytest.mark.parametrize(
    ("case", "precision"), FITS, ids=[f"{name}-{p}" for (c, p) in FITS for name in ids([c])]
)
def test_fit_is_finite_and_moves_every_kernel(case, precision, pictures):
    # The first step moves no kernel behind a zero-initialised one, and under float16 it may only find its scale.
    settings = {f"{case.axis}.name": case.name}
    settings |= {f"{case.axis}.{key}": value for key, value in case.arguments.items()}
    settings |= COMPANIONS.get(case.name, {})
    if is_of_sentences(case):
        settings |= {f"{axis}.width": 8 for axis in ("encoder", "decoder")}
        model = build(
            "sentence", (POSITIONS,), LATENT, precision=precision, settings=settings, num_tokens=NUM_TOKENS
        )
        pictures = sentences()
    else:
        for axis in {"encoder", "decoder"} - {case.axis}:
            settings |= {f"{axis}.name": "mlp", f"{axis}.widths": (8,)}
        model = build("mlp", SHAPE, LATENT, precision=precision, settings=settings)
    before = [weight.copy() for weight in model.get_weights()]
    # Graphs take seconds to trace: those of every recipe are, in test_every_recipe.
    model.compile(keras.optimizers.Adam(1e-2), run_eagerly=True)
    history = model.fit(pictures, batch_size=16, epochs=2 if precision != "mixed_float16" else 12, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    assert model.health.failure() is None
    names = [weight.path for weight in model.weights]
    moved = [not np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True)]
    still = [name for name, changed in zip(names, moved, strict=True) if not changed]
    assert not [name for name in still if "kernel" in name], still
    assert all(weight.dtype == "float32" for weight in model.trainable_weights)


@pytest.mark.parametrize("case", [c for c in CASES if c.axis == "objective"], ids=lambda c: c.name)
def test_objective_gives_one_loss_per_example(case):
    objective = build_part("objective", case.name, **case.arguments)
    draws = np.random.default_rng(1).normal(size=(4, objective.num_samples, 5)).astype(np.float32)
    codes = np.random.default_rng(2).normal(size=(objective.num_samples + 3, 5, 2)).astype(np.float32)
    terms = ElboTerms(
        z=codes[3:],
        posterior={"mean": codes[0], "log_variance": codes[1]},
        log_px=draws[0],
        log_qz=draws[1],
        log_pz=draws[2],
        kl=np.sum(codes[0] ** 2, axis=-1),
        kl_per_dimension=codes[0] ** 2,
        prior_sample=codes[2],
        stopped_log_qz=draws[1],
    )
    for loss in (objective(terms, 3), objective.final(terms)):
        assert tuple(np.asarray(loss).shape) == (5,)
    assert objectives.deserialize(objectives.serialize(objective)).get_config() == objective.get_config()
