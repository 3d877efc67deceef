"""`help` at every level: which page is meant, and showing it."""

import shutil
import subprocess
import sys

from maskline.cli import output, services
from maskline.cli.faults import Fault
from maskline.cli.globals import Globals
from maskline.cli.manual import plain, roff
from maskline.cli.manual.blocks import Page
from maskline.cli.options import bad_choice

NARROWEST, WIDEST, DEFAULT_WIDTH = 40, 120, 80


def find_page(names: tuple[str, ...]) -> Page:
    """The page about the program, a command, or a subcommand. Raises BadUsage."""
    from maskline.cli.manual import operation, overview

    if not names:
        return overview.program_page()
    command, rest = names[0], names[1:]
    if command in services.SERVICES:
        service = services.SERVICES[command]
        if not rest:
            return overview.service_page(service)
        operations = services.operations_of(service)
        if rest[0] in operations:
            return operation.page(service, operations[rest[0]])
        raise bad_choice("operation", rest[0], list(operations))
    return overview.command_page(command)


def show(globals_: Globals, *names: str) -> int:
    """Show a page: with groff on a terminal through the pager, else as text; the exit code."""
    page = find_page(names)
    terminal = sys.stdout.isatty()
    width = _width(terminal)
    groff = shutil.which("groff")
    text = _typeset(groff, page, width, terminal) if groff else plain.render(page, width)
    if pager := globals_.pager():
        output.page(text, pager)
    else:
        sys.stdout.write(text)
    return 0


def _width(terminal: bool) -> int:
    """The characters in a line: those of the terminal, but never too few or too many to read."""
    columns = shutil.get_terminal_size((DEFAULT_WIDTH, 24)).columns if terminal else DEFAULT_WIDTH
    return min(max(columns, NARROWEST), WIDEST) - 2


def _typeset(groff: str, page: Page, width: int, terminal: bool) -> str:
    """The page as groff sets it; bold by overstriking, which pagers show, on a terminal only."""
    styles = ["-P-c"] if terminal else ["-P-c", "-P-b", "-P-u"]
    command = [groff, "-man", "-Tascii", f"-rLL={width}n", *styles]
    try:
        done = subprocess.run(
            command, input=roff.render(page), capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError) as error:
        raise Fault(
            f"groff could not show this page: {error}", "without groff it is shown as text"
        ) from None
    return done.stdout
