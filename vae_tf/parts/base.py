"""What all parts share: one attribute per argument, a registry per axis, and a name that a user can type."""

import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeVar, get_type_hints

import keras
from pydantic import AfterValidator, Field, PositiveInt, TypeAdapter, ValidationError

from vae_tf.errors import UserError, shortened
from vae_tf.nearest import did_you_mean

AXES = ("encoder", "posterior", "prior", "decoder", "likelihood", "objective")
REGISTRY: dict[str, dict[str, type]] = {axis: {} for axis in AXES}

PartType = TypeVar("PartType", bound=type)


def known_activation(name: str) -> str:
    """Raises: ValueError: Keras knows none of that name."""
    keras.activations.get(name)
    return name


Activation = Annotated[str, AfterValidator(known_activation)]
Widths = list[PositiveInt] | tuple[PositiveInt, ...]
SomeWidths = Annotated[Widths, Field(min_length=1)]


class Part(keras.layers.Layer):
    """A Keras layer that keeps an attribute per constructor argument, so that its configuration writes itself."""

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **{name: getattr(self, name) for name in argument_names(type(self))}}


def argument_names(part: type) -> list[str]:
    """Names of the constructor's own arguments (those that a user may set), without Keras' keywords."""
    parameters = inspect.signature(part.__init__).parameters.values()  # type: ignore[misc]
    return [p.name for p in parameters if p.name != "self" and p.kind is not inspect.Parameter.VAR_KEYWORD]


def register(axis: str, name: str) -> Callable[[PartType], PartType]:
    """Class decorator: makes a part serialisable by Keras and known as `name` on its axis."""

    def decorate(part: PartType) -> PartType:
        REGISTRY[axis][name] = part
        return keras.saving.register_keras_serializable(package="vae_tf")(part)

    return decorate


def build_part(axis: str, name: str, **arguments: Any) -> Any:
    """The part called `name` on `axis`, for example `build_part("likelihood", "gaussian", scale=0.1)`.

    Raises:
        UserError: Unknown axis, name or argument; the message lists the choices.
    """
    if axis not in REGISTRY:
        raise UserError(f"There is no axis {axis!r} in a model.", f"The axes are: {', '.join(AXES)}.")
    if name not in REGISTRY[axis]:
        choices = ", ".join(sorted(REGISTRY[axis]))
        raise UserError(
            f"There is no {axis} called {name!r}.{did_you_mean(name, REGISTRY[axis])}",
            f"Choose one of: {choices}.",
        )
    part = REGISTRY[axis][name]
    known = argument_names(part)
    unknown = [key for key in arguments if key not in known and key != "dtype"]
    if unknown:
        raise UserError(
            f"The {axis} {name!r} takes no argument {unknown[0]!r}.{did_you_mean(unknown[0], known)}",
            f"It takes: {', '.join(known) or 'none'}.",
        )
    return part(**fitted(arguments, axis, get_type_hints(part.__init__, include_extras=True)))  # type: ignore[misc]


def fitted(arguments: Mapping[str, Any], owner: str, hints: Mapping[str, Any]) -> dict[str, Any]:
    """`arguments` as the constructor's annotations `hints` want them.

    Raises:
        UserError: One of another type or out of range.
    """
    values = {}
    for key, value in arguments.items():
        try:
            values[key] = TypeAdapter(hints.get(key, Any)).validate_python(value)
        except ValidationError as error:
            reason = error.errors()[0]["msg"]
            hint = "A list is written as [256, 512]." if "list" in reason else ""
            raise UserError(
                f"{owner}.{key}: {shortened(repr(value))} does not fit ({reason}).", hint
            ) from error
    return values
