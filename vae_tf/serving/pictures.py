"""What an exported VAE of pictures answers to: pixels in, a latent out, and back; all of it deterministic."""

from typing import Any

import numpy as np
import tensorflow as tf

from vae_tf.pixels import to_unit


def endpoints(model: Any) -> dict[str, tuple[Any, list[Any]]]:
    """{signature: (function, input signature)}: encode, decode, and both."""
    picture = tf.TensorSpec((None, *model.image_shape), tf.float32, name="pictures")
    latent = tf.TensorSpec((None, model.latent_dim), tf.float32, name="latents")

    def encode(pictures: Any) -> dict[str, Any]:
        parameters = model.encode(pictures)
        return {name: parameters[name] for name in encoded(model)}

    def decode(latents: Any) -> dict[str, Any]:
        return {"pictures": model.decode(latents)}

    def reconstruct(pictures: Any) -> dict[str, Any]:
        return {"pictures": model.reconstruct(pictures)}

    return {
        "serving_default": (encode, [picture]),
        "encode": (encode, [picture]),
        "decode": (decode, [latent]),
        "reconstruct": (reconstruct, [picture]),
    }


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


def questions(model: Any, pictures: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """What to ask every signature, {"signature/input": array}, and the run's own answers."""
    x = to_unit(pictures)
    parameters = {name: np.asarray(value) for name, value in model.encode(x).items()}
    latents = parameters["mean"]
    given = {
        "serving_default/pictures": x,
        "encode/pictures": x,
        "decode/latents": latents,
        "reconstruct/pictures": x,
    }
    wanted = {
        **{
            f"{signature}/{name}": parameters[name]
            for signature in ("serving_default", "encode")
            for name in encoded(model)
        },
        "decode/pictures": np.asarray(model.decode(latents)),
        "reconstruct/pictures": np.asarray(model.reconstruct(x)),
    }
    return given, wanted
