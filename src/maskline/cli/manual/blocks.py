"""What a manual page is made of, whoever renders it."""

from typing import NamedTuple, Union


class Text(NamedTuple):
    """A paragraph, filled to the width of the page. `strong` is shown bold."""

    text: str
    strong: bool = False


class Code(NamedTuple):
    """Lines shown as they are, indented."""

    lines: list[str]


class Bullets(NamedTuple):
    """A list of short items."""

    items: list[str]


class Term(NamedTuple):
    """A name on a line of its own, and indented below it what it means."""

    name: str
    blocks: list["Block"]


class Section(NamedTuple):
    """A heading in capitals and what stands below it."""

    title: str
    blocks: list["Block"]


class Page(NamedTuple):
    """A manual page. `summary` is what comes behind the name: nothing, or a few words."""

    name: str
    sections: list[Section]
    summary: str = ""


Block = Union[Text, Code, Bullets, Term]  # noqa: UP007  (the names are defined further up as text)
