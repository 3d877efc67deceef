"""The named queries: every SQL statement outside the schema, read once from `queries/*.sql`.

A query begins with `-- name: some_name` and runs to the next one. Parameters are written
`:name`. What is wrong with the files is found when this module is imported.
"""

import re
from importlib import resources

NAME = re.compile(r"^-- name: ([a-z_]+)$", re.MULTILINE)


def parse(text: str) -> dict[str, str]:
    """The queries of a file by name; raises ValueError for a name given twice or to nothing."""
    _, *parts = NAME.split(text)
    queries: dict[str, str] = {}
    for name, part in zip(parts[::2], parts[1::2], strict=True):
        lines = [line for line in part.splitlines() if line and not line.startswith("--")]
        if name in queries or not lines:
            raise ValueError(f"query {name} is empty or has the name of another")
        queries[name] = "\n".join(lines)
    return queries


def read_all() -> dict[str, str]:
    folder = resources.files("maskline.store") / "queries"
    files = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return parse("\n".join((folder / name).read_text(encoding="utf-8") for name in files))


QUERIES = read_all()
