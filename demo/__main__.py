"""`make demo`: two people call each other through a proxy number, and neither learns the other's.

Two real telephones (baresip), a small telephone company between them and Maskline, one call with
a tone each way. What each side saw and heard is printed side by side and checked; then the update
and get commands of the manual are run. The exit status is 0 only if all of it was true.
"""

import argparse
import asyncio
import re
import sys
import tempfile
import time
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tone
from carrier import Carrier
from phone import Phone
from stage import Refused, Stage, own_stage, running_stage

PROXY = "+19135550199"
CONNECTOR = "maskline-demo"
TALK_SECONDS = 3.0
HEARD_SECONDS = 2.0  # of a tone, to call it heard
RECORDED_SECONDS = 10.0  # in which the end of a call is so, on a slow machine
KEYS = [
    "VoiceConnectorId", "ProxySessionId", "Status", "ExpiryMinutes", "Capabilities",
    "CreatedTimestamp", "UpdatedTimestamp", "Participants",
]  # fmt: skip


@dataclass(frozen=True)
class Person:
    name: str
    number: str
    address: str
    tone: int


ANN = Person("Ann", "+12065550100", "127.0.0.11", 440)
BEN = Person("Ben", "+14015550101", "127.0.0.12", 880)


class Findings:
    """What was found out, and whether all of it was as it must be."""

    def __init__(self) -> None:
        self.good = True

    def note(self, told: str, good: bool) -> None:
        print(f"  {'ok   ' if good else 'WRONG'} {told}")
        self.good = self.good and good


def main() -> int:
    try:
        return play()
    except Refused as refusal:
        print(f"\n{refusal}", file=sys.stderr)
        if "No proxy phone number is free" in str(refusal):
            print(
                f"An open session between {ANN.number} and {BEN.number} has {PROXY}: delete it"
                " (maskline chime delete-proxy-session), and play again.",
                file=sys.stderr,
            )
        return 1


def play() -> int:
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--config", type=Path, default=Path("maskline.toml"))
    config = parser.parse_args().config
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="maskline-demo-")))
        stage = running_stage(config)
        if stage is None:
            print("No service with the carrier 'demo' is running; the demo starts its own.")
            stage = stack.enter_context(own_stage(folder))
        findings = Findings()
        session = open_session(stage)
        try:
            asyncio.run(call(stage, session, folder, findings))
            manual(stage, session, findings)
        finally:
            stage.run("chime", "delete-proxy-session", *ids(session))
    print("\nAll of it was true." if findings.good else "\nNot all of it was true.")
    return 0 if findings.good else 1


def open_session(stage: Stage) -> dict[str, Any]:
    """A session between the two, on a connector of the demo's own."""
    stage.run(
        "admin", "import-phone-numbers",
        "--carrier-name", stage.carrier.name, "--e164-phone-numbers", PROXY, "--shared",
    )  # fmt: skip
    connector = ("--voice-connector-id", connector_id(stage))
    stage.run(
        "chime", "put-voice-connector-proxy", *connector,
        "--default-session-expiry-minutes", "60", "--phone-number-pool-countries", "US",
    )  # fmt: skip
    left = stage.run("chime", "list-proxy-sessions", *connector, "--status", "Open")
    for session in left["ProxySessions"]:
        stage.run("chime", "delete-proxy-session", *ids(session))
    made = stage.show(
        "chime", "create-proxy-session", *connector,
        "--participant-phone-numbers", ANN.number, BEN.number, "--capabilities", "SMS", "Voice",
    )  # fmt: skip
    session: dict[str, Any] = made["ProxySession"]
    return session


def connector_id(stage: Stage) -> str:
    for connector in stage.run("chime", "list-voice-connectors")["VoiceConnectors"]:
        if connector["Name"] == CONNECTOR:
            return str(connector["VoiceConnectorId"])
    made = stage.run(
        "chime", "create-voice-connector", "--name", CONNECTOR, "--no-require-encryption"
    )
    return str(made["VoiceConnector"]["VoiceConnectorId"])


def ids(session: dict[str, Any]) -> tuple[str, ...]:
    return (
        "--voice-connector-id", session["VoiceConnectorId"],
        "--proxy-session-id", session["ProxySessionId"],
    )  # fmt: skip


