"""AWS's own clients, old and new, played alike: an operation in, its answer or its error out."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from botocore import xform_name
from contract import javascript
from house import House

CLIENTS = Path(__file__).parents[2] / "build" / "clients"
PLAYER = Path(__file__).with_name("boto_player.py")
ORACLE = Path(__file__).with_name("cli_oracle.py")
JAVA = Path(__file__).with_name("java") / "Player.java"
CLI_ERROR = re.compile(r"An error occurred \((\w+)\) when calling the \w+ operation: (.*)")

Ask = Callable[[dict[str, Any]], dict[str, Any]]


class Refused(Exception):
    """The error that a client made of an answer."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(name, message)
        self.name, self.message = name, message


class Client:
    """Operations as methods: `client.GetProxySession(VoiceConnectorId=…)`."""

    def __init__(self, play: Ask) -> None:
        self._play = play

    def __getattr__(self, operation: str) -> Callable[..., dict[str, Any]]:
        def call(**arguments: Any) -> dict[str, Any]:
            outcome = self._play({"operation": operation, "arguments": arguments})
            if "error" in outcome:
                raise Refused(outcome["error"], outcome["message"])
            answer: dict[str, Any] = outcome["answer"]
            return answer

        return call


@contextmanager
def process(command: list[str], house: House, folder: Path) -> Iterator[Ask]:
    """A program that answers lines of JSON with lines of JSON."""
    with subprocess.Popen(
        command,
        cwd=folder,
        env=house.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdin
        assert running.stdout
        asked, told = running.stdin, running.stdout

        def ask(question: dict[str, Any]) -> dict[str, Any]:
            asked.write(json.dumps(question) + "\n")
            asked.flush()
            answer: dict[str, Any] = json.loads(told.readline())
            return answer

        yield ask
        asked.close()


@contextmanager
def boto3(version: str, service: str, prefix: str, house: House) -> Iterator[Client]:
    python = str(CLIENTS / version / "bin" / "python")
    command = [python, "-W", "ignore", str(PLAYER), service, house.url + prefix]
    with process(command, house, PLAYER.parent) as ask:
        yield Client(ask)


@contextmanager
def javascript_sdk(script: str, prefix: str, house: House) -> Iterator[Client]:
    javascript.install()
    command = ["node", "--no-warnings", script, house.url + prefix]
    with process(command, house, javascript.HOME) as ask:
        yield Client(ask)


@contextmanager
def java_sdk(version: str, prefix: str, house: House) -> Iterator[Client]:
    if shutil.which("javac") is None:
        pytest.skip("AWS's Java needs a JDK")
    jars = str(CLIENTS / version / "*")
    command = ["java", "-XX:TieredStopAtLevel=1", "-cp", jars, str(JAVA), house.url + prefix]
    with process(command, house, JAVA.parent) as ask:
        yield Client(ask)


@contextmanager
def aws_cli(version: str, service: str, prefix: str, house: House) -> Iterator[Client]:
    """An AWS CLI kept running, since starting it for every command takes seconds."""
    environment = {**house.environment(), "AWS_ENDPOINT_URL": house.url + prefix}
    with process(
        [str(CLIENTS / version / "bin" / "python"), str(ORACLE)], house, ORACLE.parent
    ) as ask:

        def play(question: dict[str, Any]) -> dict[str, Any]:
            command = xform_name(question["operation"], "-")
            given = json.dumps(question["arguments"])
            outcome = ask(
                {
                    "words": [service, command, "--cli-input-json", given],
                    "environment": environment,
                    "directory": str(ORACLE.parent),
                }
            )
            return cli_outcome(outcome)

        yield Client(play)


def cli_outcome(outcome: dict[str, Any]) -> dict[str, Any]:
    if outcome["exit"] == 0:
        return {"answer": json.loads(outcome["stdout"] or "{}")}
    told = CLI_ERROR.search(outcome["stderr"])
    assert told, outcome
    return {"error": told[1], "message": told[2]}
