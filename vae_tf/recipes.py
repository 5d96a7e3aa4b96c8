"""Every named model is one row of parts; a user's own is the row with `--set axis.argument=value`."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from vae_tf.errors import UserError

# A picture with more pixels than this begins with patches: convolutions at its full resolution cost too much.
LARGEST_PLAIN_PICTURE = 80 * 80
SMALLEST_SIDE = 8


@dataclasses.dataclass(frozen=True)
class Sizes:
    """What a recipe's numbers may depend on; of sentences `image_shape` is (positions,)."""

    image_shape: tuple[int, ...]
    latent_dim: int
    batch_size: int
    num_classes: int = 0
    num_tokens: int = 0

    @property
    def num_values(self) -> int:
        """Pixels times channels of a picture."""
        return math.prod(self.image_shape)


@dataclasses.dataclass(frozen=True)
class Recipe:
    """One row: the name of a part on each axis, with what `recipes` prints: what it is, its paper, what to expect.

    `settings` are arguments of parts, {"axis.argument": value}, where a value may be a function of `Sizes`; the model
    itself is the axis "model". "auto" networks are convolutional, above 80×80 pixels with a patch stem. `data` is what
    it is trained on, "pictures" or "sentences"; `needs` what these must have besides: "labels" of at least two classes.
    """

    description: str
    paper: str
    expect: str
    encoder: str = "auto"
    decoder: str = "auto"
    posterior: str = "diagonal"
    prior: str = "standard_normal"
    likelihood: str = "gaussian"
    objective: str = "elbo"
    model: str = "vae"
    data: str = "pictures"
    needs: frozenset[str] = frozenset()
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)


PRINTED = "course notes"
# What the code of a sentence may use for nothing: annealing and word dropout alone left it below 2 nats
# (benchmarks/text.py).
FREE_NATS = 2.5
UNIT = {"likelihood.scale": 1.0}


def printed(description: str, expect: str, beta: Any, **changes: Any) -> Recipe:
    """A loss as courses print it: squared error and KL, which is the ELBO of unit noise at some β (docs/losses.md)."""
    return Recipe(description, PRINTED, expect, settings={**UNIT, "objective.beta": beta}, **changes)


