"""The table of invocations: tests/data/cli/*.toml, and how one of them is played.

In the tables `$VC` and `$PS` are a voice connector's and a proxy session's id, `$URL` is the played
server, `$DIR` the directory with the files of tests/data/cli/files, in which the command runs.
"""

import contextlib
import io
import os
import shlex
import shutil
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from contract.cli_server import Answer, PlayedServer, Seen

from maskline.__main__ import main
from maskline.cli.faults import USAGE

DATA = Path(__file__).parents[1] / "data" / "cli"
CONNECTOR = "abcdef1ghij2klmno3pqr4"
SESSION = "123a4bc5-67d8-901e-2f3g-h4ghjk56789l"
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ENDPOINT_URL": "$URL",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_PAGER": "",
    "HOME": "$DIR",
    "LANG": "C.UTF-8",
    "PATH": "/usr/local/bin:/usr/bin:/bin",
}


@dataclass(frozen=True)
class Case:
    """One invocation and everything that must come of it."""

    group: str
    name: str
    words: str
    exit: int
    answers: tuple[str, ...] = ("session",)
    environment: dict[str, str] = field(default_factory=dict)
    stdout: str = ""
    stderr: str = ""
    requests: tuple[str, ...] = ()  # "METHOD target" of each
    body: str = ""  # of the last request
    signed_with: str = "AKIDEXAMPLE us-east-1"  # key id, region, and "token" if one is sent
    differs: tuple[str, ...] = ()  # why the AWS CLI 1 does something else; see the docs
    clients: tuple[str, ...] = ("awscli-1.38.1", "awscli-newest")

    @property
    def id(self) -> str:
        return f"{self.group}: {self.name}"


@dataclass(frozen=True)
class Outcome:
    """What came of an invocation."""

    exit: int
    stdout: str
    stderr: str
    seen: tuple[Seen, ...]

    def requests(self) -> tuple[str, ...]:
        return tuple(f"{seen.method} {seen.target}" for seen in self.seen)

    def body(self) -> str:
        return self.seen[-1].body.decode() if self.seen else ""

    def signed_with(self) -> str:
        """The key and region in the signature of the last request."""
        if not self.seen:
            return ""
        headers = self.seen[-1].headers
        scope = headers.get("authorization", "").partition("Credential=")[2].partition(",")[0]
        key, _, region = [*scope.split("/"), "", "", ""][:3]
        token = headers.get("x-amz-security-token", "")
        return " ".join(part for part in (key, region, token) if part)


def cases() -> list[Case]:
    """All the invocations of all the tables."""
    return [case for path in sorted(DATA.glob("table-*.toml")) for case in _table(path)]


def _table(path: Path) -> Iterator[Case]:
    outputs = tomllib.loads((DATA / "outputs.toml").read_text())
    for row in tomllib.loads(path.read_text())["case"]:
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in row.items()}
        stdout = values.get("stdout", "")
        values["stdout"] = outputs[stdout[1:]] if stdout.startswith("$") else stdout
        values["stderr"] = values.get("stderr", "").replace("$USAGE", USAGE.rstrip("\n"))
        yield Case(group=path.stem.removeprefix("table-"), **values)


def answers(names: tuple[str, ...]) -> list[Answer]:
    """The played server's answers of those names."""
    known = tomllib.loads((DATA / "answers.toml").read_text())
    return [_answer(known[name]) for name in names]


def _answer(row: dict[str, Any]) -> Answer:
    headers = {"x-amzn-ErrorType": row["name"]} if "name" in row else {}
    return Answer(
        row.get("status", 200), row.get("body", "").encode(), headers, row.get("cut", False)
    )


@dataclass(frozen=True)
class Stage:
    """A directory with the files that cases read, and a server for them to ask."""

    directory: Path
    server: PlayedServer

    def fill(self, text: str) -> str:
        for name, value in self._placeholders().items():
            text = text.replace(name, value)
        return text

    def unfill(self, text: str) -> str:
        """The text with the places of this run taken out again."""
        return text.replace(self.server.url, "$URL").replace(str(self.directory), "$DIR")

    def _placeholders(self) -> dict[str, str]:
        directory = str(self.directory)
        return {"$VC": CONNECTOR, "$PS": SESSION, "$URL": self.server.url, "$DIR": directory}

    def environment(self, case: Case) -> dict[str, str]:
        """The environment of a case; an empty value takes a variable away."""
        merged = {
            name: self.fill(value) for name, value in {**ENVIRONMENT, **case.environment}.items()
        }
        return {name: value for name, value in merged.items() if value or name == "AWS_PAGER"}

    def words(self, case: Case) -> list[str]:
        return shlex.split(self.fill(case.words))

    def play(self, case: Case) -> Outcome:
        """Run our own program, in this process."""
        self.server.play(*answers(case.answers))
        stdout, stderr = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch, contextlib.ExitStack() as stack:
            patch.chdir(self.directory)
            for name in list(os.environ):
                patch.delenv(name)
            for name, value in self.environment(case).items():
                patch.setenv(name, value)
            patch.setattr("time.sleep", lambda seconds: None)  # retries do not wait
            stack.enter_context(contextlib.redirect_stdout(stdout))
            stack.enter_context(contextlib.redirect_stderr(stderr))
            code = main(self.words(case))
        return self.outcome(code, stdout.getvalue(), stderr.getvalue())

    def outcome(self, code: int, stdout: str, stderr: str) -> Outcome:
        return Outcome(code, self.unfill(stdout), self.unfill(stderr), tuple(self.server.seen))


@contextlib.contextmanager
def set_stage(directory: Path) -> Iterator[Stage]:
    """A stage in an empty directory."""
    shutil.copytree(DATA / "files", directory, dirs_exist_ok=True)
    with PlayedServer().running() as server:
        stage = Stage(directory, server)
        config = directory / "config"
        config.write_text(stage.fill(config.read_text()))
        yield stage
