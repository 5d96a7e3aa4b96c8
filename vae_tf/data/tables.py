"""Reading a table of facts: CSV, TSV or Parquet to columns of plain values."""

import csv
import dataclasses
import gzip
import io
import math
import re
import zlib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from vae_tf.errors import UserError, shortened

TEXT_SUFFIXES = (".csv", ".tsv", ".txt")
PARQUET_SUFFIXES = (".parquet", ".pq")
# What is a table by its name alone; any .txt may be one.
TABLE_SUFFIXES = (".csv", ".tsv", *PARQUET_SUFFIXES)
BLANKS = r"\s+"
DELIMITERS = ",;\t"
MISSING = frozenset(("", "NA", "N/A", "nan", "NaN", "NAN", "null", "NULL"))
WHOLE = re.compile(r"[+-]?(0|[1-9][0-9]*)")
DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
# 007 is a code, and so is what has more digits than a number keeps.
CODE = re.compile(r"[+-]?(0[0-9]+|[0-9]{19,})")
# Of bytes, of cells and of columns (as many as spreadsheets have): more is no label file, but a few bytes of .gz can
# claim to become anything.
LARGEST_TABLE, LARGEST_NUM_CELLS, LARGEST_NUM_COLUMNS = 2**27, 2**24, 2**14
# Longer cells come of a quote that was never closed, and swallow the rows behind it.
LONGEST_CELL = 100_000


@dataclasses.dataclass(frozen=True)
class Table:
    """Columns of equal length; None is an unknown value.

    Args:
        name: The file's name, for messages.
        columns: Values of each column: text as it was written in the file, or Parquet's own plain values.
        notes: What was decided while reading, one sentence each.
        decimal_comma: Numbers may be written 3,5, as spreadsheets do that delimit by semicolons.
    """

    name: str
    columns: dict[str, list[Any]]
    notes: tuple[str, ...] = ()
    decimal_comma: bool = False

    @property
    def num_rows(self) -> int:
        return len(next(iter(self.columns.values())))


def read_table(path: Path) -> Table:
    """The table in `path`: .csv, .tsv or .txt, also as .gz, or .parquet.

    Raises:
        UserError: There is no such file, it is no table, or its header is missing or says a name twice.
    """
    if not path.is_file():
        what = "is a folder; a file was expected" if path.is_dir() else "does not exist"
        raise UserError(f"--labels {path} {what}.", "Give a .csv, .tsv or .parquet file.")
    suffix = path.with_suffix("").suffix.lower() if path.suffix.lower() == ".gz" else path.suffix.lower()
    if suffix not in (*TEXT_SUFFIXES, *PARQUET_SUFFIXES):
        raise UserError(
            f"--labels {path}: a file with suffix {suffix or 'none'} is not read as a table.",
            "Save it as .csv (from a spreadsheet: Save as, CSV UTF-8), .tsv or .parquet.",
        )
    table = read_parquet(path) if suffix in PARQUET_SUFFIXES else read_text(path)
    if not table.columns or not table.num_rows:
        raise UserError(
            f"--labels {path} holds no rows below its header.",
            "A first line such as file,label is expected, then one line for each picture.",
        )
    return table


def read_text(path: Path) -> Table:
    """A delimited text as columns of text, so that no leading zero is lost."""
    import pandas as pd

    text, notes = decode(path)
    check_num_cells(text.count("\n") + max(text.count(delimiter) for delimiter in DELIMITERS), path)
    delimiter = guess_delimiter(text)
    check_num_columns(text, delimiter, path)
    try:
        engine = "python" if delimiter == BLANKS else "c"
        stripped = "\n".join(map(str.strip, text.splitlines())) if delimiter == BLANKS else text
        cells = pd.read_csv(
            io.StringIO(stripped), sep=delimiter, header=None, dtype=str, keep_default_na=False, engine=engine
        )
    except pd.errors.EmptyDataError:
        raise UserError(
            f"--labels {path} is empty.", "A first line such as file,label is expected."
        ) from None
    except (pd.errors.ParserError, csv.Error) as error:
        what = str(error).removeprefix("Error tokenizing data. C error: ").strip()
        raise UserError(
            f"--labels {path} is no table: {what}.",
            "Every line needs as many cells as the first, the header.",
        ) from None
    rows = cells.to_numpy(dtype=object)
    rows = rows[[any(clean(cell) is not None for cell in row) for row in rows]]
    check_cells(rows, path)
    if not len(rows):
        raise UserError(f"--labels {path} is empty.", "A first line such as file,label is expected.")
    notes += note_about_short(stripped, delimiter, path.name)
    columns = [[clean(cell) for cell in column] for column in rows[1:].T]
    names = [str(clean(name) or "") for name in rows[0]]
    # Spreadsheets leave empty columns behind; pandas leaves its row names without a header.
    kept = [i for i, name in enumerate(names) if name or any(cell is not None for cell in columns[i])]
    names = [name or f"column {i + 1}" for i, name in enumerate(names)]
    twice = [name for name, count in Counter(names[i] for i in kept).items() if count > 1]
    if twice:
        raise UserError(f"--labels {path} has several columns named {twice[0]!r}.", "Rename all but one.")
    return Table(path.name, {names[i]: columns[i] for i in kept}, tuple(notes), delimiter == ";")


