"""The axes of a model, one file each; importing this package registers every part."""

from vae_tf.parts import beta_bernoulli, decoders, encoders, likelihoods, objectives, posteriors, priors
from vae_tf.parts.base import AXES, REGISTRY, Part, build_part
from vae_tf.parts.terms import ElboTerms

__all__ = [
    "AXES",
    "REGISTRY",
    "ElboTerms",
    "Part",
    "beta_bernoulli",
    "build_part",
    "decoders",
    "encoders",
    "likelihoods",
    "objectives",
    "posteriors",
    "priors",
]
