"""Every example of the manual, typed as it is shown, against a live server.

What the server makes up (ids, times, its own name) is replaced by what the example shows in its
place; all the rest must be there as shown, to the letter.
"""

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from contract.cli_live import live_server, receive_call, receive_texts
from examples import commands_of, output_of
from house import House

from maskline.__main__ import main
from maskline.cli import services
from maskline.cli.manual.examples import Example, read

# Members that the server makes up a value for.
MADE_UP = {
    "AccessKeyId",
    "AccountId",
    "CallId",
    "MessageId",
    "PhoneNumberOrderId",
    "ProxySessionId",
    "SecretAccessKey",
    "VoiceConnectorGroupId",
    "VoiceConnectorId",
}
ACCOUNT = "123456789012"
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
# In the order of a day's work: what a command needs is there when its turn comes. A command that
# comes up again shows its next example then.
ORDER = [
    ("admin", "describe-support"),
    ("admin", "import-phone-numbers"),
    ("admin", "list-carriers"),
    ("chime", "list-available-voice-connector-regions"),
    ("admin", "list-imported-phone-numbers"),
    ("chime", "search-available-phone-numbers"),
    ("chime", "create-phone-number-order"),
    ("chime", "get-phone-number-order"),
    ("chime", "list-phone-number-orders"),
    ("chime", "list-supported-phone-number-countries"),
    ("chime", "create-voice-connector"),
    ("chime", "get-voice-connector"),
    ("chime", "list-voice-connectors"),
    ("chime", "update-voice-connector"),
    ("chime", "tag-resource"),
    ("chime", "list-tags-for-resource"),
    ("chime", "untag-resource"),
    ("chime", "associate-phone-numbers-with-voice-connector"),
    ("chime", "list-phone-numbers"),
    ("chime", "get-phone-number"),
    ("chime", "update-phone-number"),
    ("chime", "batch-update-phone-number"),
    ("chime", "disassociate-phone-numbers-from-voice-connector"),
    ("chime", "delete-phone-number"),
    ("chime", "restore-phone-number"),
    ("chime", "batch-delete-phone-number"),
    ("chime", "put-voice-connector-proxy"),
    ("chime", "get-voice-connector-proxy"),
    ("admin", "put-voice-connector-rules"),
    ("admin", "list-audit-records"),
    ("admin", "get-voice-connector-rules"),
    ("chime", "create-proxy-session"),
    ("chime", "get-proxy-session"),
    ("chime", "list-proxy-sessions"),
    ("admin", "evaluate-route"),
    ("admin", "get-pool-report"),
    ("admin", "list-messages"),
    ("admin", "get-message"),
    ("admin", "list-opt-outs"),
    ("admin", "remove-opt-out"),
    ("admin", "retry-message"),
    ("chime", "update-proxy-session"),
    ("admin", "list-calls"),
    ("admin", "get-call"),
    ("chime", "delete-proxy-session"),
    ("chime", "delete-voice-connector-proxy"),
    ("chime", "create-voice-connector-group"),
    ("chime", "get-voice-connector-group"),
    ("chime", "list-voice-connector-groups"),
    ("chime", "update-voice-connector-group"),
    ("chime", "associate-phone-numbers-with-voice-connector-group"),
    ("chime", "disassociate-phone-numbers-from-voice-connector-group"),
    ("chime", "update-voice-connector-group"),
    ("chime", "delete-voice-connector-group"),
    ("chime", "put-voice-connector-termination"),
    ("chime", "get-voice-connector-termination"),
    ("chime", "get-voice-connector-termination-health"),
    ("chime", "put-voice-connector-termination-credentials"),
    ("chime", "list-voice-connector-termination-credentials"),
    ("chime", "delete-voice-connector-termination-credentials"),
    ("chime", "delete-voice-connector-termination"),
    ("chime", "put-voice-connector-origination"),
    ("chime", "get-voice-connector-origination"),
    ("chime", "delete-voice-connector-origination"),
    ("chime", "put-voice-connector-logging-configuration"),
    ("chime", "get-voice-connector-logging-configuration"),
    ("chime", "put-voice-connector-streaming-configuration"),
    ("chime", "get-voice-connector-streaming-configuration"),
    ("chime", "delete-voice-connector-streaming-configuration"),
    ("chime", "put-voice-connector-emergency-calling-configuration"),
    ("chime", "get-voice-connector-emergency-calling-configuration"),
    ("chime", "delete-voice-connector-emergency-calling-configuration"),
    ("chime", "put-voice-connector-external-systems-configuration"),
    ("chime", "get-voice-connector-external-systems-configuration"),
    ("chime", "delete-voice-connector-external-systems-configuration"),
    ("chime", "update-global-settings"),
    ("chime", "get-global-settings"),
    ("chime", "update-phone-number-settings"),
    ("chime", "get-phone-number-settings"),
    ("chime", "delete-voice-connector"),
    ("admin", "remove-phone-numbers"),
    ("admin", "create-account"),
    ("admin", "list-accounts"),
    ("admin", "list-access-keys"),
    ("admin", "create-access-key"),
    ("admin", "rotate-access-key"),
    ("admin", "update-access-key"),
    ("admin", "delete-access-key"),
]


