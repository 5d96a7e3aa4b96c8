"""What commands have in common: options written once or read from a file, what was typed, what shells complete."""

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer

from vae_tf.errors import UserError

Shared = dict[str, Any]


def sharing(*groups: Callable[..., None]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Gives a command the parameters of each group, which reach it together as its argument `options`.

    A group is a function that nobody calls: its signature lists the options.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = {name: p for name, p in inspect.signature(command).parameters.items() if name != "options"}
        listed = [inspect.signature(group).parameters.items() for group in groups]
        # A command's own option of the same name stands for the shared one.
        shared = {name: p for group in listed for name, p in group if name not in own}

        @functools.wraps(command)
        def call(**values: Any) -> None:
            command(
                options={name: values[name] for name in shared},
                **{name: value for name, value in values.items() if name in own},
            )

        parameters = [p.replace(kind=p.KEYWORD_ONLY) for p in (*own.values(), *shared.values())]
        call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        call.__annotations__ = {p.name: p.annotation for p in parameters}
        del call.__wrapped__  # type: ignore[attr-defined]
        return call

    return decorate


def read_config_file(context: typer.Context, path: Path | None) -> Path | None:
    """Makes the options in the file the defaults of this command."""
    if path is not None and not context.resilient_parsing:
        from vae_tf.options import read_options

        parameters = {
            parameter.name.rstrip("_"): parameter for parameter in context.command.params if parameter.name
        }
        known = [name for name in parameters if name not in ("config", "resume", "extend", "help")]
        options = read_options(path, known)
        context.default_map = {
            str(parameters[name].name): as_default(path, parameters[name], value)
            for name, value in options.items()
        }
    return path


def as_default(path: Path, parameter: Any, value: bool | str | list[str]) -> Any:
    """A value of a file for a parameter of Click's, which would make 1 of true and letters of a word.

    Raises:
        UserError: A list, a truth or a text where something else was expected.
    """
    name = parameter.name.rstrip("_").replace("_", "-")
    if getattr(parameter, "multiple", False) and not isinstance(value, bool):
        return value if isinstance(value, list) else [value]
    if isinstance(value, list):
        raise UserError(
            f"{path}: {name} is one value, and a list was found.", f"Write it as: {name} = value."
        )
    if isinstance(value, bool) != getattr(parameter, "is_flag", False):
        found, wanted = (
            (str(value).lower(), "another value") if isinstance(value, bool) else (value, "true or false")
        )
        raise UserError(f"{path}: {name} = {found} does not fit.", f"Expected {wanted}.")
    return value


def complete_runs(incomplete: str) -> list[str]:
    """Names of runs for the shell to offer."""
    from vae_tf.artifacts.runs import all_runs

    return [run.name for run in reversed(all_runs()) if run.name.startswith(incomplete)]


def complete_recipes(incomplete: str) -> list[str]:
    """Names of recipes for the shell to offer."""
    from vae_tf.recipes import RECIPES

    return [name for name in RECIPES if name.startswith(incomplete)]


def configuration(options: dict[str, Any]) -> Any:
    """The typed configuration of what was typed."""
    from vae_tf.options import to_config

    return to_config({name.rstrip("_"): value for name, value in options.items()})


def refuse_other_options(context: typer.Context, allowed: tuple[str, ...]) -> None:
    """What a run was started with decides how it goes on; an option without effect must not look as if it had one.

    Raises:
        UserError: An option outside `allowed` was typed.
    """
    for name in typed(context) - set(allowed):
        raise UserError(
            f"--{name.rstrip('_').replace('_', '-')} cannot be changed in a run that goes on.",
            f"With --{allowed[0]} come: {', '.join('--' + other for other in allowed[1:])}. "
            "For another configuration train a new run.",
        )


def typed(context: typer.Context) -> set[str]:
    """Names of the parameters that were typed."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    return {name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"}