RECIPES: dict[str, Recipe] = {
    "conv": Recipe(
        "convolutional VAE, learned σ",
        "Kingma & Welling 2014",
        "the default: on faces less error on unseen people than PCA of the same size",
    ),
    "mlp": Recipe(
        "dense layers on the flattened picture",
        "Kingma & Welling 2014",
        "fast for small pictures such as digits; blurred from 64×64 pixels on",
        encoder="mlp",
        decoder="mlp",
    ),
    "ae": Recipe(
        "plain autoencoder: a code without noise or prior",
        "Hinton & Salakhutdinov 2006",
        "sharp reconstructions; codes with holes between them, so that samples and paths fail",
        posterior="deterministic",
        objective="reconstruction",
    ),
    "denoising-ae": Recipe(
        "autoencoder that sees noisy pictures and gives clean ones",
        "Vincent et al. 2008",
        "smoother codes than the plain one",
        posterior="deterministic",
        objective="reconstruction",
        settings={"model.corruption": 0.1},
    ),
    "sparse-ae": Recipe(
        "autoencoder with an L1 penalty on the code",
        "Ng 2011, lecture notes",
        "few dimensions in use for each picture",
        posterior="deterministic",
        objective="sparse",
    ),
    "beta": Recipe(
        "β-VAE, β = 4",
        "Higgins et al. 2017",
        "fewer, more separate dimensions; blurred reconstructions",
        settings={"objective.beta": 4.0},
    ),
    "capacity": Recipe(
        "KL held to a capacity that grows",
        "Burgess et al. 2018",
        "as β-VAE, with more detail at the end of training",
        objective="capacity",
    ),
    "free-bits": Recipe(
        "every dimension may use λ nats for nothing",
        "Kingma et al. 2016",
        "against collapsed dimensions",
        objective="free_bits",
    ),
    "beta-tc": Recipe(
        "β on the total correlation alone",
        "Chen et al. 2018",
        "separate dimensions at less cost in detail than β-VAE",
        objective="beta_tc",
    ),
    "factor": Recipe(
        "total correlation found by a discriminator of codes",
        "Kim & Mnih 2018",
        "as beta-tc, for any posterior; a discriminator takes steps to learn",
        model="factor",
    ),
    "dip": Recipe(
        "covariance of the codes held to the identity",
        "Kumar et al. 2018",
        "uncorrelated dimensions",
        objective="dip",
    ),
    "mmd": Recipe(
        "InfoVAE: the aggregate posterior is matched to the prior",
        "Zhao et al. 2019",
        "codes that say more of the picture; samples from where the data is",
        objective="mmd",
    ),
    "iwae": Recipe(
        "importance-weighted bound, K = 5",
        "Burda et al. 2016",
        "a tighter bound on log p(x); five times the decoder's work",
        objective="iwae",
    ),
    "dreg": Recipe(
        "importance-weighted bound with doubly reparameterised gradients",
        "Tucker et al. 2019",
        "as iwae, with less noise in the encoder's gradient",
        objective="dreg",
    ),
    "isotropic": Recipe(
        "one posterior variance for all dimensions",
        "Kingma & Welling 2014",
        "a simpler posterior: what the diagonal one buys",
        posterior="isotropic",
    ),
    "full-covariance": Recipe(
        "posterior N(μ, LLᵀ)",
        "Kingma & Welling 2019",
        "dimensions that may be uncertain together: a tighter bound",
        posterior="full_covariance",
    ),
    "iaf": Recipe(
        "posterior through inverse autoregressive flows",
        "Kingma et al. 2016",
        "a posterior of any shape: a tighter bound",
        posterior="iaf",
    ),
    "normal-prior": Recipe(
        "learned prior N(μ₁, Σ₁)",
        "Kingma & Welling 2019",
        "the prior follows the codes",
        prior="normal",
    ),
    "mixture-prior": Recipe(
        "learned mixture of ten normals as the prior",
        "Dilokthanakul et al. 2016",
        "codes that may form groups",
        prior="mixture",
    ),
    "vamp": Recipe(
        "prior of the posteriors of learned pseudo-inputs",
        "Tomczak & Welling 2018",
        "a prior near the aggregate posterior: better samples",
        prior="vamp",
    ),
    "beta-bernoulli": Recipe(
        "features that are on or off: an Indian buffet process, stick-breaking",
        "Singh et al. 2017; Chatzis 2014; Gyawali et al. 2019",
        "as many features as the pictures need, few on in each; `evaluate` shows which factor switches which",
        posterior="beta_bernoulli",
        prior="beta_bernoulli",
    ),
    "bernoulli": Recipe(
        "each pixel on or off",
        "Kingma & Welling 2014",
        "right for black-and-white pictures only",
        likelihood="bernoulli",
    ),
    "binarised": Recipe(
        "pixels drawn black or white anew in every step, two dense layers of 200",
        "Burda et al. 2016",
        "on MNIST with 50 latents about −87 nats, to set against published figures",
        encoder="mlp",
        decoder="mlp",
        likelihood="bernoulli",
        settings={
            "model.binarised": True,
            **{f"{axis}.widths": (200, 200) for axis in ("encoder", "decoder")},
        },
    ),
    "continuous-bernoulli": Recipe(
        "a density on [0, 1] in the Bernoulli's place",
        "Loaiza-Ganem & Cunningham 2019",
        "for grey pictures with many black and white pixels",
        likelihood="continuous_bernoulli",
    ),
    "discretised-logistic": Recipe(
        "masses over 256 grey levels",
        "Kingma et al. 2016",
        "nats that compare with other models of 8-bit pictures",
        likelihood="discretised_logistic",
    ),
    "vae-gan": Recipe(
        "reconstructs a discriminator's features instead of pixels",
        "Larsen et al. 2016",
        "sharp pictures with more error per pixel; three times the work",
        model="vae-gan",
    ),
    "m2": Recipe(
        "a few labels: p(x | y, z), the class summed over where it is unknown",
        "Kingma et al. 2014",
        "predictions for unlabelled pictures; as many decoder passes as there are classes",
        model="m2",
        needs=frozenset({"labels"}),
        # With the paper's 0.1 the classes were learned far more slowly (docs/architecture.md).
        settings={"model.alpha": 20.0},
    ),
    "m1-m2": Recipe(
        "a few labels: M2 on the latents of an ordinary VAE",
        "Kingma et al. 2014",
        "better predictions than m2 where pictures form groups of their own; cheaper, too",
        model="m1-m2",
        needs=frozenset({"labels"}),
    ),
    "sentence": Recipe(
        "LSTM encoder and decoder of sentences; KL annealing, word dropout, a few free nats",
        "Bowman et al. 2016",
        "train sentences.txt: a few nats of each sentence in the code; without all three it collapses",
        encoder="lstm",
        decoder="lstm",
        likelihood="categorical",
        model="sentence",
        data="sentences",
        objective="free_bits",
        settings={
            "objective.warmup_steps": 600,
            "objective.floor": lambda sizes: FREE_NATS / sizes.latent_dim,
            "model.word_dropout": 0.25,
        },
    ),
    "printed-sum": printed(
        "Σ(σ² + μ² − log σ² − 1) + Σ‖x − x̂‖², dense layers",
        "twice the ELBO of unit noise: blurred, few dimensions in use",
        1.0,
        encoder="mlp",
        decoder="mlp",
    ),
    "printed-half": printed(
        "½(tr Σ + μᵀμ − log det Σ − n + E‖x − x̂‖²)",
        "the ELBO of unit noise: blurred, few dimensions in use",
        1.0,
    ),
    "printed-no-half": printed("‖x − x̂‖² + KL", "β = ½: a little sharper than printed-half", 0.5),
    "printed-mean-pixels": printed(
        "batch size · mean squared error over pixels + summed KL",
        "β = half the number of pixels: the code collapses on large pictures",
        lambda sizes: sizes.num_values / 2,
    ),
    "printed-mean-kl": printed(
        "summed squared error + KL averaged over batch and latents",
        "β = 1/(2·batch·latents): nearly a plain autoencoder; samples fail",
        lambda sizes: 1.0 / (2 * sizes.batch_size * sizes.latent_dim),
    ),
}


