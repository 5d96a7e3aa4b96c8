"""How a page was made, so that a paper can cite it and somebody else repeat it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Method:
    """The methods block of one page.

    Attributes:
        text: What was done, with its papers, in sentences.
        parameters: Name and value; the seed among them.
        command: What makes the page again.
        versions: Of the packages that computed it.
        date: When it was computed.
    """

    text: str
    command: str
    parameters: Sequence[tuple[str, str]] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    date: str = ""