FOR_A_SESSION = [
    ("admin", "import-phone-numbers"),
    ("chime", "create-voice-connector"),
    ("chime", "put-voice-connector-proxy"),
    ("chime", "create-proxy-session"),
]


@dataclass
class Reader:
    """Somebody who follows the manual, and knows which of its ids stands for which real one."""

    capsys: pytest.CaptureFixture[str]
    real: dict[str, str] = field(default_factory=dict)

    def type(self, command: str, shown: str = "") -> tuple[int, str, str]:
        """Type a command; the exit code and what is printed, with the ids of the manual."""
        for pretended, real in self.real.items():
            command = command.replace(pretended, real)
        code = main(shlex.split(command)[1:])
        out, err = self.capsys.readouterr()
        if shown.startswith(("{", "[")) and out:
            self.learn(json.loads(shown), json.loads(out))
        if found := re.search(r"arn:aws:chime:[^:]*:(\d{12}):", out):
            self.real.setdefault(ACCOUNT, found[1])
        for pretended, real in self.real.items():
            out = out.replace(real, pretended)
        return code, out, err

    def learn(self, shown: Any, real: Any, member: str = "") -> None:
        """Take what the server made up in the places where the manual shows an id."""
        if isinstance(shown, dict):
            for name, value in shown.items():
                self.learn(value, real.get(name), name)
        elif isinstance(shown, list) and shown and isinstance(real, list) and real:
            self.learn(shown[0], real[0], member)
        elif member in MADE_UP:
            self.real.setdefault(shown, str(real))

    def follow(self, example: Example) -> None:
        for command in commands_of(example):
            code, out, err = self.type(command, output_of(example))
            assert (code, re.sub(r".*numbers imported.*\n", "", err)) == (0, "")
            assert settled(out, output_of(example)) == output_of(example)


def settled(out: str, shown: str) -> str:
    """The output with the times of the example, in the order they stand there."""
    times = iter(TIMESTAMP.findall(shown))
    return TIMESTAMP.sub(lambda found: next(times, found[0]), out)


@pytest.fixture
def live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "numbers.csv").write_text(
        "number,city\n+12065550197,Seattle\n\n+12065550196,\n+12065550195\n"
    )
    with live_server(tmp_path) as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        yield server


def examples(command: str, name: str) -> list[Example]:
    return read(services.SERVICES[command].model, name)


def test_the_examples_do_what_they_show(live: House, capsys: pytest.CaptureFixture[str]) -> None:
    reader = Reader(capsys)
    for place, (command, name) in enumerate(ORDER):
        shown = examples(command, name)
        turn = ORDER[:place].count((command, name))
        last = (command, name) not in ORDER[place + 1 :]
        if name == "list-calls":
            receive_call(live, "+12065550100", "+19135550199")
            receive_call(live, "+12065550100", "+19135550142")  # nobody's number
        if name == "list-messages":
            receive_texts(live, "+12065550100", "+19135550199")
        for example in shown[turn:] if last else shown[turn : turn + 1]:
            reader.follow(example)


def test_no_example_is_left_out() -> None:
    every = {(command, name) for command in ("chime", "admin") for name in operations_of(command)}
    assert set(ORDER) == every


def operations_of(command: str) -> list[str]:
    return list(services.operations_of(services.SERVICES[command]))


def test_route_in_plain_words(live: House, capsys: pytest.CaptureFixture[str]) -> None:
    reader = Reader(capsys)
    for command, name in FOR_A_SESSION:
        reader.follow(examples(command, name)[0])
    ask, proxy = "maskline route --caller +12065550100 --called ", "+19135550199"
    code, out, _ = reader.type(ask + proxy)
    assert code == 0
    assert out.startswith(f"+12065550100 calls {proxy}\nDecision: Connect\n  rings +14015550101")
    assert "Reason: session: an open proxy session joins" in out
    assert "Decision: Reject (SIP 404)" in reader.type(ask + "+19995550100")[1]
    assert reader.type(ask + proxy + " --query Decision --output text")[1] == "Connect\n"
