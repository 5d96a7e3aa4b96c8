"""The axes of a model, one file each; importing this package registers every part."""

from vae_tf.parts import decoders, encoders, likelihoods, objectives, posteriors, priors
from vae_tf.parts.base import AXES, REGISTRY, Part, build_part
from vae_tf.parts.terms import ElboTerms

__all__ = [
    "AXES",
    "REGISTRY",
    "ElboTerms",
    "Part",
    "build_part",
    "decoders",
    "encoders",
    "likelihoods",
    "objectives",
    "posteriors",
    "priors",
]
