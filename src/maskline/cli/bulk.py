"""`maskline admin import-phone-numbers --from-csv`: many numbers, in portions, with progress."""

import csv
import re
import sys
import time
from typing import TYPE_CHECKING, Any

from maskline.cli import services
from maskline.cli.faults import BadParameters, BadValue, Fault
from maskline.cli.globals import Globals

if TYPE_CHECKING:
    from maskline.model import Operation

NUMBERS, ERRORS = "E164PhoneNumbers", "PhoneNumberErrors"
E164 = re.compile(r"\+?[1-9]\d{1,14}", re.ASCII)
PORTION = 1000  # numbers in one request, where the model sets no lower limit


def run(
    service: services.ServiceCommand,
    operation: "Operation",
    parameters: dict[str, Any],
    path: str,
    globals_: Globals,
) -> int:
    """Import the numbers of a file; the exit code. The answer shown is that of all portions."""
    if NUMBERS in parameters:
        raise BadParameters("--from-csv and --e164-phone-numbers cannot be given together.")
    numbers, errors = told_apart(read_numbers(path))
    progress = Progress(len(numbers) + len(errors))
    progress.add(len(errors))
    for portion in portions(numbers, portion_size(operation)):
        request = {**parameters, NUMBERS: portion}
        try:
            answer = services.perform(globals_, service, operation, request)
        except Fault as fault:
            imported = progress.done - len(errors)
            fault.hint = f"{imported:,} numbers are imported; the same command goes on"
            raise
        errors += answer.get(ERRORS, [])
        progress.add(len(portion))
    progress.end(len(errors))
    services.show_answer(globals_, service, operation, {ERRORS: errors})
    return 0


def read_numbers(path: str) -> list[tuple[int, str]]:
    """The first column of a CSV file, and its lines, without a heading and empty lines. Raises
    BadValue."""
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            cells = [(reader.line_num, row[0].strip()) for row in reader if row and row[0].strip()]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadValue("--from-csv", f"Unable to load {path}: {error}") from None
    if cells and not any(char.isdigit() for char in cells[0][1]):
        del cells[0]
    if not cells:
        raise BadValue("--from-csv", f"{path} holds no phone numbers")
    return cells


def told_apart(cells: list[tuple[int, str]]) -> tuple[list[str], list[dict[str, Any]]]:
    """Those that can be numbers, and what is said of the others: sent, one would keep a whole
    portion from being imported."""
    numbers: list[str] = []
    errors: list[dict[str, Any]] = []
    for line, cell in cells:
        if E164.fullmatch(cell):
            numbers.append(cell)
            continue
        told = f"line {line} holds no number in E.164 form, such as +12065550100"
        errors.append({"PhoneNumberId": cell, "ErrorCode": "BadRequest", "ErrorMessage": told})
    return numbers, errors


def portion_size(operation: "Operation") -> int:
    """How many numbers one request may carry."""
    shape = operation.input.members[NUMBERS] if operation.input else None
    return min(PORTION, shape.max) if shape and shape.max else PORTION


def portions(numbers: list[str], size: int) -> list[list[str]]:
    return [numbers[start : start + size] for start in range(0, len(numbers), size)]


class Progress:
    """How far an import is, told on standard error: live on a terminal, else once at the end."""

    def __init__(self, total: int) -> None:
        self.total, self.done, self.began = total, 0, time.monotonic()
        self.live = sys.stderr.isatty()

    def add(self, count: int) -> None:
        self.done += count
        if self.live:
            sys.stderr.write(f"\r{self.line()}\033[K")
            sys.stderr.flush()

    def line(self) -> str:
        rate = self.done / max(time.monotonic() - self.began, 0.001)
        left = (self.total - self.done) / rate
        return (
            f"{self.done:,} of {self.total:,} numbers ({self.done * 100 // self.total} %),"
            f" {rate:,.0f} a second, {left // 60:.0f}:{left % 60:02.0f} to go"
        )

    def end(self, errors: int) -> None:
        seconds = time.monotonic() - self.began
        before = "\r\033[K" if self.live else ""
        sys.stderr.write(
            f"{before}{self.done - errors:,} numbers imported, {errors:,} refused,"
            f" in {seconds:.1f} s\n"
        )
