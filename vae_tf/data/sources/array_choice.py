"""Which arrays of a file are the pictures, by name, part, type and shape."""

import math
import re

from vae_tf.data.sources.array_files import ArrayFile, times
from vae_tf.data.sources.array_values import layout_of
from vae_tf.errors import UserError

PICTURES = ("x", "images", "imgs", "image", "img", "pictures", "data", "pixels")
PART = re.compile(
    r"(^|[-_/. ])(training|train|testing|test|validation|valid|val)(?=$|[-_/. ])", re.IGNORECASE
)
PARTS = {"training": "train", "testing": "test", "valid": "validation", "val": "validation"}


def split_name(key: str) -> tuple[str, str]:
    """The name without the part in it, and the part: "x_train" to ("x", "train"), "a/test/y" to ("a/y", "test")."""
    match = PART.search(key)
    if match is None:
        return key, ""
    part = match[2].lower()
    base = (key[: match.start()] + key[match.end() :]).strip("-_/. ")
    return base, PARTS.get(part, part)


def choose(file: ArrayFile, key: str | None) -> list[tuple[str, str]]:
    """(name in the file, part) of every array of pictures, those to train on first.

    Raises:
        UserError: There is no such key, or none or several that may be pictures.
    """
    if key is not None:
        chosen = [key] if key in file.arrays else [name for name in file.arrays if split_name(name)[0] == key]
        if not chosen:
            raise UserError(f"{file.name} holds no array {key!r}.", listing(file))
        return in_parts(file, chosen)
    bases: dict[str, list[str]] = {}
    for name in file.arrays:
        if may_be_pictures(file, name):
            bases.setdefault(split_name(name)[0], []).append(name)
    ranks = {base: rank_of(base) for base in bases}
    # Stacks without a telling name count only where they have the shape of pictures, not of a table.
    bases = {
        base: names for base, names in bases.items() if ranks[base] < len(PICTURES) or stacked(file, names)
    } or bases
    best = [base for base in bases if ranks[base] == min(ranks[b] for b in bases)]
    if len(best) == 1:
        return in_parts(file, bases[best[0]])
    raise several(file, best) if best else refusal(file)


def several(file: ArrayFile, names: list[str]) -> UserError:
    return UserError(
        f"{file.name} holds several arrays that may be the pictures: {', '.join(names)}.",
        f"Name one with --key.\n{listing(file)}",
    )


def in_parts(file: ArrayFile, names: list[str]) -> list[tuple[str, str]]:
    """Arrays of the same name with their parts; one without a part beside such with parts would repeat them."""
    pairs = [(name, split_name(name)[1]) for name in names]
    if any(part == "train" for _, part in pairs):
        pairs = [pair for pair in pairs if pair[1]]
    if len({part for _, part in pairs}) < len(pairs):
        raise several(file, names)
    return sorted(pairs, key=lambda pair: pair[1] != "train")


def rank_of(base: str) -> int:
    name = base.rpartition("/")[2].lower()
    return PICTURES.index(name) if name in PICTURES else len(PICTURES)


def stacked(file: ArrayFile, names: list[str]) -> bool:
    return any(len(file.arrays[name].shape) > 2 for name in names)


def may_be_pictures(file: ArrayFile, name: str) -> bool:
    """Whether type and shape allow it: numbers in a stack of pictures, or in rows of which some may be pictures."""
    array = file.arrays[name]
    if array.problem or array.dtype.kind not in "buif":
        return False
    if len(array.shape) == 2:
        length = array.shape[1]
        sides = math.isqrt(length), math.isqrt(length // 3)
        return length >= 16 and length in (sides[0] ** 2, 3 * sides[1] ** 2)
    try:
        layout_of(name, array.shape)
    except UserError:
        return False
    return True


def refusal(file: ArrayFile) -> UserError:
    """Why none of the arrays is taken; of a single one the reason itself."""
    if len(file.arrays) == 1:
        ((name, array),) = file.arrays.items()
        if array.problem:
            return UserError(f"{name} in {file.name} {array.problem}.", listing(file))
        if array.dtype.kind not in "buif":
            return UserError(f"{name} in {file.name} holds {array.dtype}; numbers were expected.")
        try:
            layout_of(name, array.shape)
        except UserError as error:
            return error
    return UserError(f"{file.name} holds no array of pictures (N×H×W or N×H×W×C).", listing(file))


def listing(file: ArrayFile) -> str:
    """Names, shapes and types of up to 30 arrays."""
    lines = [
        f"  {name!r}: {array.problem or f'{times(array.shape)} {array.dtype}'}"
        for name, array in list(file.arrays.items())[:30]
    ]
    more = f"\n  and {len(file.arrays) - 30} more" if len(file.arrays) > 30 else ""
    return "The arrays in it:\n" + "\n".join(lines) + more
