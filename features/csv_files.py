"""CSV files read whole: encoding, separator, torn rows; staged as Parquet in the file's own order.

A sound file goes through DuckDB. A file with rows of too few or too many fields goes through Python's reader,
slower, which marks each such row: it ends in quarantine with its number instead of stopping the run.
"""

import codecs
import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow
import pyarrow.parquet

from features.checks import RAGGED
from features.errors import SourceError
from features.sql import one_line, path_sql, quiet_connection, text_sql

SEPARATORS = (",", ";", "\t", "|")
_CHUNK = 1 << 20
_BATCH = 50_000
_LONGEST_FIELD = 1 << 24


def stage_csv(file: Path, staged: Path, table: str, encoding: str | None, delimiter: str | None) -> Path:
    """Write a CSV file's rows to ``staged`` as Parquet, every column as text; return that path.

    Parameters
    ----------
    encoding
        As Python names it; default UTF-8, with or without a byte order mark.
    delimiter
        Default: the one of comma, semicolon, tab and bar that stands most often in the header.

    Raises
    ------
    SourceError
        For bytes that are not of the encoding, a header without names, or a file that ends inside quotes.
    """
    readable = _as_utf8(file, staged.with_suffix(".utf8"), table, encoding)
    header_line = _first_line(readable)
    if not header_line.strip():
        raise SourceError(f"{file.name}: the first line is empty; it must name the columns. Export it with a header.")
    separator = delimiter or max(SEPARATORS, key=_outside_quotes(header_line).count)
    names = _header(file, readable, separator)
    if not _stage_fast(readable, staged, names, separator):
        _stage_row_by_row(file, readable, staged, names, separator)
    if readable != file:
        readable.unlink()
    return staged


def _as_utf8(file: Path, copy: Path, table: str, encoding: str | None) -> Path:
    """The file itself where it is sound UTF-8, else a copy in UTF-8."""
    name = encoding or "utf-8"
    try:
        decoder = codecs.getincrementaldecoder(name)("strict")
    except LookupError:
        raise SourceError(
            f"{file.name}: there is no encoding {name!r}. Write one such as utf-8, cp932, gb18030 or cp1252 "
            f"as encoding = ... under [sources.{table}] in kizashi.toml."
        ) from None
    plain = codecs.lookup(name).name in ("utf-8", "utf-8-sig")
    line, before = 1, 0
    with file.open("rb") as source, copy.open("wb") as target:
        while True:
            chunk = source.read(_CHUNK)
            pending = len(decoder.getstate()[0])
            try:
                text = decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                place = before - pending + error.start
                line += error.object[: error.start].count(b"\n")
                raise SourceError(_encoding_words(file, table, name, place, line, error)) from None
            if not chunk:
                break
            before += len(chunk)
            line += text.count("\n")
            if not plain:
                target.write(text.encode("utf-8"))
    if plain:
        copy.unlink()
        return file
    return copy


def _encoding_words(file: Path, table: str, name: str, place: int, line: int, error: UnicodeDecodeError) -> str:
    bad = error.object[error.start : error.start + 1].hex()
    guess = guess_encoding(file)
    looks = (
        f' It looks like {guess}: write encoding = "{guess}"' if guess and guess != name else ' Write encoding = "..."'
    )
    return (
        f"{file.name}: line {line}, byte {place + 1} (0x{bad}) is not {name.upper()}.{looks} "
        f"under [sources.{table}] in kizashi.toml, or save the file as UTF-8."
    )


