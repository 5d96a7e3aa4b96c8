"""What each column of a label file is for: asked for by the user, or guessed by its name and its values."""

import dataclasses
import difflib
import re
from typing import TYPE_CHECKING

from vae_tf.config import DataConfig
from vae_tf.data.matching import METHODS, Match, PictureNames, match_in_order
from vae_tf.data.tables import Table, as_text
from vae_tf.errors import UserError, shortened

if TYPE_CHECKING:
    # The sources import the labels, and these this module.
    from vae_tf.data.sources.base import Source

FILE_NAMES = ("file", "filename", "file_name", "path", "image", "picture", "image_id", "id")
LABEL_NAMES = (
    *("label", "class", "target", "category", "diagnosis"),
    *("expression", "emotion", "species", "y"),
)
GROUP_NAME = re.compile(
    r"(subject|person|patient|group|individual|identity)[_ ]?(id|nr|no|number|name)?", re.I
)
FEWEST_NAMED_GROUP = 8
MOST_CLASSES = 20
SPLIT_NAMES = ("split", "set", "partition", "subset", "part")
PART_WORDS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "validation"),
    **dict.fromkeys(("test", "testing", "eval", "holdout"), "test"),
    **dict.fromkeys(("cal", "calibration"), "calibration"),
}
# CelebA's; too ambiguous to be guessed.
PART_NUMBERS = {"0": "train", "1": "validation", "2": "test"}


@dataclasses.dataclass(frozen=True)
class Roles:
    """What each column of a label file is for; None where no column is."""

    file: str | None
    label: str | None = None
    group: str | None = None
    split: str | None = None


def check_column(table: Table, role: str, name: str | None) -> None:
    """Raises: UserError: The user names a column that there is not; the nearest one is said."""
    if name is None or name in table.columns:
        return
    folded = {column.casefold(): column for column in table.columns}
    near = difflib.get_close_matches(name.casefold(), folded, 1)
    meant = f"; did you mean {folded[near[0]]}?" if near else "."
    raise UserError(
        f"--{role}-column {name}: {table.name} has no such column{meant}",
        f"It has: {', '.join(table.columns)}.",
    )


def texts(table: Table, column: str) -> list[str | None]:
    return [as_text(value) for value in table.columns[column]]


def choose_file_column(table: Table, paths: list[str], asked: str | None) -> tuple[str | None, Match]:
    """The column that names the pictures, and what it names: the one asked for, or the one that names most.

    None is the order of the rows, for sources that number their pictures.
    """
    names = PictureNames(paths)
    matches = {name: names.match(texts(table, name)) for name in ([asked] if asked else table.columns)}

    def evidence(name: str) -> tuple[int, int, int]:
        match, known = matches[name], name.casefold()
        rank = FILE_NAMES.index(known) if known in FILE_NAMES else len(FILE_NAMES)
        return match.num_pictures, -METHODS.index(match.method), -rank

    usable = [name for name, match in matches.items() if match.num_pictures and (asked or match.credible)]
    if usable:
        best = max(usable, key=evidence)
        return best, matches[best]
    if asked is None and (ordered := match_in_order(table.num_rows, paths)) is not None:
        return None, ordered
    shown = asked or next((n for n in table.columns if n.casefold() in FILE_NAMES), next(iter(table.columns)))
    example = next((text for text in texts(table, shown) if text), "")
    raise UserError(
        f"No row of {table.name} names a picture: {shown} holds {shortened(repr(example))}, "
        f"the pictures are such as {paths[0]!r}.",
        f"Name the column of paths, names or stems with --file-column: {', '.join(table.columns)}."
        + advice_on_order(table, paths),
    )


def advice_on_order(table: Table, paths: list[str]) -> str:
    """For pictures without names, which a table may name by its order alone."""
    if match_in_order(len(paths), paths) is None:
        return ""
    counts = f"{len(paths):,} rows are needed, {table.num_rows:,} are there"
    return f"\nRows in the order of the pictures serve as well: {counts}."


def with_header(table: Table, paths: list[str]) -> Table:
    """The table with its first line as a row, and its columns numbered, where that line names a picture."""
    header = list(table.columns)
    if not PictureNames(paths).match([*header]).num_pictures:
        return table
    columns = {f"column {i + 1}": [name, *table.columns[name]] for i, name in enumerate(header)}
    note = f"{table.name} has no header: its columns are {', '.join(columns)}."
    return dataclasses.replace(table, columns=columns, notes=(*table.notes, note))