async def call(stage: Stage, session: dict[str, Any], folder: Path, findings: Findings) -> None:
    """Ann calls Ben through the proxy number; what they saw and heard is noted."""
    proxy = session["Participants"][0]["ProxyPhoneNumber"]
    own = stage.carrier.sip.address
    carrier = Carrier((own.host, own.port), (stage.sip.host, stage.sip.port))
    async with AsyncExitStack() as stack:
        await carrier.start()
        stack.callback(carrier.stop)
        ann, ben = [await telephone(person, carrier, folder, stack) for person in (ANN, BEN)]
        await ann.press("dial", f"sip:{proxy}@{own}")
        rang = await ben.until("CALL_INCOMING")
        await ben.press("accept")
        answered = await ann.until("CALL_ESTABLISHED")
        await asyncio.sleep(TALK_SECONDS)
        during = await asyncio.to_thread(stage.run, "chime", "get-proxy-session", *ids(session))
        await ann.press("hangup")
        await ben.until("CALL_CLOSED")
        await asyncio.to_thread(until_over, stage, session)
    shown_to_ann, shown_to_ben = number_in(answered), number_in(rang)
    print(f"\n  Ann ({ANN.number}) called Ben ({BEN.number}):")
    side_by_side(f"Ann dialled {proxy}", f"Ben's phone showed {shown_to_ben}")
    side_by_side(f"Ann's phone showed {shown_to_ann}", f"Ben talked to {shown_to_ben}")
    findings.note("both saw the proxy number", {shown_to_ann, shown_to_ben} == {proxy})
    check_sound(ann, ben, findings)
    check_secrets(carrier, ann, ben, findings)
    status = during["ProxySession"]["Status"]
    findings.note(f"during the call the session was {status}", status == "InProgress")


def until_over(stage: Stage, session: dict[str, Any]) -> None:
    """Until the end of the call is recorded, a moment after the phones have seen it."""
    end = time.monotonic() + RECORDED_SECONDS
    while time.monotonic() < end:
        found = stage.run("chime", "get-proxy-session", *ids(session))
        if found["ProxySession"]["Status"] != "InProgress":
            return


async def telephone(person: Person, carrier: Carrier, folder: Path, stack: AsyncExitStack) -> Phone:
    own = folder / person.name
    own.mkdir()
    phone = Phone(person.number, person.address, f"{carrier.own[0]}:{carrier.own[1]}", own)
    tone.write(phone.voice, person.tone)
    await phone.start()
    stack.push_async_callback(phone.stop)
    carrier.phones[person.number] = (phone.address, phone.sip_port)
    return phone


def number_in(event: dict[str, Any]) -> str:
    """The number in the address of the other side, as a phone shows it."""
    found = re.match(r"sip:([^@]+)@", event["peeruri"])
    return found[1] if found else event["peeruri"]


def side_by_side(left: str, right: str) -> None:
    print(f"    {left:<36}{right}")


def check_sound(ann: Phone, ben: Phone, findings: Findings) -> None:
    for hearer, who, said in ((ben, "Ben", ANN), (ann, "Ann", BEN)):
        own = ANN.tone + BEN.tone - said.tone
        seconds = tone.seconds_of(hearer.heard, said.tone)
        echo = tone.seconds_of(hearer.heard, own)
        told = f"{who} heard {said.name}'s tone of {said.tone} Hz for {seconds:.1f} s"
        findings.note(told, seconds >= HEARD_SECONDS and not echo)


def check_secrets(carrier: Carrier, ann: Phone, ben: Phone, findings: Findings) -> None:
    """Looks through every byte of signalling that reached each phone."""
    for reader, name, other in ((ben, "Ben", ann), (ann, "Ann", ben)):
        delivered = carrier.delivered[reader.address, reader.sip_port]
        secrets = (other.number.removeprefix("+"), other.address)
        hidden = not any(secret.encode() in delivered for secret in secrets)
        told = f"nothing of the other's number or address in {len(delivered)} bytes sent to {name}"
        findings.note(told, hidden)


def manual(stage: Stage, session: dict[str, Any], findings: Findings) -> None:
    """The two commands of the manual's examples."""
    updated = stage.show("chime", "update-proxy-session", *ids(session), "--capabilities", "Voice")[
        "ProxySession"
    ]
    got = stage.show("chime", "get-proxy-session", *ids(session))["ProxySession"]
    print()
    findings.note("both answers have the manual's form", list(updated) == list(got) == KEYS)
    findings.note("the session can carry voice only", got["Capabilities"] == ["Voice"])
    findings.note(f"after the call the session is {got['Status']}", got["Status"] == "Open")


if __name__ == "__main__":
    sys.exit(main())
