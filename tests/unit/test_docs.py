"""What the pages say is there: links lead somewhere, commands and settings shown can be used."""

import re
import shlex
import textwrap
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from maskline import settings
from maskline.cli import arguments, commands, extras, services
from maskline.cli import globals as program
from maskline.cli.options import read_words
from maskline.cli.validation import check
from maskline.sms.http import description

ROOT = Path(__file__).parents[2]
README, GUIDES = ROOT / "README.md", ROOT / "docs" / "guides"
WITH_COMMANDS = [
    README,
    *(GUIDES / f"{name}.md" for name in ("first-call", "first-text", "postgresql", "production")),
]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]

PROGRAM = re.compile(r"`([\w./-]+\.py)`")
PROGRAMS = [
    f"/{file.relative_to(ROOT)}"
    for folder in ("bench", "demo", "kamailio", "src", "tests")
    for file in (ROOT / folder).rglob("*.py")
]
LINK = re.compile(r"\]\(([^)\s]+)\)")
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^```(?:sh|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TOML = re.compile(r"^( *)```toml\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^(?:\$ )?(?:\w+=\$\()?(maskline .*?)\)?$", re.MULTILINE)


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as code hosts make them."""
    headings = re.findall(r"^#+ (.+)$", FENCED.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


def shown_commands(page: Path) -> list[str]:
    """Every command line of ours in the page's blocks for the shell, on one line each."""
    blocks = "\n".join(BLOCK.findall(page.read_text())).replace("\\\n", " ")
    return COMMAND.findall(blocks)


def shown_settings() -> Iterator[object]:
    """Every block of settings in the pages."""
    for page in PAGES:
        for number, block in enumerate(TOML.finditer(page.read_text()), 1):
            yield pytest.param(textwrap.dedent(block[2]), id=f"{name(page)}, {number}")


def whole(block: str) -> str:
    """A block with what it leaves to the text around it."""
    if block.startswith("[carriers."):
        block = f'[[carriers]]\nname = "acme"\n{block}'
    if "[carriers.twilio]" in block or "[carriers.http]" in block:
        block = f'api.public_url = "https://sms.example.com"\n{block}'
    return block


@pytest.mark.parametrize("block", list(shown_settings()))
def test_settings_can_be_used(block: str, tmp_path: Path) -> None:
    if block.startswith("about"):
        description.read(tomllib.loads(block))
        return
    file = tmp_path / "maskline.toml"
    file.write_text(whole(block))
    settings.load(file)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(FENCED.sub("", page.read_text())):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{name(page)}: {link}"
        assert not anchor or anchor in anchors(target), f"{name(page)}: {link}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_programs_that_are_named_are_there(page: Path) -> None:
    for named in PROGRAM.findall(FENCED.sub("", page.read_text())):
        assert any(one.endswith(f"/{named}") for one in PROGRAMS), f"{name(page)}: {named}"


@pytest.mark.parametrize(
    ("page", "command"),
    [(page, command) for page in WITH_COMMANDS for command in shown_commands(page)],
    ids=lambda value: "" if isinstance(value, Path) else value[:60],
)
def test_commands_can_be_typed(page: Path, command: str) -> None:
    typed = read_words(shlex.split(command)[1:], program.OPTIONS)
    word, rest = services.split_command(
        typed.rest, "command", [*services.SERVICES, *commands.MODULES]
    )
    if word in services.SERVICES:
        check_operation(services.SERVICES[word], rest)
    else:
        options = commands.load(word).options
        read = read_words(rest, options)
        services.check_words(options, read.values, read.rest)


def check_operation(service: services.ServiceCommand, words: list[str]) -> None:
    operations = services.operations_of(service)
    word, rest = services.split_command(words, "operation", list(operations))
    operation = operations[word]
    options = (*arguments.options_of(operation), *extras.options_for(operation))
    read = read_words(rest, options)
    extra = extras.EXTRAS.get(operation.name)
    lifted = extra is not None and extra.option.key in read.values
    services.check_words(options, read.values, read.rest, lifted)
    if not lifted:
        check(operation.input, arguments.parameters_from(options, read.values))


@pytest.mark.parametrize("page", WITH_COMMANDS, ids=name)
def test_the_pages_show_commands(page: Path) -> None:
    """Else the test above would hold for want of anything to test."""
    assert shown_commands(page)


def test_the_first_screen_says_how_to_begin() -> None:
    """Two commands, and none beside that somebody would have to choose from."""
    screen = README.read_text().partition("\n## ")[0]
    assert re.findall(r"^make \w+", screen, re.MULTILINE) == ["make serve", "make test"]


def test_the_licence_is_whole() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text
