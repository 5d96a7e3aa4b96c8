"""Every named model is one row of parts; a user's own is the row with `--set axis.argument=value`."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from vae_tf.errors import UserError

# A picture with more pixels than this begins with patches: convolutions at its full resolution cost too much.
LARGEST_PLAIN_PICTURE = 80 * 80
SMALLEST_SIDE = 8


@dataclasses.dataclass(frozen=True)
class Recipe:
    """One row: the name of a part on each axis, with what `recipes` prints: what it is, its paper, what to expect."""

    description: str
    paper: str
    expect: str
    encoder: str
    decoder: str
    posterior: str = "diagonal"
    prior: str = "standard_normal"
    likelihood: str = "gaussian"
    objective: str = "elbo"


RECIPES: dict[str, Recipe] = {
    "conv": Recipe(
        "convolutional VAE; above 80×80 pixels a patch stem with residual blocks",
        "Kingma & Welling 2014",
        "the default: on faces less error on unseen people than PCA of the same size",
        "auto",
        "auto",
    ),
    "mlp": Recipe(
        "dense layers on the flattened picture",
        "Kingma & Welling 2014",
        "fast for small pictures such as digits; blurred from 64×64 pixels on",
        "mlp",
        "mlp",
    ),
}


def find_recipe(name: str) -> Recipe:
    """Raises: UserError: No recipe has this name; the message lists them."""
    if name not in RECIPES:
        raise UserError(f"There is no recipe called {name!r}.", f"Choose one of: {', '.join(RECIPES)}.")
    return RECIPES[name]


def conv_widths(image_shape: Sequence[int], kind: str) -> tuple[int, ...]:
    """Channels of each resolution: halve until the shorter side is about 4 cells, at most four times."""
    side = min(image_shape[:2])
    if kind == "patch":
        side //= 4
    # Narrow where pictures are large: as good per step as (64, 128, 256, 256) and 1.5 times faster on a CPU.
    widths = (64, 96, 128, 256)
    halvings = max(1, min(len(widths), (max(side, 2) // 3).bit_length() - (1 if kind == "conv" else 0)))
    return widths[:halvings]


def part_arguments(recipe: Recipe, image_shape: Sequence[int], latent_dim: int) -> dict[str, dict[str, Any]]:
    """The row with every argument that follows from the pictures' shape, as {axis: {"name": …, argument: …}}."""
    kind = "patch" if image_shape[0] * image_shape[1] > LARGEST_PLAIN_PICTURE else "conv"
    row: dict[str, dict[str, Any]] = {
        "encoder": {"name": kind if recipe.encoder == "auto" else recipe.encoder},
        "posterior": {"name": recipe.posterior, "latent_dim": latent_dim},
        "prior": {"name": recipe.prior, "latent_dim": latent_dim},
        "decoder": {
            "name": kind if recipe.decoder == "auto" else recipe.decoder,
            "image_shape": tuple(image_shape),
        },
        "likelihood": {"name": recipe.likelihood},
        "objective": {"name": recipe.objective},
    }
    for axis in ("encoder", "decoder"):
        if row[axis]["name"] in ("conv", "patch"):
            widths = conv_widths(image_shape, row[axis]["name"])
            row[axis]["widths"] = widths if axis == "encoder" else widths[::-1]
    return row


def build(
    name: str = "conv",
    image_shape: Sequence[int] = (64, 64, 3),
    latent_dim: int = 30,
    likelihood: str | None = None,
    beta: float | None = None,
    precision: str = "float32",
    seed: int = 0,
    settings: Mapping[str, Any] | None = None,
) -> Any:
    """A `VAE`, ready for `compile` and `fit`.

    Args:
        name: A recipe, see `RECIPES`.
        image_shape: (height, width, channels) of the pictures, sides of at least 8 pixels.
        latent_dim: Number of latent dimensions.
        likelihood: Name of another likelihood than the recipe's.
        beta: Weight of the KL.
        precision: A Keras dtype policy for encoder and decoder; heads and loss stay in float32.
        seed: Key of the initial weights and of all randomness in training.
        settings: {"axis.argument": value} or {"axis.name": part}, which win over the recipe's row.

    Raises:
        UserError: Unknown recipe, axis, part or argument, or sizes that no network fits.
    """
    import keras

    from vae_tf.model import VAE
    from vae_tf.parts import build_part

    height, width, channels = image_shape
    if min(height, width) < SMALLEST_SIDE or channels not in (1, 3):
        raise UserError(
            f"Pictures of {height}×{width} with {channels} channels cannot be modelled.",
            f"Sides of at least {SMALLEST_SIDE} pixels and 1 or 3 channels are needed.",
        )
    if latent_dim < 1:
        raise UserError(f"A latent size of {latent_dim} was asked for.", "Give at least 1.")
    row = part_arguments(find_recipe(name), image_shape, latent_dim)
    if likelihood is not None:
        row["likelihood"] = {"name": likelihood}
    if beta is not None:
        row["objective"]["beta"] = beta
    apply_settings(row, settings or {}, image_shape)
    keras.utils.set_random_seed(seed)
    parts = {}
    for axis, arguments in row.items():
        dtype = {} if axis == "objective" else {"dtype": "float32"}
        if axis in ("encoder", "decoder"):
            dtype = {"dtype": precision}
        parts[axis] = build_part(axis, **arguments, **dtype)
    return VAE(**parts, image_shape=image_shape, latent_dim=latent_dim, seed=seed, dtype=precision)


def apply_settings(
    row: dict[str, dict[str, Any]], settings: Mapping[str, Any], image_shape: Sequence[int]
) -> None:
    """Writes `settings` into `row`; a changed name drops the arguments that belonged to the old part."""
    from vae_tf.parts.base import AXES

    for key in sorted(settings, key=lambda k: not k.endswith(".name")):
        axis, _, argument = key.partition(".")
        if axis not in AXES or not argument:
            raise UserError(
                f"--set {key}: expected AXIS.ARGUMENT, such as objective.beta or prior.name.",
                f"The axes are: {', '.join(AXES)}.",
            )
        if argument == "name":
            keep = ("latent_dim", "image_shape")
            row[axis] = {"name": settings[key]} | {k: v for k, v in row[axis].items() if k in keep}
            if settings[key] in ("conv", "patch"):
                widths = conv_widths(image_shape, settings[key])
                row[axis]["widths"] = widths if axis == "encoder" else widths[::-1]
        else:
            row[axis][argument] = settings[key]