def guess_encoding(file: Path) -> str | None:
    """The likeliest of utf-8, utf-16, cp932, gb18030 and cp1252 for a file; None where nothing tells.

    Chinese text read as cp932 turns into half-width kana, which real Japanese text hardly holds; accented
    letters of the West stand alone between plain ones.
    """
    sample = b"".join(_lines_beyond_ascii(file))
    if sample[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return "utf-16"
    if _decoded(sample, "utf-8") is not None:
        return "utf-8" if not sample.isascii() else None
    high = [byte > 0x7F for byte in sample]
    alone = sum(
        one and not (left or right)
        for left, one, right in zip([False, *high[:-1]], high, [*high[1:], False], strict=True)
    )
    if alone > 0.6 * max(1, sum(high)):
        return "cp1252"
    japanese = _decoded(sample, "cp932")
    if japanese is not None:
        beyond = [letter for letter in japanese if ord(letter) > 0x7F]
        half_width = sum(0xFF61 <= ord(letter) <= 0xFF9F for letter in beyond)
        if half_width < 0.4 * max(1, len(beyond)):
            return "cp932"
    if _decoded(sample, "gb18030") is not None:
        return "gb18030"
    return "cp932" if japanese is not None else None


def _lines_beyond_ascii(file: Path) -> Iterator[bytes]:
    """The first 200 lines that hold bytes beyond ASCII; of UTF-16, which has no lines of bytes, the head."""
    with file.open("rb") as handle:
        head = handle.read(2)
        if head in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            yield head
            return
        handle.seek(0)
        found = 0
        for line in handle:
            if not line.isascii():
                yield line
                found += 1
            if found == 200:
                return


def _decoded(sample: bytes, encoding: str) -> str | None:
    try:
        return sample.decode(encoding)
    except UnicodeDecodeError:
        return None


def _first_line(file: Path) -> str:
    with file.open("r", encoding="utf-8-sig", newline=None) as handle:
        return handle.readline(_CHUNK)


def _outside_quotes(line: str) -> str:
    return "".join(line.split('"')[::2])


def _header(file: Path, readable: Path, separator: str) -> list[str]:
    with readable.open("r", encoding="utf-8-sig", newline="") as handle:
        try:
            names = [name.strip() for name in next(csv.reader(handle, delimiter=separator))]
        except csv.Error as error:
            raise SourceError(f"{file.name}: the header cannot be read ({error}). Export it again.") from None
    unnamed = [number for number, name in enumerate(names, start=1) if not name]
    if unnamed and unnamed == list(range(unnamed[0], len(names) + 1)) and unnamed[0] > 1:
        names = [name or f"column{number}" for number, name in enumerate(names, start=1)]
        unnamed = []
    if unnamed:
        raise SourceError(f"{file.name}: the header names no column in place {unnamed}. Name every column.")
    twice = [name for name, times in Counter(name.casefold() for name in names).items() if times > 1]
    if twice:
        raise SourceError(f"{file.name}: the header names these columns twice: {twice}. Rename one of each.")
    return names


def _stage_fast(readable: Path, staged: Path, names: list[str], separator: str) -> bool:
    """Stage through DuckDB; False where a row does not have the header's number of fields."""
    columns = ", ".join(f"{text_sql(name)}: 'VARCHAR'" for name in names)
    scan = (
        f"read_csv({path_sql(readable)}, auto_detect = false, header = true, delim = {text_sql(separator)}, "
        f"quote = '\"', escape = '\"', columns = {{{columns}}}, strict_mode = true, "
        f"max_line_size = {_LONGEST_FIELD})"
    )
    connection = quiet_connection(preserve_insertion_order=True)
    try:
        connection.execute(f"COPY (SELECT * FROM {scan}) TO {text_sql(str(staged))} (FORMAT parquet)")
    except duckdb.Error:
        return False
    finally:
        connection.close()
    return True


def _stage_row_by_row(file: Path, readable: Path, staged: Path, names: list[str], separator: str) -> None:
    """Stage through Python's reader, with the text of each torn row in a column of its own."""
    schema = pyarrow.schema([(name, pyarrow.string()) for name in (*names, RAGGED)])
    csv.field_size_limit(_LONGEST_FIELD)
    with readable.open("r", encoding="utf-8-sig", newline="") as handle:
        reader = csv.reader(handle, delimiter=separator, strict=True)
        next(reader)
        with pyarrow.parquet.ParquetWriter(staged, schema) as writer:
            try:
                for batch in _batches(reader, names, separator):
                    writer.write_table(
                        pyarrow.table(dict(zip(schema.names, zip(*batch, strict=True), strict=True)), schema=schema)
                    )
            except (csv.Error, UnicodeDecodeError) as error:
                raise SourceError(f"{file.name}: line {reader.line_num}: {one_line(error)}. Export it again.") from None


def _batches(reader: Iterator[list[str]], names: list[str], separator: str) -> Iterator[list[tuple[str | None, ...]]]:
    batch: list[tuple[str | None, ...]] = []
    for row in reader:
        if not row:
            continue
        if len(row) == len(names):
            batch.append((*(field or None for field in row), None))
        else:
            words = f"{len(row)} fields instead of {len(names)}: {separator.join(row)}"
            batch.append((*([None] * len(names)), words))
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
