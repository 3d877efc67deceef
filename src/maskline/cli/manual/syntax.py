"""How values of options are typed: shown by example, from their shapes."""

from typing import TYPE_CHECKING

from maskline.cli.manual.blocks import Block, Code, Text
from maskline.cli.values import COMPLEX

if TYPE_CHECKING:
    from maskline.model import Shape

DEEPEST = 3  # how many structures a shorthand example goes inside each other


def examples(shape: "Shape") -> list[Block]:
    """The blocks that show how a value of this shape is typed; none for plain values."""
    if shape.type not in COMPLEX:
        return []
    member = shape.member
    if shape.type == "list" and member and member.type not in COMPLEX:
        return [Text("Syntax:"), Code(_words(member))]
    blocks: list[Block] = []
    brief = (
        shorthand(member, 0) + " ..." if shape.type == "list" and member else shorthand(shape, 0)
    )
    if brief:
        blocks = [Text("Shorthand Syntax:"), Code([brief])]
    return [*blocks, Text("JSON Syntax:"), Code(json_lines(shape))]


def _words(member: "Shape") -> list[str]:
    """A list of plain values is typed as words."""
    sample = '"string"' if member.type == "string" else member.type
    lines = [f"{sample} {sample} ..."]
    if member.enum:
        lines += ["", "Where valid values are:", *(f"  {value}" for value in member.enum), ""]
    return lines


def shorthand(shape: "Shape", depth: int) -> str:
    """The shorthand for a shape; empty where it would go too deep to be of use."""
    if depth > DEEPEST:
        return ""
    if shape.type == "structure":
        pairs = [f"{name}={shorthand(m, depth + 1)}" for name, m in shape.members.items()]
        return f"{{{','.join(pairs)}}}" if depth else ",".join(pairs)
    if shape.type == "list" and shape.member:
        item = shorthand(shape.member, depth + 1)
        plain = shape.member.type not in COMPLEX and depth < 2
        return f"{item},{item}" if plain else f"[{item},{item}]"
    if shape.type == "map" and shape.value:
        value = shorthand(shape.value, depth + 1)
        pairs_text = f"KeyName1={value},KeyName2={value}"
        return f"{{{pairs_text}}}" if depth else pairs_text
    return shape.type


def json_lines(shape: "Shape") -> list[str]:
    """A JSON value of a shape, with types in place of values."""
    if shape.type == "structure":
        return _bracketed("{", [_named(n, json_lines(m)) for n, m in shape.members.items()], "}")
    if shape.type == "list" and shape.member:
        if shape.member.type not in COMPLEX:
            return [f"[{_plain(shape.member)}, ...]"]
        return ["[", *(f"  {line}" for line in json_lines(shape.member)), "  ...", "]"]
    if shape.type == "map" and shape.value:
        first, *more = json_lines(shape.value)
        return [f'{{"string": {first}', *(f"    {line}" for line in more), "  ...}"]
    return [_plain(shape)]


def _named(name: str, lines: list[str]) -> list[str]:
    return [f'"{name}": {lines[0]}', *lines[1:]]


def _bracketed(opening: str, items: list[list[str]], closing: str) -> list[str]:
    lines: list[str] = []
    for index, item in enumerate(items):
        comma = "," if index < len(items) - 1 else ""
        lines += [f"  {line}" for line in item[:-1]] + [f"  {item[-1]}{comma}"]
    return [opening, *lines, closing]


def _plain(shape: "Shape") -> str:
    if shape.type == "string":
        return "|".join(f'"{value}"' for value in shape.enum) if shape.enum else '"string"'
    return "true|false" if shape.type == "boolean" else shape.type
