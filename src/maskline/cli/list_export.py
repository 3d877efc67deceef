"""`maskline admin list-calls --export FILE`: a whole list as a table, in CSV or Parquet.

The columns are the members of what the list holds, so a new member of the model is a new column.
Lines and structures within an entry stand in their column as JSON.
"""

import csv
import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from maskline.cli import services
from maskline.cli.faults import BadValue
from maskline.cli.globals import Globals

if TYPE_CHECKING:
    from maskline.model import Operation, Shape

Entries = list[dict[str, Any]]
Write = Callable[[Entries], None]

PAGE = 100  # entries in one request, where the model does not set another limit
FORMULA = re.compile(r"[=@\t\r]|[+-](?!\d*\Z)")  # a number with its plus is none
PLAIN = ("string", "integer", "long", "boolean", "timestamp")


def run(
    service: services.ServiceCommand,
    operation: "Operation",
    parameters: dict[str, Any],
    path: str,
    globals_: Globals,
) -> int:
    """Write every page of the list into a file; the exit code. A file appears when it is whole."""
    key, entry = listed(operation)
    count = 0
    with written(Path(path), dict(entry.members)) as write:
        for entries in pages(service, operation, parameters, key, globals_):
            write(entries)
            count += len(entries)
    sys.stderr.write(f"{count:,} entries written to {path}\n")
    return 0


def listed(operation: "Operation") -> tuple[str, "Shape"]:
    """The member of the answer that is the list, and the shape of an entry."""
    assert operation.output is not None
    for name, shape in operation.output.members.items():
        if shape.type == "list" and shape.member is not None:
            return name, shape.member
    raise AssertionError(f"{operation.name} lists nothing")


def pages(
    service: services.ServiceCommand,
    operation: "Operation",
    parameters: dict[str, Any],
    key: str,
    globals_: Globals,
) -> Iterator[Entries]:
    request = {"MaxResults": PAGE, **parameters}
    while True:
        answer = services.perform(globals_, service, operation, request)
        yield answer.get(key, [])
        if not answer.get("NextToken"):
            return
        request["NextToken"] = answer["NextToken"]


@contextmanager
def written(path: Path, columns: dict[str, "Shape"]) -> Iterator[Write]:
    """Gives what writes entries, in the format that the file's name ends with.

    The file is written beside its place and put there at the end: who reads it never reads half,
    and an export that fails leaves an older one as it was. Raises BadValue.
    """
    writer = WRITERS.get(path.suffix.lower())
    if writer is None:
        raise BadValue("--export", f"{path} ends neither with .csv nor with .parquet")
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(unfinished, "xb", opener=private) as file, writer(file, columns) as write:
            yield write
        unfinished.replace(path)
    except OSError as error:
        raise BadValue("--export", f"Unable to write {path}: {error.strerror}") from None
    finally:
        unfinished.unlink(missing_ok=True)


def private(path: str, flags: int) -> int:
    """Phone numbers are nobody else's to read."""
    return os.open(path, flags, 0o600)


@contextmanager
def csv_writer(file: IO[bytes], columns: dict[str, "Shape"]) -> Iterator[Write]:
    import io

    with io.TextIOWrapper(file, encoding="utf-8", newline="") as text:
        table = csv.DictWriter(text, list(columns), extrasaction="ignore", lineterminator="\n")
        table.writeheader()
        yield lambda entries: table.writerows(
            {name: cell(shape, entry.get(name)) for name, shape in columns.items()}
            for entry in entries
        )


def cell(shape: "Shape", value: Any) -> Any:
    """What stands in a cell. Who texts may have a name that a spreadsheet takes for a formula."""
    if value is None:
        return ""
    if shape.type not in PLAIN:
        return json.dumps(value)
    return f"'{value}" if isinstance(value, str) and FORMULA.match(value) else value


@contextmanager
def parquet_writer(file: IO[bytes], columns: dict[str, "Shape"]) -> Iterator[Write]:
    try:
        import pyarrow as arrow
        from pyarrow import parquet
    except ImportError:
        raise BadValue(
            "--export", "Parquet needs the Python package pyarrow: run tools/install parquet"
        ) from None
    types = {
        "integer": arrow.int64(),
        "long": arrow.int64(),
        "boolean": arrow.bool_(),
        "timestamp": arrow.timestamp("ms", tz="UTC"),
    }
    schema = arrow.schema([(n, types.get(s.type, arrow.string())) for n, s in columns.items()])

    def table(entries: Entries) -> Any:
        rows = [{n: typed(s, entry.get(n)) for n, s in columns.items()} for entry in entries]
        return arrow.Table.from_pylist(rows, schema)

    with parquet.ParquetWriter(file, schema) as out:
        yield lambda entries: out.write_table(table(entries)) if entries else None


def typed(shape: "Shape", value: Any) -> Any:
    from datetime import datetime

    if value is None or shape.type in ("string", "integer", "long", "boolean"):
        return value
    return datetime.fromisoformat(value) if shape.type == "timestamp" else json.dumps(value)


WRITERS = {".csv": csv_writer, ".parquet": parquet_writer}