def check_num_cells(count: int, path: Path) -> None:
    if count > LARGEST_NUM_CELLS:
        raise UserError(
            f"--labels {path} has more than {LARGEST_NUM_CELLS:,} cells.",
            "Leave out the columns that say nothing of the pictures.",
        )


def check_num_columns(text: str, delimiter: str, path: Path) -> None:
    """Raises: UserError: A first line that would take minutes to make columns of."""
    lines = text.split("\n", 50)[:50]
    count = max(len(line.split()) if delimiter == BLANKS else line.count(delimiter) + 1 for line in lines)
    if count > LARGEST_NUM_COLUMNS:
        raise UserError(
            f"--labels {path} has {count:,} columns; at most {LARGEST_NUM_COLUMNS:,} are read.",
            "One row for each picture is expected, and a column for each thing that is known of it.",
        )


def check_cells(rows: Any, path: Path) -> None:
    """Raises: UserError: A cell that holds more than anybody writes into one."""
    for number, row in enumerate(rows, 1):
        longest = max((len(cell) for cell in row if isinstance(cell, str)), default=0)
        check_length(longest, f"row {number}", path)


def check_length(longest: int, row: str, path: Path) -> None:
    if longest > LONGEST_CELL:
        raise UserError(
            f"--labels {path}: {row} has a cell of {longest:,} characters.",
            f'At most {LONGEST_CELL:,} are read; a quote (") that is never closed swallows all that follows.',
        )


def note_about_short(text: str, delimiter: str, name: str) -> list[str]:
    """That rows end before the header does, so that a cell left out in their middle shifts all behind it."""
    if delimiter == BLANKS:
        cut: Iterable[list[str]] = map(str.split, text.splitlines())
    else:
        cut = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        widths = [len(row) for row in cut if any(map(str.strip, row))]
    except csv.Error:
        # A cell that is longer than it counts.
        return []
    short = [number for number, width in enumerate(widths, 1) if width < widths[0]]
    if not short:
        return []
    have = "1 row has" if len(short) == 1 else f"{len(short):,} rows have"
    return [f"{name}: {have} fewer cells than the header, such as row {short[0]}; the last ones are unknown."]


