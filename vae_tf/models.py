"""Every class of model by the name that a recipe gives it; importing this registers them all with Keras."""

from typing import Any, get_type_hints

from vae_tf.adversarial import VAEGAN, FactorVAE
from vae_tf.errors import UserError
from vae_tf.model import VAE
from vae_tf.parts.base import AXES, argument_names, fitted
from vae_tf.semi_supervised import M2, StackedM2
from vae_tf.sentence import SentenceVAE

MODELS: dict[str, type[VAE]] = {
    "vae": VAE,
    "factor": FactorVAE,
    "vae-gan": VAEGAN,
    "m2": M2,
    "m1-m2": StackedM2,
    "sentence": SentenceVAE,
}
# What the data and the command line decide, so that `--set` cannot.
FIXED = (*AXES, "image_shape", "latent_dim", "seed", "num_classes")


def make_model(name: str, parts: dict[str, Any], **arguments: Any) -> Any:
    """The model called `name` of these parts.

    Args:
        name: One of `MODELS`.
        parts: {axis: part}.
        arguments: Those of the class; `image_shape`, `latent_dim`, `seed` and `dtype` among them.

    Raises:
        UserError: The model has no such argument, or the parts do not go together.
    """
    model = MODELS[name]
    known = arguments_of(model)
    unknown = [key for key in arguments if key not in known and key != "dtype"]
    if unknown:
        choices = ", ".join(key for key in known if key not in FIXED)
        raise UserError(
            f"The model {name!r} takes no argument {unknown[0]!r}.", f"It takes: {choices or 'none'}."
        )
    hints = {**get_type_hints(VAE.__init__), **get_type_hints(model.__init__)}
    return model(**parts, **fitted(arguments, "model", hints))


def arguments_of(model: type[VAE]) -> list[str]:
    """Names of its own arguments and of those that it hands on to `VAE`."""
    own = [] if model is VAE else argument_names(model)
    return [name for name in (*own, *argument_names(VAE)) if name not in model.not_taken]
