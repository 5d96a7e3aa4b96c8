"""What an exported sentence VAE answers to: tokens in, a latent out, and back; all of it deterministic."""

from typing import Any

import numpy as np
import tensorflow as tf


def endpoints(model: Any) -> dict[str, tuple[Any, list[Any]]]:
    """{signature: (function, input signature)}: encode, greedy decode, and log p(x | z) of given sentences."""
    tokens = tf.TensorSpec((None, *model.image_shape), tf.int32, name="tokens")
    latents = tf.TensorSpec((None, model.latent_dim), tf.float32, name="latents")

    def encode(tokens: Any) -> dict[str, Any]:
        parameters = model.encode(tokens)
        return {"mean": parameters["mean"], "log_variance": parameters["log_variance"]}

    def decode(latents: Any) -> dict[str, Any]:
        return {"tokens": model.decode(latents)}

    def score(latents: Any, tokens: Any) -> dict[str, Any]:
        return {"log_prob": log_prob(model, latents, tokens)}

    return {
        "serving_default": (encode, [tokens]),
        "encode": (encode, [tokens]),
        "decode": (decode, [latents]),
        "score": (score, [latents, tokens]),
    }


def log_prob(model: Any, latents: Any, tokens: Any) -> Any:
    """log p(x | z) [N] of tokens [N, T] at latents [N, d], in nats."""
    return model.likelihood.log_prob(model.decoder_output(latents[None], tokens), tokens)[0]


def describe(model: Any) -> dict[str, dict[str, Any]]:
    """Inputs and outputs of each signature: {"name": {"shape", "dtype", "meaning"}}."""
    tokens = {
        "shape": ["batch", *model.image_shape],
        "dtype": "int32",
        "meaning": "ids of vocabulary.json, the end (2), then padding (0)",
    }
    latents = {
        "shape": ["batch", model.latent_dim],
        "dtype": "float32",
        "meaning": "points of the latent space",
    }
    encode = {
        "inputs": {"tokens": tokens},
        "outputs": {
            "mean": {**latents, "meaning": "posterior mean"},
            "log_variance": {**latents, "meaning": "natural logarithm of the posterior variance"},
        },
    }
    log_probs = {"shape": ["batch"], "dtype": "float32", "meaning": "log p(tokens | latents), nats"}
    return {
        "serving_default": encode,
        "encode": encode,
        "decode": {
            "inputs": {"latents": latents},
            "outputs": {"tokens": {**tokens, "meaning": "greedy sentence"}},
        },
        "score": {"inputs": {"latents": latents, "tokens": tokens}, "outputs": {"log_prob": log_probs}},
    }


def questions(model: Any, tokens: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """What to ask every signature, {"signature/input": array}, and the run's own answers."""
    tokens = np.asarray(tokens, np.int32)
    parameters = {name: np.asarray(value) for name, value in model.encode(tokens).items()}
    latents = parameters["mean"]
    given = {
        "serving_default/tokens": tokens,
        "encode/tokens": tokens,
        "decode/latents": latents,
        "score/latents": latents,
        "score/tokens": tokens,
    }
    wanted = {
        f"{name}/{key}": parameters[key]
        for name in ("serving_default", "encode")
        for key in ("mean", "log_variance")
    }
    wanted["decode/tokens"] = np.asarray(model.decode(latents))
    wanted["score/log_prob"] = np.asarray(log_prob(model, tf.constant(latents), tf.constant(tokens)))
    return given, wanted
