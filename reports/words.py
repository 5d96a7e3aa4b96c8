"""Numbers and splits in words, the same on every page."""

import math
import re

_SPLITS = {
    "train": "trained on",
    "test": "unseen",
    "validation": "validation",
    "calibration": "calibration",
    "other": "put aside",
}


# Controls (but not tabs and new lines), and what turns the direction of the text around it, or shows nothing at all.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
)


def visible(text: str) -> str:
    """The text with characters that hide, or that move others, written as their code: \\u202e.

    Somebody's file may be called `cod.\\u202egnp.exe`, which would be read as `cod.exe.png`.
    """
    return _HIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def split_label(split: str) -> str:
    """What a reader calls a split; names of other splits stay as they are."""
    return _SPLITS.get(split, split)


def number(value: float | None, digits: int = 3) -> str:
    """`value` to so many significant digits, without needless exponents; a dash where there is none."""
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == 0:
        return "0"
    exponent = math.floor(math.log10(abs(value)))
    if -5 < exponent < digits:
        text = f"{value:,.{max(digits - 1 - exponent, 0)}f}"
    elif exponent >= digits:
        text = f"{value:,.0f}"
    else:
        mantissa, _, power = f"{value:.{digits - 1}e}".partition("e")
        text = f"{mantissa}\u00a0×\u00a010{_superscript(int(power))}"
    return text.replace("-", "−")


def said_of(text: str, noun: str) -> str:
    """What is said of pictures, said of another thing, such as sentences."""
    return text.replace("picture", noun).replace("Picture", noun.capitalize())


def percent(share: float, digits: int = 0) -> str:
    """A share as so many per cent, with a space before the sign."""
    return f"{100 * share:.{digits}f} %".replace("-", "−")


def score(value: float | None) -> str:
    """A statistic between −1 and 1, to two decimals; a dash where there is none."""
    if value is None or math.isnan(value):
        return "–"
    text = f"{value:.2f}"
    return "0.00" if text == "-0.00" else text.replace("-", "−")


def _superscript(power: int) -> str:
    return str(power).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def count(value: int) -> str:
    """A whole number with its thousands apart."""
    return f"{value:,}"


def p_value(value: float | None) -> str:
    """A p-value: "0.31", "0.046", "< 0.001"; a dash where there is none."""
    if value is None or math.isnan(value):
        return "–"
    if value < 0.001:
        return "< 0.001"
    return f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"


def said_p(value: float) -> str:
    """A p-value within a sentence: "p = 0.31", "p < 0.001"."""
    text = p_value(value)
    return f"p {text}" if text.startswith("<") else f"p = {text}"


def bytes_in_words(size: int) -> str:
    """A file's size: "17.2 MB"."""
    amount = float(size)
    for unit in ("bytes", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "bytes" else f"{amount:.3g} {unit}"
        amount /= 1000
    return f"{amount:.3g} GB"


def plural(amount: int, one: str, many: str = "") -> str:
    """ "1 picture", "204 pictures"."""
    return f"{count(amount)} {one if amount == 1 else many or one + 's'}"


def trust(value: float, neighbours: int) -> str:
    """What a map's trustworthiness means for somebody who reads neighbours off it (0.5 is chance)."""
    if value >= 0.95:
        meaning = "neighbours on this map are neighbours in the latent space, too"
    elif value >= 0.85:
        meaning = "most neighbours on this map are close in the latent space, some are not"
    elif value >= 0.7:
        meaning = "many neighbours on this map are not close in the latent space: read regions, not pairs"
    else:
        meaning = "do not read neighbours off this map"
    return f"Trustworthiness {value:.2f} over {neighbours} neighbours (1 is perfect): {meaning}."


# A path from the root: after a blank, a bracket or a sign, but not within a relative path or an http address;
# with blanks only inside quotes or behind backslashes.
_ABSOLUTE = re.compile(
    r"""(?P<address>\b(?!file:)[a-z][a-z0-9+.-]*://[^\s'"/]\S*)"""
    r"""|(?<=')/[^'\n]+(?=')|(?<=")/[^"\n]+(?=")"""
    r"""|(?<![^\s'"=:,;|(\[{<>])/(?:\\.|[^\s'"\\])+""",
    re.IGNORECASE,
)


def without_folders(text: str) -> str:
    """The text with every absolute path cut down to its last name, so that it tells nothing of the machine.

    "/home/anna/faces/a.png" becomes "a.png", and a home directory, whose last name is the user's, "~".
    Relative paths and web addresses stay. An unquoted blank ends a path.
    """
    return _ABSOLUTE.sub(_last_name, text)


def _last_name(match: re.Match[str]) -> str:
    names = [name for name in match[0].split("/") if name]
    if match["address"] or len(names) < 2:
        return match[0]
    home = len(names) == 2 and names[0] in ("home", "Users")
    return "~" if home else names[-1]