def find_recipe(name: str) -> Recipe:
    """Raises: UserError: No recipe has this name; the message lists them."""
    if name not in RECIPES:
        raise UserError(f"There is no recipe called {name!r}.", f"Choose one of: {', '.join(RECIPES)}.")
    return RECIPES[name]


# What only sentences can go through; everything else of these axes is for pictures.
OF_SENTENCES = {"encoder": ("lstm",), "decoder": ("lstm",), "likelihood": ("categorical",)}


def check_kind(name: str, kind: str, source: str) -> None:
    """Finds out before anything is read that a recipe and a source do not go together.

    Args:
        name: A recipe.
        kind: What the source holds, "pictures" or "sentences".
        source: What to call the source.

    Raises:
        UserError: Sentences for a recipe of pictures, or pictures for one of sentences.
    """
    wanted = find_recipe(name).data
    if kind == wanted:
        return
    fitting = ", ".join(other for other, recipe in RECIPES.items() if recipe.data == kind)
    raise UserError(
        f"--recipe {name} is for {wanted}, and {source} holds {kind}.",
        f"For {kind} choose: {fitting}."
        + (" Sentences are a text file, one to a line." if wanted == "sentences" else ""),
    )


def check_parts(row: Mapping[str, Mapping[str, Any]], name: str) -> None:
    """Raises: UserError: A part of pictures in a recipe of sentences, or the other way."""
    kind = find_recipe(name).data
    for axis, parts in OF_SENTENCES.items():
        if (row[axis]["name"] in parts) != (kind == "sentences"):
            choices = (
                f"Leave it at {', '.join(parts)}." if kind == "sentences" else "See `--recipe sentence`."
            )
            raise UserError(
                f"The {axis} {row[axis]['name']!r} is not for {kind}, which --recipe {name} is about.",
                choices,
            )
    if kind == "sentences" and row["prior"]["name"] == "vamp":
        raise UserError(
            "The prior 'vamp' learns pictures, and sentences are no numbers that can be learned so.",
            "Choose prior mixture, which may form groups, too.",
        )