def choose_roles(
    table: Table, file_column: str | None, main: "Source", match: Match, config: DataConfig
) -> tuple[Roles, list[str]]:
    """Columns of classes, groups and parts as asked for or guessed by their names, and what to say about them."""
    free = [name for name in table.columns if name != file_column]
    label, group, split = config.label_column, config.group_column, config.split_column
    named = [name for word in LABEL_NAMES for name in free if name.casefold() == word]
    own_classes = any(entry.label is not None for entry in main.entries)
    if label is None and not own_classes:
        label = next((name for name in named if not looks_like_names(values_of(table, name, match))), None)
    elif label is not None and looks_like_names(values_of(table, label, match)):
        raise UserError(
            f"--label-column {label}: every picture has a value of its own; it looks like a name, not a class.",
            f"Name another column of {table.name}: {', '.join(table.columns)}.",
        )
    if group is not None and config.group_by is not None:
        raise UserError("--group-by and --group-column both name the groups.", "Leave one of them out.")
    if group is None and not any(entry.group is not None for entry in main.entries):
        fitting = [name for name in free if GROUP_NAME.fullmatch(name) and name != label]
        group = next(
            (name for name in fitting if looks_like_groups(name, values_of(table, name, match))), None
        )
    if split is None and not any(entry.part is not None for entry in main.entries):
        split = next((n for n in free if n.casefold() in SPLIT_NAMES and tells_parts(texts(table, n))), None)
    elif split is not None:
        words_for_parts(table, split)
    kept = own_classes and config.label_column is None
    without = label is None and not own_classes
    fit = (
        like_classes({n: values_of(table, n, match) for n in free if n not in (group, split)})
        if without
        else ""
    )
    return Roles(file_column, label, group, split), [
        *([f"Classes come from the column {label}."] if label else []),
        *([f"No column was taken for the classes: --label-column NAME; {fit}."] if fit else []),
        *(["Classes stay those of the folders; --label-column takes others."] if kept and named else []),
        *([f"Groups come from the column {group}."] if group else []),
        *([f"Parts come from the column {split}."] if split else []),
    ]


def values_of(table: Table, column: str, match: Match) -> list[str]:
    """The known values of the pictures that have a row."""
    values = texts(table, column)
    found = (values[row] for row in match.row_of[match.row_of >= 0])
    return [value for value in found if value is not None]


def looks_like_names(values: list[str]) -> bool:
    return 2 < len(values) == len(set(values))


def like_classes(values: dict[str, list[str]]) -> str:
    """Columns of few different values, in words; "" where there are none."""
    counts = {name: len(set(found)) for name, found in values.items() if not looks_like_names(found)}
    fitting = [f"{name} has {count} values" for name, count in counts.items() if 2 <= count <= MOST_CLASSES]
    return ", ".join(fitting[:5])


def looks_like_groups(name: str, values: list[str]) -> bool:
    """Whether some pictures share their value; few values of a `group` are rather arms of a study than people."""
    distinct = len(set(values))
    return distinct < len(values) and (name.casefold() != "group" or distinct >= FEWEST_NAMED_GROUP)


def tells_parts(values: list[str | None]) -> bool:
    """Whether a column is surely one of parts: known words and nothing else, with something to train on."""
    words = {PART_WORDS.get(value.casefold()) for value in values if value is not None}
    return "train" in words and None not in words


def words_for_parts(table: Table, column: str) -> dict[str, str]:
    """The part that each value of the column means, in lower case.

    Raises:
        UserError: Some values mean none.
    """
    values = {value.casefold() for value in texts(table, column) if value is not None}
    words = PART_NUMBERS if values <= set(PART_NUMBERS) else PART_WORDS
    unknown = sorted(values - words.keys())
    if unknown:
        shown = ", ".join(shortened(repr(value)) for value in unknown[:5]) + (
            " …" if len(unknown) > 5 else ""
        )
        raise UserError(
            f"--split-column {column}: no part is called {shown}.",
            "Parts are train, validation (or val), test and calibration; or 0, 1 and 2 for the first three.",
        )
    return words
