"""The one exception for mistakes that the user can mend."""

LONGEST_MESSAGE, LONGEST_HINT = 1_000, 6_000


def shortened(text: str, longest: int = 80) -> str:
    """`text`, its middle left out where it is longer: what is quoted may be a cell of megabytes."""
    if len(text) <= longest:
        return text
    half = (longest - 3) // 2
    return f"{text[:half]} … {text[-half:]}"


class UserError(Exception):
    """What was passed, what was expected and how to mend it; the command line ends with exit code 2.

    Args:
        message: One line that names what was passed and what was expected.
        hint: How to mend it (a command, an option, the choices); printed on a line of its own.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        self.message = shortened(message, LONGEST_MESSAGE)
        self.hint = shortened(hint, LONGEST_HINT)
        super().__init__(self.message)

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message
