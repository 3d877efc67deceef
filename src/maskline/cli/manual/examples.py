"""Examples of commands: texts of our own, one file for each operation.

A file holds examples, separated by lines of `----`. The first paragraph of an example is its title;
indented lines are shown as they are; a line that begins with `maskline` is a command.
"""

from importlib import resources
from typing import NamedTuple

from maskline.cli.manual.blocks import Block, Code, Text

INDENT = "    "
SEPARATOR = "----"


class Example(NamedTuple):
    """One example: its title, and paragraphs and code in their order."""

    title: str
    blocks: list[Block]


def read(model: str, command: str) -> list[Example]:
    """The examples of an operation; none where there is no file."""
    file = resources.files("maskline.cli") / "examples" / model / f"{command}.txt"
    return parse(file.read_text(encoding="utf-8")) if file.is_file() else []


def parse(text: str) -> list[Example]:
    """The examples in the text of a file."""
    parts = f"\n{text}".split(f"\n{SEPARATOR}\n")
    return [_example(part) for part in parts if part.strip()]


def _example(text: str) -> Example:
    blocks: list[Block] = []
    for chunk in text.strip("\n").split("\n\n"):
        lines = chunk.strip("\n").split("\n")
        if not lines[0].startswith(INDENT):
            blocks.append(Text(" ".join(lines)))
            continue
        code = [line.removeprefix(INDENT) for line in lines]
        if blocks and isinstance(blocks[-1], Code):
            blocks[-1].lines.extend(["", *code])  # an empty line inside the code
        else:
            blocks.append(Code(code))
    title, *rest = blocks
    assert isinstance(title, Text)
    return Example(title.text, rest)
