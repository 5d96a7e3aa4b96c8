"""From a row of parts, the pictures' shape and what the user changed to a model."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from vae_tf.errors import UserError
from vae_tf.nearest import did_you_mean
from vae_tf.recipes.checks import check_parts, check_sizes
from vae_tf.recipes.table import Recipe, Sizes, find_recipe

# A picture with more pixels than this begins with patches: convolutions at its full resolution cost too much.
LARGEST_PLAIN_PICTURE = 80 * 80


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


def conv_widths(image_shape: Sequence[int], kind: str) -> tuple[int, ...]:
    """Channels of each resolution: halve until the shorter side is about 4 cells, at most four times."""
    side = min(image_shape[:2])
    if kind == "patch":
        side //= 4
    # Narrow where pictures are large: as good per step as (64, 128, 256, 256) and 1.5 times faster on a CPU.
    widths = (64, 96, 128, 256)
    halvings = max(1, min(len(widths), (max(side, 2) // 3).bit_length() - (1 if kind == "conv" else 0)))
    return widths[:halvings]


def vamp_shape(prior: str, image_shape: Sequence[int]) -> dict[str, Any]:
    """A VampPrior keeps pictures of its own."""
    return {"image_shape": tuple(image_shape)} if prior == "vamp" else {}


def apply_settings(
    row: dict[str, dict[str, Any]], settings: Mapping[str, Any], image_shape: Sequence[int]
) -> None:
    """Writes `settings` into `row`; a changed name drops the arguments that belonged to the old part."""
    for key in sorted(settings, key=lambda k: not k.endswith(".name")):
        axis, _, argument = key.partition(".")
        if axis not in row or not argument:
            raise UserError(
                f"--set {key}: expected AXIS.ARGUMENT, such as objective.beta or prior.name."
                + did_you_mean(axis, row.keys() - {axis}),
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


def make_part(axis: str, arguments: Mapping[str, Any], precision: str) -> Any:
    """Networks compute in `precision`, heads and likelihoods in float32; an objective computes nothing of its own."""
    from vae_tf.parts import build_part

    if axis == "objective":
        return build_part(axis, **arguments)
    return build_part(axis, **arguments, dtype=precision if axis in ("encoder", "decoder") else "float32")
