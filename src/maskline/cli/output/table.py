"""`--output table`: boxes inside boxes, as the AWS CLI draws them."""

import os
import sys
import unicodedata
from typing import Any, NamedTuple, TextIO

PADDING = 4
BOLD_BLUE, PLAIN = "\033[1m\033[34m", "\033[0m"


class Section(NamedTuple):
    """One box: a title, the names of the columns if it has any, and rows."""

    title: str
    depth: int
    headers: list[str]
    rows: list[list[str]]

    def column_widths(self) -> list[int]:
        lines = [self.headers, *self.rows] if self.headers else self.rows
        return [max(map(text_width, column)) + PADDING for column in zip(*lines, strict=False)]

    def width(self) -> int:
        inner = max(text_width(self.title), sum(self.column_widths()))
        return inner + 2 + 2 * self.depth


def text_width(text: str) -> int:
    """How many columns of a terminal a text fills."""
    return sum(2 if unicodedata.east_asian_width(char) in "WFA" else 1 for char in text)


def write_table(title: str, value: Any, stream: TextIO, colored: bool = False) -> None:
    """Write a value as a table; an empty one shows nothing."""
    sections: list[Section] = []
    _collect(title, value, 0, sections)
    write_sections(sections, stream, colored)


def write_sections(sections: list[Section], stream: TextIO, colored: bool = False) -> None:
    """Draw boxes below and inside each other, all as wide as the widest."""
    if not sections:
        return
    width = max(section.width() for section in sections)
    if width > terminal_width():
        sections = [_upright(section) for section in sections]
        width = max(section.width() for section in sections)
    stream.write(f"{'-' * width}\n")
    for section in sections:
        for line in _draw(section, width - 2 * section.depth, colored):
            edge = "|" * section.depth
            stream.write(f"{edge}{line}{edge}\n")


def terminal_width() -> int:
    """The columns of the terminal; 80 where there is none."""
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


# --- from values to sections


def _is_scalar(value: Any) -> bool:
    return not isinstance(value, dict | list)


def _collect(title: str, value: Any, depth: int, sections: list[Section]) -> None:
    """Add the sections that show a value: none for nothing."""
    if value is None or (not value and not _is_scalar(value)):
        return
    if isinstance(value, dict):
        _collect_structure(title, value, depth, sections)
    elif isinstance(value, list) and isinstance(value[0], dict):
        _collect_structures(title, value, depth, sections)
    elif isinstance(value, list):
        _collect_items(title, value, depth, sections)
    else:
        sections.append(Section(title, depth, [], [[str(value)]]))


def _collect_structure(
    title: str, value: dict[str, Any], depth: int, sections: list[Section]
) -> None:
    names = sorted(name for name, item in value.items() if _is_scalar(item))
    cells = [str(value[name]) for name in names]
    if len(names) == 1:
        sections.append(Section(title, depth, [], [[names[0], cells[0]]]))
    else:
        sections.append(Section(title, depth, names, [cells] if names else []))
    for name in sorted(value.keys() - names):
        _collect(name, value[name], depth + 1, sections)


def _collect_structures(
    title: str, items: list[dict[str, Any]], depth: int, sections: list[Section]
) -> None:
    """A list of structures is one box with a row for each, or a box each if they hold more."""
    structures = [item for item in items if isinstance(item, dict)]
    names = sorted({n for item in structures for n, v in item.items() if _is_scalar(v)})
    inner = sorted({n for item in structures for n, v in item.items() if not _is_scalar(v)})
    rows = [[str(item.get(name, "")) for name in names] for item in structures]
    if not inner:
        sections.append(Section(title, depth, names, rows))
        return
    for item, row in zip(structures, rows, strict=True):
        sections.append(Section(title, depth, names, [row]))
        for name in inner:
            _collect(name, item.get(name), depth + 1, sections)


def _collect_items(title: str, items: list[Any], depth: int, sections: list[Section]) -> None:
    if all(item and isinstance(item, list) and not _is_scalar(item[0]) for item in items):
        _collect(title, [each for item in items for each in item], depth, sections)
        return
    rows = [[str(item)] if _is_scalar(item) else item for item in items]
    flat = [row for row in rows if isinstance(row, list) and all(map(_is_scalar, row))]
    columns = max(map(len, flat), default=0)
    cells = [[*map(str, row), *[""] * (columns - len(row))] for row in flat]
    sections.append(Section(title, depth, [], cells))
    for row in rows:
        if row not in flat:
            _collect("", row, depth, sections)


# --- from sections to lines


def _upright(section: Section) -> Section:
    """A box with one row, its columns turned into rows: it needs less width."""
    if len(section.rows) != 1 or not section.headers:
        return section
    pairs = [[name, cell] for name, cell in zip(section.headers, section.rows[0], strict=True)]
    return section._replace(headers=[], rows=pairs)


def _draw(section: Section, width: int, colored: bool) -> list[str]:
    lines = [_centered(section.title, width)] if section.title else []
    widths = _scaled(section.column_widths(), width)
    if not widths:
        return [*lines, f"+{'-' * (width - 2)}+"] if lines and not section.rows else lines
    rule = "".join(f"{'-' * (w - 1)}+" for w in [widths[0] - 1, *widths[1:]])
    lines.append(f"+{rule}")
    if section.headers:
        cells = [
            _centered(h, w, i == 0)
            for i, (h, w) in enumerate(zip(section.headers, widths, strict=True))
        ]
        lines += ["".join(cells), f"+{rule}"]
    for row in section.rows:
        cells = [
            _left(c, w, i == 0, colored) for i, (c, w) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("".join(cells))
    return [*lines, f"+{rule}"] if section.rows else lines


def _scaled(widths: list[int], total: int) -> list[int]:
    """Column widths stretched in proportion, so that together they fill `total`."""
    if not widths:
        return []
    scaled = [round(total / sum(widths) * width) for width in widths]
    over = sum(scaled) - total
    order = range(len(scaled)) if over > 0 else range(len(scaled) - 1, -1, -1)
    while over:
        for index in order:
            if over:
                step = 1 if over > 0 else -1
                scaled[index] -= step
                over -= step
    return scaled


def _centered(text: str, width: int, first: bool = True) -> str:
    edge = "|" if first else ""
    left = edge + " " * (width // 2 - text_width(text) // 2 - 1) + text
    return f"{left}{' ' * (width - 1 - text_width(left))}|"


def _left(text: str, width: int, first: bool, colored: bool) -> str:
    edge = "|" if first else ""
    room = width - text_width(text) - len(edge) - 1
    padding = 2 if room >= 2 else 0
    shown = f"{BOLD_BLUE}{text}{PLAIN}" if colored else text
    return f"{edge}{' ' * padding}{shown}{' ' * (room - padding)}|"
