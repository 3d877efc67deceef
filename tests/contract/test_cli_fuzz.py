"""Anything typed, in any file, answered by anything: never a traceback, always an exit code.

`MASKLINE_FUZZ=20000 pytest tests/contract/test_cli_fuzz.py` is the long form.
"""

import contextlib
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from contract.cli_cases import Stage, set_stage
from contract.cli_server import Answer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maskline.__main__ import main
from maskline.cli import commands, services
from maskline.cli import globals as program
from maskline.cli.arguments import options_of
from maskline.cli.client import Answer as Heard

ROUNDS = int(os.environ.get("MASKLINE_FUZZ", "100"))
CODES = {0, 252, 253, 254, 255}
LONG = settings(
    max_examples=ROUNDS,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

# These would run for ever, wait, or write outside the stage.
NEVER = {"--watch", "--debug", "serve", "--cli-read-timeout", "--cli-connect-timeout"}
WRITES = {"install-aws-model", "install-man-pages"}
OPERATIONS = sorted(
    {name for service in services.SERVICES.values() for name in services.operations_of(service)}
)
FLAGS = sorted(
    {
        option.flag
        for service in services.SERVICES.values()
        for operation in services.operations_of(service).values()
        for option in options_of(operation)
    }
    | {option.flag for option in program.OPTIONS}
)
FILES = ["caps.json", "binary.bin", "geo.txt", "update.yaml", "broken-config", "nope", "."]

text = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)
value = st.one_of(
    text,
    documents.map(json.dumps),
    st.sampled_from(
        ["Voice", "0", "-1", "Country=US,AreaCode=206", "a=[b,{c=d}]", "US", "[", "{", "''"]
    ),
    st.sampled_from(FILES).flatmap(
        lambda name: st.sampled_from([f"file://{name}", f"fileb://{name}"])
    ),
)
flag = st.sampled_from(FLAGS)
word = st.one_of(
    flag,
    flag.flatmap(lambda name: st.integers(3, len(name)).map(lambda end: name[:end])),
    st.tuples(flag, value).map("=".join),
    value,
    st.sampled_from(["help", "--help", "--", "-", "-x", "--version", "--no-sign-request"]),
)
command = st.sampled_from([*services.SERVICES, *(set(commands.MODULES) - WRITES), "help", ""])
lines = st.tuples(command, st.sampled_from([*OPERATIONS, ""]), st.lists(word, max_size=8)).map(
    lambda parts: [part for part in parts[:2] if part] + parts[2]
)

body = st.one_of(
    st.binary(max_size=40),
    documents.map(lambda each: json.dumps(each).encode()),
    documents.map(lambda each: json.dumps({"ProxySession": each, "Message": each}).encode()),
    st.sampled_from(
        [b"", b"{", b"[" * 100_000, b'{"ProxySessions": [' + b"{}," * 20_000 + b"{}]}"]
    ),
)
answer = st.builds(
    Answer,
    status=st.sampled_from([200, 200, 200, 201, 204, 301, 400, 403, 404, 429, 500, 503, 599]),
    body=body,
    headers=st.sampled_from(
        [{}, {"x-amzn-ErrorType": "NotFoundException"}, {"x-amzn-ErrorType": ""}, {"Date": "x"}]
    ),
    cut=st.sampled_from([False, False, False, True]),
)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with (
        set_stage(tmp_path_factory.mktemp("stage")) as ready,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.chdir(ready.directory)
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        patch.setenv("HOME", str(ready.directory))
        patch.setenv("AWS_ENDPOINT_URL", ready.server.url)
        patch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        patch.setattr("time.sleep", lambda seconds: None)
        yield ready


def run(words: list[str]) -> tuple[int, str]:
    stdout, stderr = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
        code = main(words)
    return code, stderr.getvalue()


def dangerous(words: list[str]) -> bool:
    """Whether a word might be taken for one of those that must not be."""
    return any(
        never.startswith(each.partition("=")[0]) for each in words for never in NEVER if each
    )


def check(words: list[str]) -> None:
    code, err = run(words)
    assert code in CODES
    assert "Traceback" not in err
    assert "fault of the program" not in err
    assert bool(err) or code == 0


@LONG
@given(words=lines, answers=st.lists(answer, min_size=1, max_size=3))
def test_whatever_is_typed_and_answered(
    stage: Stage, words: list[str], answers: list[Answer]
) -> None:
    words = [each for each in words if not dangerous([each])]
    stage.server.play(*answers)
    check(words)


@LONG
@given(
    answers=st.lists(answer, min_size=1, max_size=3),
    form=st.sampled_from(["json", "text", "table", "yaml", "yaml-stream", "off"]),
)
def test_whatever_is_answered(stage: Stage, answers: list[Answer], form: str) -> None:
    stage.server.play(*answers)
    name = "list-proxy-sessions" if answers[0].status == 201 else "get-proxy-session"
    options = ["--voice-connector-id", "abc"]
    options += ["--proxy-session-id", "x"] if name.startswith("get") else []
    check(["chime", name, *options, "--output", form])


@LONG
@given(
    content=st.binary(max_size=60),
    name=st.sampled_from(["config", "shared", "toml", "json", "yaml", "csv"]),
)
def test_whatever_is_in_a_file(stage: Stage, content: bytes, name: str) -> None:
    path = Path("maskline.toml") if name == "toml" else stage.directory / f"any.{name}"
    path.write_bytes(content)
    stage.server.play(Answer(200, b"{}"))
    variables = {"config": "AWS_CONFIG_FILE", "shared": "AWS_SHARED_CREDENTIALS_FILE"}
    words = {
        "json": ["chime", "get-proxy-session", "--cli-input-json", f"file://{path}"],
        "yaml": ["chime", "get-proxy-session", "--cli-input-yaml", f"file://{path}"],
        "csv": ["admin", "import-phone-numbers", "--carrier-name", "a", "--from-csv", str(path)],
        "toml": ["chime", "list-voice-connectors", "--no-sign-request"],
    }
    with pytest.MonkeyPatch.context() as patch:
        if name in variables:
            patch.setenv(variables[name], str(path))
            patch.delenv("AWS_ACCESS_KEY_ID")
            patch.delenv("AWS_SECRET_ACCESS_KEY")
        if name == "toml":  # it names the server, and so none must be asked
            patch.delenv("AWS_ENDPOINT_URL")
            patch.setattr("maskline.cli.client.Client.send", lambda *_: Heard(200, {}, b"{}", 1))
        check(words.get(name, ["chime", "list-voice-connectors"]))
