"""The manual: every page renders, and shows what there is."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from examples import commands_of, output_of

from maskline.__main__ import main
from maskline.cli import commands, installed_manual, services
from maskline.cli.manual import examples, find_page, plain, roff
from maskline.cli.manual.blocks import Code, Page, Section, Text
from maskline.cli.route import REASONS

OPERATIONS = [
    (service.command, name)
    for service in services.SERVICES.values()
    for name in services.operations_of(service)
]
NAMES = [
    (),
    *((name,) for name in [*services.SERVICES, *commands.MODULES]),
    *OPERATIONS,
]


@pytest.mark.parametrize("names", NAMES, ids=" ".join)
def test_every_page_renders(names: tuple[str, ...]) -> None:
    text = plain.render(find_page(names))
    assert text.startswith((names or ("maskline",))[-1].upper() + "()")
    assert "None" not in re.findall(r"\(None\)", text)


@pytest.mark.skipif(not shutil.which("groff"), reason="groff is not installed")
def test_groff_has_nothing_to_complain_about() -> None:
    sources = [roff.render(page, "1") for page in installed_manual.pages()]
    for source in sources:
        done = subprocess.run(
            ["groff", "-man", "-Tascii", "-ww", "-Wbreak", "-z"],
            input=source,
            capture_output=True,
            text=True,
        )
        assert done.stderr == ""


@pytest.mark.skipif(not shutil.which("groff"), reason="groff is not installed")
def test_groff_and_plain_text_say_the_same() -> None:
    for names in OPERATIONS:
        page = find_page(names)
        done = subprocess.run(
            ["groff", "-man", "-Tascii", "-P-c", "-P-b", "-P-u", "-rLL=200n", "-rHY=0"],
            input=roff.render(page),
            capture_output=True,
            text=True,
            check=True,
        )
        assert "".join(done.stdout.split()) == "".join(plain.render(page, 200).split())


@pytest.mark.parametrize(("service", "name"), OPERATIONS)
def test_every_operation_has_an_example(service: str, name: str) -> None:
    found = examples.read(services.SERVICES[service].model, name)
    assert found
    for example in found:
        assert example.title
        assert commands_of(example)
        assert all(f" {name} " in f"{command} " for command in commands_of(example))
        nothing = Text("This command produces no output.") in example.blocks
        assert bool(output_of(example)) != nothing


def test_examples_are_read() -> None:
    text = (
        "To do it\n\nSome text\nover two lines.\n\n"
        "    maskline chime do-it \\\n        --now\n\nOutput:\n\n    {\n    }\n\n    more\n"
        "----\nTo do it again\n\n    maskline chime do-it\n"
    )
    first, second = examples.parse(text)
    assert first.title == "To do it"
    assert first.blocks[0] == Text("Some text over two lines.")
    assert commands_of(first) == ["maskline chime do-it --now"]
    assert output_of(first) == "{\n}\n\nmore\n"
    assert (second.title, output_of(second)) == ("To do it again", "")


def test_dots_and_dashes_and_backslashes_survive_groff() -> None:
    page = Page("x", [Section("S", [Text(".start - it's"), Code([".line", r"a \ b", "'quoted'"])])])
    source = roff.render(page)
    assert "\\&.start \\- it\\(aqs" in source
    assert "\\&.line" in source
    assert "a \\e b" in source


def test_help_without_groff(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert main(["chime", "get-proxy-session", "help"]) == 0
    assert "\nSYNOPSIS\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words",
    [
        ["help"],
        ["--help"],
        ["chime", "help"],
        ["chime", "-h"],
        ["help", "chime"],
        ["chime", "get-proxy-session", "--help"],
        ["chime", "get-proxy-session", "--proxy-session-id", "x", "help"],
        ["help", "chime", "get-proxy-session"],
        ["chime", "help", "get-proxy-session"],
        ["route", "help"],
        ["serve", "--help"],
        ["--region", "us-east-1", "help"],
    ],
    ids=" ".join,
)
def test_help_at_every_level(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 0
    assert "\nDESCRIPTION\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words", [["help", "chimes"], ["help", "chime", "get-proxy"], ["chime", "help", "nope"]]
)
def test_help_about_what_is_not_there(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 252
    assert "Found invalid choice" in capsys.readouterr().err


def test_the_manual_is_installed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["install-man-pages", "--directory", str(tmp_path)]) == 0
    page = tmp_path / "maskline-chime-update-proxy-session.1"
    assert page.read_text().startswith('.TH "MASKLINE\\-CHIME\\-UPDATE\\-PROXY\\-SESSION" "1"')
    assert "try: man maskline" in capsys.readouterr().out


def test_every_reason_for_a_decision_has_words() -> None:
    operation = services.operations_of(services.SERVICES["admin"])["evaluate-route"]
    assert operation.output
    assert set(REASONS) == set(operation.output.members["Reason"].enum)
