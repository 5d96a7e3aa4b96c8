"""SavedModel with deterministic signatures, as TF Serving loads it."""

from pathlib import Path
from typing import Any

import tensorflow as tf


def export(model: Any, folder: Path) -> dict[str, dict[str, Any]]:
    """Writes the SavedModel into `folder`.

    No signature draws random numbers: other engines refuse such graphs, and equal requests must get equal answers.

    Args:
        model: A `VAE`.
        folder: A folder that does not exist yet, such as `export/1`.

    Returns:
        For each signature its inputs and outputs with shape, dtype and meaning.
    """
    from keras.export import ExportArchive

    picture = tf.TensorSpec((None, *model.image_shape), tf.float32, name="pictures")
    latent = tf.TensorSpec((None, model.latent_dim), tf.float32, name="latents")

    def encode(pictures: Any) -> dict[str, Any]:
        parameters = model.encode(pictures)
        return {name: parameters[name] for name in encoded(model)}

    def decode(latents: Any) -> dict[str, Any]:
        return {"pictures": model.decode(latents)}

    def reconstruct(pictures: Any) -> dict[str, Any]:
        return {"pictures": model.reconstruct(pictures)}

    archive = ExportArchive()
    archive.track(model)
    archive.add_endpoint("serving_default", encode, input_signature=[picture])
    archive.add_endpoint("encode", encode, input_signature=[picture])
    archive.add_endpoint("decode", decode, input_signature=[latent])
    archive.add_endpoint("reconstruct", reconstruct, input_signature=[picture])
    archive.write_out(str(folder), verbose=False)
    return describe(model)


def encoded(model: Any) -> dict[str, str]:
    """The outputs of `encode` [B, d] and what they mean."""
    return {
        "mean": "posterior mean",
        "log_variance": "natural logarithm of the posterior variance",
        **model.posterior.kept,
    }


def describe(model: Any) -> dict[str, dict[str, Any]]:
    """Inputs and outputs of each signature: {"name": {"shape", "dtype", "meaning"}}."""
    pictures = {"shape": ["batch", *model.image_shape], "dtype": "float32", "meaning": "pixels in [0, 1]"}
    latents = {"shape": ["batch", model.latent_dim], "dtype": "float32"}
    encode = {
        "inputs": {"pictures": pictures},
        "outputs": {name: {**latents, "meaning": meaning} for name, meaning in encoded(model).items()},
    }
    return {
        "serving_default": encode,
        "encode": encode,
        "decode": {
            "inputs": {"latents": {**latents, "meaning": "points of the latent space"}},
            "outputs": {"pictures": pictures},
        },
        "reconstruct": {"inputs": {"pictures": pictures}, "outputs": {"pictures": pictures}},
    }
