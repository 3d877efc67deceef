"""The real AWS CLI, version 1, as a companion that is asked the same things."""

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from contract.cli_cases import Case, Outcome, Stage, answers

CLIENTS = Path(__file__).parents[2] / "build" / "clients"
ORACLE = Path(__file__).with_name("cli_oracle.py")
SERVICES = {"awscli-1.38.1": "chime", "awscli-newest": "chime-sdk-voice"}

# What version 1 ends with where we end with what AWS CLI 2 ends with.
EXITS = {0: (0,), 252: (2, 252, 255), 253: (253, 255), 254: (254, 255), 255: (255,)}
BANNER = re.compile(r"usage: \rNote: AWS CLI version 2.*?\n\n", re.DOTALL)
USAGE = re.compile(r"\n*usage: .*?<subcommand> help\n*", re.DOTALL)
PREFIX = re.compile(
    r"^(aws: error: |maskline: \[ERROR\]: )?(An error occurred \((?!\w+\) when)\w+\): )?"
)


class AwsCli:
    """One installed AWS CLI, kept running."""

    def __init__(self, name: str, process: "subprocess.Popen[str]") -> None:
        self.name, self._process = name, process

    def play(self, stage: Stage, case: Case) -> Outcome:
        """Ask it what a case asks."""
        stage.server.play(*answers(case.answers))
        service = SERVICES[self.name]
        words = [service if word == "chime" else word for word in stage.words(case)]
        variable = f"AWS_ENDPOINT_URL_{service.upper().replace('-', '_')}"
        environment = {
            variable if name == "AWS_ENDPOINT_URL_CHIME" else name: value
            for name, value in stage.environment(case).items()
        }
        question = {"words": words, "environment": environment, "directory": str(stage.directory)}
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        return stage.outcome(answer["exit"], answer["stdout"], answer["stderr"])


@contextmanager
def running(name: str) -> Iterator[AwsCli]:
    """An AWS CLI that tools/client-venvs has installed."""
    command = [str(CLIENTS / name / "bin" / "python"), str(ORACLE)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        yield AwsCli(name, process)
        assert process.stdin
        process.stdin.close()


def message(stderr: str) -> str:
    """What an error says, without the frame that differs from version to version."""
    lines = [line for line in stderr.split("\n") if not line.startswith("hint: ")]
    text = USAGE.sub("\n", BANNER.sub("", "\n".join(lines))).strip()
    return PREFIX.sub("", text).strip().replace("aws ", "maskline ")


def differences(ours: Outcome, theirs: Outcome) -> list[str]:
    """In which respects the two outcomes are not the same."""
    found = []
    if theirs.exit not in EXITS.get(ours.exit, ()):
        found.append(f"exit: ours {ours.exit}, theirs {theirs.exit}")
    compared = {
        "stdout": (ours.stdout, theirs.stdout),
        "message": (message(ours.stderr), message(theirs.stderr)),
        "requests": (ours.requests(), theirs.requests()),
        "body": (ours.body(), theirs.body()),
        "signature": (ours.signed_with(), theirs.signed_with()),
    }
    found += [f"{name}: ours {a!r}, theirs {b!r}" for name, (a, b) in compared.items() if a != b]
    return found
