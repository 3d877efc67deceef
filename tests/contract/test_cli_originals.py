"""Two pages of the AWS CLI's manual: what they show, ours shows."""

import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from contract.cli_cases import Case, Stage, set_stage

from maskline.__main__ import main
from maskline.cli.manual import find_page, plain

MANUAL = Path(__file__).parents[1] / "data" / "manual"
PAGES = ("get-proxy-session", "update-proxy-session")
# One is of version 1, which reads no YAML, the other of version 2. Ours is like version 2.
OF_VERSION_1 = {"--cli-input-json <value>": "--cli-input-json | --cli-input-yaml"}


def original(name: str) -> str:
    """A page, with our name for the program."""
    text = (MANUAL / f"{name}.txt").read_text()
    return re.sub(r"\baws (chime|help)", r"maskline \1", text)


def section(page: str, title: str) -> list[str]:
    """The lines of a section."""
    lines = page.split("\n")
    start = lines.index(title) + 1
    rest = lines[start:]
    ends = [i for i, line in enumerate(rest) if re.match(r"\S", line)] + [len(rest)]
    # The last section ends at the footer, which repeats the title at the right.
    return [line for line in rest[: ends[0]] if not line.strip().endswith("()")]


def headings(page: str) -> list[str]:
    return re.findall(r"^([A-Z]+)$", page, re.MULTILINE)


def synopsis(page: str) -> list[str]:
    lines = [line.rstrip() for line in section(page, "SYNOPSIS") if line.strip()]
    return [re.sub(r"--[^]]+", lambda m: OF_VERSION_1.get(m[0], m[0]), line) for line in lines]


def options(page: str) -> list[tuple[str, str]]:
    """The options and their types, in order."""
    found = re.findall(
        r"^ {7}(--[a-z-]+(?: +\| +--[a-z-]+)*) +\((\w+)\)",
        "\n".join(section(page, "OPTIONS")),
        re.MULTILINE,
    )
    named = [(" ".join(name.split()), kind) for name, kind in found]
    return [(OF_VERSION_1.get(f"{name} <value>", name), kind) for name, kind in named]


def tree(page: str, title: str) -> list[tuple[int, str, str]]:
    """Names and types of the members, with how far in they stand."""
    matches = (re.fullmatch(r"( +)(?:(\w+) -> )?\((\w+)\)", line) for line in section(page, title))
    return [(len(m[1]), m[2] or "", m[3]) for m in matches if m]


def code(page: str, title: str) -> list[str]:
    """Blocks that are shown as they are: they stand further in than text does."""
    blocks = "\n".join(section(page, title)).strip("\n").split("\n\n")
    member = re.compile(r" +(\w+ -> )?\(\w+\)")
    return [block for block in blocks if block.startswith(" " * 10) and not member.match(block)]


def outdented(block: str) -> str:
    return "\n".join(line[10:] for line in block.split("\n")) + "\n"


@pytest.fixture(params=["groff", "text"])
def rendering(request: pytest.FixtureRequest) -> str:
    if request.param == "groff" and not shutil.which("groff"):
        pytest.skip("groff is not installed")
    return str(request.param)


def rendered(name: str, rendering: str, capsys: pytest.CaptureFixture[str]) -> str:
    if rendering == "text":
        return plain.render(find_page(("chime", name)))
    assert main(["chime", name, "help"]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("name", PAGES)
def test_pages_have_the_form_of_the_originals(
    name: str, rendering: str, capsys: pytest.CaptureFixture[str]
) -> None:
    page, theirs = rendered(name, rendering, capsys), original(name)
    assert headings(page) == headings(theirs)
    assert section(page, "NAME") == section(theirs, "NAME")
    assert synopsis(page) == synopsis(theirs)
    assert options(page) == options(theirs)
    assert tree(page, "OPTIONS") == tree(theirs, "OPTIONS")
    assert tree(page, "OUTPUT") == tree(theirs, "OUTPUT")
    assert code(page, "OPTIONS") == code(theirs, "OPTIONS")
    assert code(page, "EXAMPLES") == code(theirs, "EXAMPLES")
    assert page.split("\n")[:6] == theirs.split("\n")[:6]
    assert page.rstrip().split("\n")[-4:] == theirs.rstrip().split("\n")[-4:]
    assert max(map(len, page.split("\n"))) <= 79


def test_pages_are_as_wide_as_the_originals(capsys: pytest.CaptureFixture[str]) -> None:
    if not shutil.which("groff"):
        pytest.skip("groff is not installed")
    widths = {len(line) for line in rendered("get-proxy-session", "groff", capsys).split("\n")}
    assert max(widths) == max(len(line) for line in original("get-proxy-session").split("\n"))


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with set_stage(tmp_path) as ready:
        yield ready


@pytest.mark.parametrize(
    ("name", "answer"), [("get-proxy-session", "session"), ("update-proxy-session", "updated")]
)
def test_examples_print_what_the_originals_print(stage: Stage, name: str, answer: str) -> None:
    """The command as the page shows it, typed into a shell, with the page's session as answer."""
    command, shown = map(outdented, code(original(name), "EXAMPLES"))
    words = shlex.split(command.replace("\\\n", ""))
    outcome = stage.play(Case("originals", name, shlex.join(words[1:]), 0, answers=(answer,)))
    assert outcome.stdout == shown
    assert outcome.exit == 0
