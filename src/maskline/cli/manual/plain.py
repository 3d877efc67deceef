"""Manual pages as plain text, for machines without groff."""

import textwrap

from maskline.cli.manual.blocks import Block, Bullets, Code, Page, Term, Text

MARGIN = 7
STEPS = (3, 4)  # how far each level stands inside the one before, in turns


def render(page: Page, width: int = 78) -> str:
    """The page, with lines of at most `width` characters where they can be broken."""
    title = f"{page.name.upper()}()"
    headline = f"{title}{title:>{max(width - len(title), len(title) + 2)}}"
    name = f"{' ' * MARGIN}{page.name} - {page.summary}".rstrip()
    lines = [headline, "", "", "", "NAME", name, ""]
    for section in page.sections:
        lines.append(section.title)
        for block in section.blocks:
            lines += [*_block(block, 0, width), ""]
    return "\n".join([*lines, "", "", f"{title:>{width}}"]) + "\n"


def _indent(level: int) -> int:
    return MARGIN + sum(STEPS[step % 2] for step in range(level))


def _block(block: Block, level: int, width: int) -> list[str]:
    indent = " " * _indent(level)
    if isinstance(block, Text):
        return _filled(block.text, indent, width)
    if isinstance(block, Code):
        inner = " " * _indent(level + 1)
        return [f"{inner}{line}".rstrip() for line in block.lines]
    if isinstance(block, Bullets):
        return [line for item in block.items for line in (f"{indent}o {item}", "")][:-1]
    return _term(block, level, width)


def _term(term: Term, level: int, width: int) -> list[str]:
    lines = _filled(term.name, " " * _indent(level), width)
    for index, block in enumerate(term.blocks):
        if index or not isinstance(block, Text):
            lines.append("")
        lines += _block(block, level + 1, width)
    return lines


def _filled(text: str, indent: str, width: int) -> list[str]:
    return textwrap.wrap(
        " ".join(text.split()),
        width,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
