"""A label file: which of its rows names which pictures, and the classes, groups, parts and facts that follow."""

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vae_tf.config import DataConfig
from vae_tf.data.columns import (
    Roles,
    check_column,
    choose_file_column,
    choose_roles,
    texts,
    with_header,
    words_for_parts,
)
from vae_tf.data.matching import Match, PictureNames
from vae_tf.data.tables import Table, as_fact, as_text, read_table
from vae_tf.errors import UserError, shortened
from vae_tf.fetched import local_file

if TYPE_CHECKING:
    # The sources import this module.
    from vae_tf.data.sources.base import Source

TAKEN = ("path", "split", "label", "group")


def apply_labels(main: "Source", config: DataConfig, test: "Source | None" = None) -> None:
    """Gives the entries and facts of `main` (and of `test`, where rows name its pictures) what the file says.

    Both sources are changed in place; what was found and guessed goes to the notes of `main`.

    Args:
        main: The pictures to learn from; the file must name some of them.
        config: Its `labels` is the file; its columns are guessed where they are None.
        test: Further pictures, before they are joined to `main`.

    Raises:
        UserError: No such file or column, no table, no row that names a picture, values that are no parts, or a
            label column that holds names instead of classes.
    """
    if config.labels is None:
        refuse_columns_without_file(config)
        return
    paths = [entry.path for entry in main.entries]
    table = with_header(read_table(local_file(config.labels)), paths)
    for role in ("file", "label", "group", "split"):
        check_column(table, role, getattr(config, f"{role}_column"))
    file_column, match = choose_file_column(table, paths, config.file_column)
    sources, matches = [main], [match]
    if test is not None and file_column is not None:
        names = PictureNames([entry.path for entry in test.entries])
        sources, matches = [main, test], [match, names.match(texts(table, file_column))]
    roles, notes = choose_roles(table, file_column, main, match, config)
    how = notes_about_match(table, roles, matches, sources, guessed=config.file_column is None)
    main.notes += [*table.notes, *how, *notes]
    for source, found in zip(sources, matches, strict=True):
        if found.num_pictures:
            relabel(source, table, roles, found, replace_labels=config.label_column is not None)


def refuse_columns_without_file(config: DataConfig) -> None:
    for role in ("file", "label", "group", "split"):
        if getattr(config, f"{role}_column") is not None:
            raise UserError(
                f"--{role}-column names a column of no file.", "Name the file: --labels FILE.csv."
            )


def relabel(source: "Source", table: Table, roles: Roles, match: Match, replace_labels: bool) -> None:
    """Sets the entries and facts of `source` by the rows that name its pictures."""

    def column(name: str | None, convert: Callable[[Any], Any]) -> list[Any] | None:
        if name is None:
            return None
        values = [convert(value) for value in table.columns[name]]
        return [values[row] if row >= 0 else None for row in match.row_of]

    words = words_for_parts(table, roles.split) if roles.split else {}
    labels = column(roles.label, as_text)
    if not replace_labels and any(entry.label is not None for entry in source.entries):
        labels = None
    groups = column(roles.group, as_text)
    parts = column(roles.split, lambda value: words.get((as_text(value) or "").casefold()))
    source.entries = [
        dataclasses.replace(
            entry,
            label=entry.label if labels is None else labels[i],
            group=(groups and groups[i]) or entry.group,
            part=(parts and parts[i]) or entry.part,
        )
        for i, entry in enumerate(source.entries)
    ]
    used = {roles.file, roles.label if labels is not None else None, roles.group, roles.split}
    for name in table.columns:
        if name not in used and any(value is not None for value in table.columns[name]):
            taken = name in TAKEN or name in source.facts
            facts = as_fact(table.columns[name], table.decimal_comma)
            source.facts[f"file: {name}" if taken else name] = [
                facts[row] if row >= 0 else None for row in match.row_of
            ]


def notes_about_match(
    table: Table, roles: Roles, matches: list[Match], sources: "list[Source]", guessed: bool
) -> list[str]:
    """How the rows found their pictures, and how many found none, both ways."""
    column = roles.file
    if column is None:
        return [f"{table.name} names no pictures but has as many rows: they were matched in order."]
    cells = texts(table, column)
    prefixes = ["", *(f"{source.name}/" for source in sources[1:])]
    paths = [
        [p + entry.path for entry in source.entries] for p, source in zip(prefixes, sources, strict=True)
    ]
    found = [
        [path[i] for m, path in zip(matches, paths, strict=True) for i in m.rows[row]]
        for row in range(len(cells))
    ]
    naming = np.array([len(pictures) for pictures in found])
    num_named, num_pictures = int(np.sum(naming > 0)), sum(match.num_pictures for match in matches)
    notes = [
        f"{table.name}: {counted(num_named, 'row names', 'rows name')} "
        f"{counted(num_pictures, 'picture', 'pictures')} by {matches[0].method} "
        f"(file column {column}{', guessed' if guessed else ''})."
    ]
    shared = any(len(positions) > 1 for positions in matches[0].rows)
    if several := int(np.sum(naming > 1)):
        row = int(np.argmax(naming > 1))
        notes.append(
            f"{counted(several, 'row names', 'rows name')} several pictures, such as {shortened(repr(cells[row]))}: "
            f"{', '.join(found[row][:3])}."
            + (f" --group-column {column} keeps them in one part." if shared and not roles.group else "")
        )
    return notes + notes_about_unmatched(table, column, naming, matches, paths)


def notes_about_unmatched(
    table: Table,
    column: str,
    naming: NDArray[np.int64],
    matches: list[Match],
    paths: list[list[str]],
) -> list[str]:
    cells, lost = texts(table, column), np.flatnonzero(naming == 0)
    without, differing = [], []
    for match, path in zip(matches, paths, strict=True):
        without += [path[i] for i in np.flatnonzero(match.row_of < 0)]
        differing += [path[i] for i in contradictions(table, column, match)]
    said = []
    if len(lost):
        said.append(
            f"{counted(len(lost), 'row names', 'rows name')} no picture, such as {shortened(repr(cells[lost[0]]))}"
        )
    if without:
        said.append(f"{counted(len(without), 'picture has', 'pictures have')} no row, such as {without[0]!r}")
    notes = ["; ".join(said) + "."] if said else []
    if differing:
        have = counted(len(differing), "picture has", "pictures have")
        notes.append(f"{have} several rows that differ, such as {differing[0]!r}; the first counts.")
    return notes


def contradictions(table: Table, file_column: str, match: Match) -> list[int]:
    """Pictures that several rows name with different values, each picture once."""
    columns = [values for name, values in table.columns.items() if name != file_column]

    def differ(row: int, other: int) -> bool:
        return any(values[row] != values[other] for values in columns)

    return sorted({picture for row, picture in match.later if differ(row, int(match.row_of[picture]))})


def counted(count: int, one: str, more: str) -> str:
    return f"{count:,} {one if count == 1 else more}"