def decode(path: Path) -> tuple[str, list[str]]:
    """The text of a file that is UTF-8, UTF-16 with its mark, or Windows' western encoding, which a note says."""
    try:
        with gzip.open(path) if path.suffix.lower() == ".gz" else open(path, "rb") as file:
            data = bytearray()
            # In pieces: to ask for so many bytes at once is to take the memory for them.
            while len(data) <= LARGEST_TABLE and (piece := file.read(2**20)):
                data += piece
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"--labels {path} cannot be read ({error}).") from None
    if len(data) > LARGEST_TABLE:
        raise UserError(f"--labels {path} holds more than {LARGEST_TABLE:,} bytes; no label file does.")
    utf16 = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    for encoding in ("utf-16",) if utf16 else ("utf-8-sig", "cp1252", "latin-1"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" in text:
            break
        guessed = encoding in ("cp1252", "latin-1")
        return text, [f"{path.name} is no UTF-8 and was read as {encoding}."] if guessed else []
    raise UserError(f"--labels {path} is no table: it holds no text.", "Save it as CSV in UTF-8.")


def guess_delimiter(text: str) -> str:
    """The delimiter that cuts the first lines into the same number of cells most often; a comma where none does."""

    def evidence(delimiter: str) -> tuple[int, int]:
        lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        try:
            widths = [len(row) for row, _ in zip(lines, range(50), strict=False) if row]
        except csv.Error:
            return 0, 0
        width = widths[0] if widths else 1
        return (sum(other == width for other in widths), width) if width > 1 else (0, 0)

    best = max(DELIMITERS, key=evidence)
    # Blanks cut where nothing else does: columns that were aligned by hand or by a program.
    return (
        best
        if evidence(best)[1] > 1 or not all(" " in line.strip() for line in text.splitlines()[:50] if line)
        else BLANKS
    )


def clean(cell: Any) -> str | None:
    text = cell.strip() if isinstance(cell, str) else ""
    return None if text in MISSING else text


def read_parquet(path: Path) -> Table:
    """The columns of plain values; those of pictures, lists and bytes are left out, and a note names them."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        fields = list(pq.read_schema(path))
        left_out = [
            field.name
            for field in fields
            if pa.types.is_nested(field.type)
            or pa.types.is_binary(field.type)
            or pa.types.is_large_binary(field.type)
        ]
        kept = [field for field in fields if field.name not in left_out]
        names = [field.name for field in kept]
        # A file names a long text once and says a million times that it is meant: so it is kept.
        texts = [
            field.name
            for field in kept
            if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)
        ]
        file = pq.ParquetFile(path, read_dictionary=texts)
        check_extent(file.metadata, len(names), path)
        read = file.read(columns=names)
        columns = {name: plain_values(read[name]) for name in names}
    except UserError:
        raise
    except Exception as error:
        # Anything may be raised about hostile bytes.
        reason = shortened(" ".join(str(error).split()), 300)
        raise UserError(f"--labels {path} is no Parquet file that can be read ({reason}).") from None
    notes = [f"{path.name}: no plain values in the columns {', '.join(left_out)}."] if left_out else []
    longest = max((len(v) for values in columns.values() for v in values if isinstance(v, str)), default=0)
    check_length(longest, "a row", path)
    return Table(path.name, columns, tuple(notes))


def check_extent(metadata: Any, num_columns: int, path: Path) -> None:
    """Raises: UserError: More cells, or more bytes when unpacked, than a label file has."""
    check_num_cells(metadata.num_rows * num_columns, path)
    if sum(metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups)) > LARGEST_TABLE:
        raise UserError(f"--labels {path} holds more than {LARGEST_TABLE:,} bytes; no label file does.")


def plain_values(column: Any) -> list[Any]:
    """The values of a column of Parquet; equal texts are one object."""
    import pyarrow as pa

    if not pa.types.is_dictionary(column.type):
        return [plain(value) for value in column.to_pylist()]
    found: list[Any] = []
    for chunk in column.chunks:
        values = [plain(value) for value in chunk.dictionary.to_pylist()]
        found += [None if i is None else values[i] for i in chunk.indices.to_pylist()]
    return found


def plain(value: Any) -> Any:
    """A value of Parquet as bool, int, float or text (dates as text); None for what is unknown or not finite."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int):
        return value
    return clean(str(value))


def as_text(value: Any) -> str | None:
    """A value as the text it would have in a CSV; 1.0 is 1, as whole numbers with gaps become floats in pandas."""
    if value is None or isinstance(value, str):
        return value
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def as_fact(column: list[Any], decimal_comma: bool = False) -> list[Any]:
    """Text that is a number in every cell as numbers; codes such as 007 stay text. Unknown values stay None."""
    if not all(value is None or isinstance(value, str) for value in column):
        return column
    written = {value: value.replace(",", ".") if decimal_comma else value for value in set(column) - {None}}
    cells = written.values()
    if any(CODE.fullmatch(cell) for cell in cells) or not all(DECIMAL.fullmatch(cell) for cell in cells):
        return column
    number = int if all(WHOLE.fullmatch(cell) for cell in cells) else float
    numbers = {value: plain(number(cell)) for value, cell in written.items()}
    if None in numbers.values():
        # 1e999 is no number that can be kept; as text it is not lost.
        return column
    return [numbers.get(value) for value in column]
