#!/usr/bin/env python3
"""The command line: its commands, and how each of them ends.

Nothing heavy is imported here; each command imports what it needs.
"""

import contextlib
import io
import os
import sys
import warnings

import typer

from pipelines import failures, stopping
from pipelines.commands import exports, latents, pictures, recipes, runs, scores, training, whole
from reports.words import visible
from vae_tf.errors import UserError

# Set by the shells' scripts, which Typer writes; it leaves the dot in.
COMPLETION = "_CLI.PY_COMPLETE"

app = typer.Typer(
    help="What varies in a folder of pictures, whether its classes differ, and what lies between two of them: "
    "a variational autoencoder, from training to HTML reports and a SavedModel.",
    epilog="Begin with: python cli.py demo · or with your own: python cli.py train faces/ --latent 30",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
)
# In the order of --help.
for part in (training, latents, scores, exports, whole, pictures, runs, recipes):
    app.registered_commands += part.app.registered_commands


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; returns its exit code.

    0; 2 for a user's mistake; 130 for Ctrl-C and 143 for SIGTERM; 1 for a defect, or a disk that refuses.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in arguments
    # Pillow's remarks name no file; what makes a picture unusable is said with its name.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    arguments = [argument for argument in arguments if argument != "--debug"]
    try:
        with stopping.unwinding():
            check_arguments(arguments)
            name = program_name(arguments)
            result = app(arguments, prog_name=name, complete_var=COMPLETION, standalone_mode=False)
            return result if isinstance(result, int) else 0
    except UserError as error:
        return complain(error.message, error.hint, 2, debug)
    except stopping.Requested as stop:
        return stopped(stop.code, debug)
    except Exception as error:
        return explain(error, debug)


def check_arguments(arguments: list[str]) -> None:
    """Raises: UserError: One is empty, as where a variable of the shell is not set: what it named is not known then."""
    for position, argument in enumerate(arguments):
        option = argument.endswith("=") and argument.startswith("--")
        if not argument or option:
            before = argument if option else (arguments[position - 1] if position else "cli.py")
            raise UserError(
                f"Nothing stands after {before!r}: an empty text.",
                "Was a variable of the shell not set? The folder that you are in is `.`.",
            )


def program_name(arguments: list[str]) -> str:
    """As usage lines name the program; shells complete the words after `./cli.py`, so there it is `cli.py`."""
    completing = "_CLI_PY_COMPLETE" in os.environ or {"--install-completion", "--show-completion"} & set(
        arguments
    )
    return "cli.py" if completing else "python cli.py"


def explain(error: Exception, debug: bool) -> int:
    """What Typer and the stages raise, told in a line or two."""
    if hasattr(error, "show") and hasattr(error, "exit_code"):
        error.show()
        return int(error.exit_code)
    if type(error).__name__ == "Abort":
        return stopped(stopping.CTRL_C, debug)
    if hasattr(error, "exit_code"):
        return int(error.exit_code)
    message, hint = failures.told(error) or (
        f"{type(error).__name__}: {error}",
        "This is a defect; --debug shows where.",
    )
    return complain(message, hint, failures.exit_code(error), debug)


def stopped(code: int, debug: bool) -> int:
    with contextlib.suppress(OSError):
        if debug:
            import traceback

            traceback.print_exc()
        print("Stopped.", file=sys.stderr)
    return code


def complain(message: str, hint: str, code: int, debug: bool) -> int:
    # Where it is written may be what is full.
    with contextlib.suppress(OSError):
        if debug:
            import traceback

            traceback.print_exc()
        print(visible(f"error: {message}"), file=sys.stderr)
        if hint:
            print(visible("\n".join(f"  {line}" for line in hint.splitlines())), file=sys.stderr)
    return code


def flushed(code: int) -> int:
    """The exit code, which is no success where what was said could not be written."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            # At its end Python would try again, and make the code 120.
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
            code = code or 1
    return code


if __name__ == "__main__":
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Names of files may hold what is no Unicode, or what the terminal's encoding lacks.
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.exit(flushed(main()))
