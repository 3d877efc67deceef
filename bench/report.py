"""What a run prints: Markdown that reads as text."""

import statistics
from collections.abc import Iterable, Sequence

Rows = Sequence[Sequence[str]]


class Report:
    """Prints as it goes, and remembers, so that it can be written into a page."""

    def __init__(self) -> None:
        self._parts: list[str] = []

    def say(self, *lines: str) -> None:
        text = "\n".join(lines)
        print(text, flush=True)
        self._parts.append(text)

    def heading(self, text: str) -> None:
        self.say("", f"### {text}", "")

    def table(self, headings: Sequence[str], rows: Rows) -> None:
        """The first column to the left, numbers to the right."""
        widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]
        rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
        self.say(*(_line(cells, widths) for cells in (headings, rule, *rows)))

    @property
    def text(self) -> str:
        return "\n".join(self._parts) + "\n"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first = cells[0].ljust(widths[0])
    rest = (cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True))
    return f"| {' | '.join([first, *rest])} |"


def middle(values: Iterable[float]) -> float:
    return statistics.median(list(values))


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
