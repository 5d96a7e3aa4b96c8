"""The one exception for mistakes that the user can mend."""


class UserError(Exception):
    """What was passed, what was expected and how to mend it; the command line ends with exit code 2.

    Args:
        message: One line that names what was passed and what was expected.
        hint: How to mend it (a command, an option, the choices); printed on a line of its own.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message