def conv_widths(image_shape: Sequence[int], kind: str) -> tuple[int, ...]:
    """Channels of each resolution: halve until the shorter side is about 4 cells, at most four times."""
    side = min(image_shape[:2])
    if kind == "patch":
        side //= 4
    # Narrow where pictures are large: as good per step as (64, 128, 256, 256) and 1.5 times faster on a CPU.
    widths = (64, 96, 128, 256)
    halvings = max(1, min(len(widths), (max(side, 2) // 3).bit_length() - (1 if kind == "conv" else 0)))
    return widths[:halvings]


def part_arguments(recipe: Recipe, sizes: Sizes) -> dict[str, dict[str, Any]]:
    """The row with every argument that follows from the pictures' shape, as {axis: {"name": …, argument: …}}."""
    image_shape, latent_dim = sizes.image_shape, sizes.latent_dim
    kind = "patch" if math.prod(image_shape[:2]) > LARGEST_PLAIN_PICTURE else "conv"
    row: dict[str, dict[str, Any]] = {
        "encoder": {"name": kind if recipe.encoder == "auto" else recipe.encoder},
        "posterior": {"name": recipe.posterior, "latent_dim": latent_dim},
        "prior": {"name": recipe.prior, "latent_dim": latent_dim} | vamp_shape(recipe.prior, image_shape),
        "decoder": {
            "name": kind if recipe.decoder == "auto" else recipe.decoder,
            "image_shape": tuple(image_shape),
        },
        "likelihood": {"name": recipe.likelihood},
        "objective": {"name": recipe.objective},
        "model": {"name": recipe.model},
    }
    if "labels" in recipe.needs:
        row["model"]["num_classes"] = sizes.num_classes
    if recipe.data == "sentences":
        row["encoder"]["num_tokens"] = sizes.num_tokens
        row["decoder"] = {
            "name": recipe.decoder,
            "num_tokens": sizes.num_tokens,
            "num_positions": image_shape[0],
        }
    for axis in ("encoder", "decoder"):
        if row[axis]["name"] in ("conv", "patch"):
            widths = conv_widths(image_shape, row[axis]["name"])
            row[axis]["widths"] = widths if axis == "encoder" else widths[::-1]
    for key, value in recipe.settings.items():
        axis, _, argument = key.partition(".")
        row[axis][argument] = value(sizes) if callable(value) else value
    return row


def vamp_shape(prior: str, image_shape: Sequence[int]) -> dict[str, Any]:
    """A VampPrior keeps pictures of its own."""
    return {"image_shape": tuple(image_shape)} if prior == "vamp" else {}


def build(
    name: str = "conv",
    image_shape: Sequence[int] = (64, 64, 3),
    latent_dim: int = 30,
    likelihood: str | None = None,
    beta: float | None = None,
    precision: str = "float32",
    seed: int = 0,
    settings: Mapping[str, Any] | None = None,
    batch_size: int = 32,
    num_classes: int = 0,
    num_tokens: int = 0,
) -> Any:
    """A `VAE`, ready for `compile` and `fit`.

    Args:
        name: A recipe, see `RECIPES`.
        image_shape: (height, width, channels) of the pictures, sides of at least 8 pixels; of sentences (positions,),
            the longest one's tokens with its end.
        latent_dim: Number of latent dimensions.
        likelihood: Name of another likelihood than the recipe's.
        beta: Another weight of the KL than the recipe's.
        precision: A Keras dtype policy for encoder and decoder; heads and loss stay in float32.
        seed: Key of the initial weights and of all randomness in training.
        settings: {"axis.argument": value} or {"axis.name": part}, which win over the recipe's row.
        batch_size: Pictures per step, for recipes whose loss depends on it.
        num_classes: Classes of the pictures, for recipes that learn them.
        num_tokens: Size of the vocabulary, for recipes of sentences.

    Raises:
        UserError: Unknown recipe, axis, part or argument, or sizes that no network fits.
    """
    import keras

    from vae_tf.models import make_model

    recipe = find_recipe(name)
    check_sizes(recipe, image_shape, latent_dim, num_tokens)
    sizes = Sizes(tuple(image_shape), latent_dim, batch_size, num_classes, num_tokens)
    row = part_arguments(recipe, sizes)
    if likelihood is not None:
        row["likelihood"] = {"name": likelihood}
    if beta is not None:
        row["objective"]["beta"] = beta
    apply_settings(row, settings or {}, image_shape)
    check_parts(row, name)
    keras.utils.set_random_seed(seed)
    parts = {axis: make_part(axis, row[axis], precision) for axis in row if axis not in ("decoder", "model")}
    if recipe.data == "pictures":
        # The likelihood says how many numbers it needs of each pixel.
        height, width, channels = image_shape
        outputs = parts["likelihood"].outputs_per_channel * channels
        row["decoder"]["image_shape"] = (height, width, outputs)
    parts["decoder"] = make_part("decoder", row["decoder"], precision)
    return make_model(
        **row["model"],
        parts=parts,
        image_shape=image_shape,
        latent_dim=latent_dim,
        seed=seed,
        dtype=precision,
    )


def check_sizes(recipe: Recipe, image_shape: Sequence[int], latent_dim: int, num_tokens: int) -> None:
    """Raises: UserError: Sizes that no network fits."""
    if latent_dim < 1:
        raise UserError(f"A latent size of {latent_dim} was asked for.", "Give at least 1.")
    if recipe.data == "sentences":
        if len(image_shape) != 1 or min(image_shape[0], num_tokens) < 2:
            raise UserError(
                f"Sentences of shape {tuple(image_shape)} with {num_tokens} tokens cannot be modelled.",
                "Give image_shape=(positions,) and num_tokens, at least 2 each.",
            )
        return
    height, width, channels = image_shape
    if min(height, width) < SMALLEST_SIDE or channels not in (1, 3):
        raise UserError(
            f"Pictures of {height}×{width} with {channels} channels cannot be modelled.",
            f"Sides of at least {SMALLEST_SIDE} pixels and 1 or 3 channels are needed.",
        )


def check(
    name: str,
    latent_dim: int = 30,
    likelihood: str | None = None,
    beta: float | None = None,
    settings: Mapping[str, Any] | None = None,
) -> None:
    """Raises: UserError: What `build` would refuse of these whatever the pictures are."""
    shape = (16, 16, 1) if find_recipe(name).data == "pictures" else (4,)
    build(name, shape, min(latent_dim, 8), likelihood, beta, settings=settings, num_classes=2, num_tokens=8)


def check_data(name: str, class_names: Sequence[str], all_names: Sequence[str] = ()) -> None:
    """Finds out before training that the data lacks what the recipe learns from.

    Args:
        name: A recipe.
        class_names: Classes that pictures to train on have.
        all_names: Classes that any picture has.

    Raises:
        UserError: No classes, one alone, or one without a labelled picture, for a recipe that learns classes.
    """
    if "labels" not in find_recipe(name).needs:
        return
    if len(class_names) < 2:
        found = f"have only one, {class_names[0]!r}" if class_names else "have none"
        raise UserError(
            f"--recipe {name} learns classes from labelled pictures, and these {found}.",
            "Classes come from subfolders or --labels FILE.csv; without them choose --recipe conv.",
        )
    if missing := [name for name in all_names if name not in class_names]:
        raise UserError(
            f"--recipe {name} has no labelled picture of class {missing[0]!r} to train on.",
            "Label some of its pictures, or take the class out of the source.",
        )


def make_part(axis: str, arguments: Mapping[str, Any], precision: str) -> Any:
    """Networks compute in `precision`, heads and likelihoods in float32; an objective computes nothing of its own."""
    from vae_tf.parts import build_part

    if axis == "objective":
        return build_part(axis, **arguments)
    return build_part(axis, **arguments, dtype=precision if axis in ("encoder", "decoder") else "float32")


def apply_settings(
    row: dict[str, dict[str, Any]], settings: Mapping[str, Any], image_shape: Sequence[int]
) -> None:
    """Writes `settings` into `row`; a changed name drops the arguments that belonged to the old part."""
    for key in sorted(settings, key=lambda k: not k.endswith(".name")):
        axis, _, argument = key.partition(".")
        if axis not in row or not argument:
            raise UserError(
                f"--set {key}: expected AXIS.ARGUMENT, such as objective.beta or prior.name.",
                f"The axes are: {', '.join(row)}.",
            )
        if key == "model.name":
            raise UserError("--set model.name: the model is the recipe's.", "Choose it by --recipe.")
        if argument == "name":
            keep = ("latent_dim", "image_shape", "num_tokens", "num_positions")
            row[axis] = {"name": settings[key]} | {k: v for k, v in row[axis].items() if k in keep}
            if axis == "prior":
                row[axis] |= vamp_shape(settings[key], image_shape)
            if settings[key] in ("conv", "patch"):
                widths = conv_widths(image_shape, settings[key])
                row[axis]["widths"] = widths if axis == "encoder" else widths[::-1]
        else:
            row[axis][argument] = settings[key]
