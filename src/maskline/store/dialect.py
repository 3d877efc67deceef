"""SQL as PostgreSQL wants it. All of ours is written once, in the words of SQLite.

The two understand the same queries; only the schema's types and a function have other names, some
indexes other columns (lines of a step that begin with `-- postgresql:` are for PostgreSQL alone),
and a page of a list is found by it in other words.
"""

import re

PARAMETER = re.compile(r"(?<!:):([a-z_]+)")
# Rows that come as one JSON array; both give each element a column named `value`.
ARRAY = re.compile(r"\bjson_each\((:[a-z_]+)\)")
# A page of a list that is ordered by its owner, too: a range of the index that begins with the
# owner. Of an equality PostgreSQL would take it that the order is the primary key's as well, and
# rather read that one, through all others' rows, where an owner has many and they seem to be mixed.
PAGE = re.compile(
    r"(?s)\bWHERE (\w+) = (:\w+) AND sequence < :before\b"
    r"(?=.*?\bORDER BY \1 DESC, sequence DESC\s+LIMIT :limit)"
)

SCHEMA = [
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"-- postgresql: ", ""),  # for it alone: to SQLite a comment
        (r"--.*", ""),
        (
            r"\bsequence INTEGER PRIMARY KEY",
            "sequence BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
        ),
        (r"\) STRICT(, WITHOUT ROWID)?;", ");"),
        (r"\bINTEGER\b", "BIGINT"),
        (r"\bBLOB\b", "BYTEA"),
        # Text is compared by its bytes, as SQLite does: an order that pages can rely on.
        (r"\bTEXT\b", 'TEXT COLLATE "C"'),
        # A comparison is a truth value there, and no number.
        (
            r"(?s)(\w+ BIGINT NOT NULL GENERATED ALWAYS AS \()(?!\s*CASE)(.*?)(\n\s*\) STORED)",
            r"\1 CASE WHEN \2 THEN 1 ELSE 0 END \3",
        ),
    )
]


def query(text: str) -> str:
    """A query with its parameters as psycopg wants them."""
    text = text.replace(" instr(", " strpos(")
    text = ARRAY.sub(r"json_array_elements(CAST(\1 AS json))", text)
    text = PAGE.sub(r"WHERE \1 >= \2 AND (\1, sequence) < (\2, :before)", text)
    return PARAMETER.sub(r"%(\1)s", text.replace("%", "%%"))


def schema(script: str) -> str:
    """A step of the schema."""
    for pattern, replacement in SCHEMA:
        script = pattern.sub(replacement, script)
    return script
