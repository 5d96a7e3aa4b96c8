"""What all objectives share."""

from typing import Any

from vae_tf.errors import UserError
from vae_tf.parts.base import REGISTRY, argument_names
from vae_tf.parts.terms import ElboTerms


class Objective:
    """`objective(terms, step)` gives the loss of each example [B], in nats; `final(terms)` the same with warm-up done.

    What belongs to a batch as a whole (a total correlation, a covariance) is added in full to every example, so that
    the mean over the batch is the loss. `final` is what validation compares.

    Attributes:
        num_samples: Posterior samples K of each picture in training.
        needs: Names of what the model must do besides: fill "prior_sample" or "stopped_log_qz" of `ElboTerms`, or
            ("scaled_z") weight the gradient along z by `z_gradient_weight(terms)` [K, B].
        is_bound: Whether an ELBO may be shown; False for plain autoencoders, which have no density of z.
    """

    num_samples: int = 1
    needs: frozenset[str] = frozenset()
    is_bound: bool = True

    def __init__(self) -> None:
        """No arguments, unless a subclass has some."""

    @property
    def name(self) -> str:
        """The name that a user types."""
        return next(name for name, part in REGISTRY["objective"].items() if part is type(self))

    def get_config(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in argument_names(type(self))}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Objective":
        return cls(**config)

    def __call__(self, terms: ElboTerms, step: Any) -> Any:
        return self.final(terms)

    def final(self, terms: ElboTerms) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define final(terms).")

    def refuses(self, posterior: Any, prior: Any) -> str | None:
        """Why it cannot go with these parts and what would, in one sentence; None if it can."""
        if getattr(posterior, "is_deterministic", False):
            return (
                f"objective {self.name} needs a density q(z | x), and a deterministic posterior has none: "
                "choose objective reconstruction or sparse, or posterior diagonal."
            )
        return None


def no_gradient_along_switches(name: str, posterior: Any) -> str | None:
    """Why an objective of sampled densities refuses a posterior whose dimensions may be off; None for the others."""
    if not getattr(posterior, "has_switches", False):
        return None
    return (
        f"objective {name} needs the gradient of log q(z | x) along z, and a feature that is on or off has none: "
        "choose objective elbo, capacity, free_bits, dip or mmd; `evaluate` gives the importance-weighted bound."
    )


def require_not_negative(**arguments: float) -> None:
    """Raises: UserError: One of the arguments is below 0."""
    for name, value in arguments.items():
        if value < 0:
            raise UserError(f"objective.{name} is {value}.", "Give a number of 0 or more.")
