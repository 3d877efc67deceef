"""`maskline install-man-pages`: the manual for `man`."""

import sys
from collections.abc import Iterator
from pathlib import Path

from maskline.cli import commands, services
from maskline.cli.commands import Command, Values
from maskline.cli.faults import Fault
from maskline.cli.globals import Globals
from maskline.cli.manual import find_page, roff
from maskline.cli.manual.blocks import Page
from maskline.cli.options import Option

SECTION = "1"


def pages() -> Iterator[Page]:
    """Every page, named as `man` is asked for it: maskline-chime-get-proxy-session."""
    yield find_page(())._replace(summary="proxy phone sessions, served and asked for")
    for name in commands.MODULES:
        summary = commands.load(name).summary
        yield find_page((name,))._replace(name=f"maskline-{name}", summary=summary)
    for name, service in services.SERVICES.items():
        yield find_page((name,))._replace(name=f"maskline-{name}")
        for subcommand, operation in services.operations_of(service).items():
            page = find_page((name, subcommand))
            summary = operation.documentation.partition(".")[0]
            yield page._replace(name=f"maskline-{name}-{subcommand}", summary=summary)


def run(values: Values, bare: list[str], globals_: Globals) -> int:
    """Write the pages; the exit code."""
    directory = Path(str(values.get("directory") or default_directory())).expanduser()
    count = 0
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for page in pages():
            source = roff.render(page, SECTION)
            (directory / f"{page.name}.{SECTION}").write_text(source, encoding="utf-8")
            count += 1
    except OSError as error:
        raise Fault(f"Unable to write the manual: {error}") from None
    sys.stdout.write(f"wrote {count} pages to {directory}; try: man maskline\n")
    return 0


def default_directory() -> Path:
    """Beside the program: `man` looks in share/man next to the bin directories of the PATH."""
    return Path(sys.prefix) / "share" / "man" / f"man{SECTION}"


COMMAND = Command(
    "install-man-pages",
    "writes the manual where `man` finds it",
    (
        "Writes a page for the program and for every command and subcommand, for example"
        " maskline-chime-update-proxy-session. They are the pages that help shows.",
    ),
    (
        Option(
            "directory",
            "directory",
            documentation=(
                "Where to write the pages. Left out, share/man/man1 beside the directory of the"
                " program, where man looks when that directory is in the PATH."
            ),
        ),
    ),
    run,
)
