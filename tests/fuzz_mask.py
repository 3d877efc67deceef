"""Coverage-guided fuzzing of all that reads what strangers send: the parser, descriptions, the
mask, both doors. A crash, a leak or a message that changes on its way is a finding.

Usage: python tests/fuzz_mask.py [-runs=N | -max_total_time=SECONDS] [libFuzzer's other options]
"""

import contextlib
import random
import sys
import tempfile
from pathlib import Path

import atheris

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "kamailio")]

with atheris.instrument_imports(include=["maskline_sip"]):
    from maskline_sip import allowed, gate, kept, mask, places, sdp, sip, texts

import torture  # noqa: E402  the path had to be set first
from generated_calls import Party  # noqa: E402

MARK = b"S1CA8"
KEYS = mask.Keyring({"a": bytes(range(64))}, "a")
OWN = "192.0.2.1:5060"
ENTRANCE = gate.Entrance("5a17" * 8)
GATE = gate.Gate("5ec1e7" * 6, "10ca1" * 6, ENTRANCE, [OWN])
CALL = mask.Call("c7c1f1f0", f"sip:+19135550199@{OWN}", "sip:+14015550101@carrier.example")
REFUSALS = (sip.Malformed, sdp.Unacceptable, mask.Refused, texts.NoText)
# The other party's own message, which a fuzzed reply answers.
ASKED = sip.parse(
    b"INVITE sip:+19135550199@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP b;branch=z9hG4bKb\r\n"
    b"From: <sip:b@b>;tag=b\r\nTo: <sip:n@h>\r\nCall-ID: b@b\r\nCSeq: 7 INVITE\r\n"
    b"Contact: <sip:b@b>\r\n\r\n"
)
PASSAGE = mask.first_passage(KEYS, ASKED, CALL)


class Finding(Exception):
    """Something that must not be."""


def hold(true: bool, what: str) -> None:
    if not true:
        raise Finding(what)


def told_nothing(payload: bytes) -> None:
    hold(MARK not in payload and MARK.hex().encode() not in payload, "a leak")
    hold(payload.count(b"\r\n\r\n") >= 1 and b"\0" not in payload, "a message out of shape")


def body_of(message: sip.Message) -> allowed.Body:
    text = sdp.from_body(message.first("content-type"), message.body)
    return allowed.Body("application/sdp", described(text)) if text else allowed.NO_BODY


def described(octets: bytes) -> bytes:
    """A description as it is written anew, the media engine's address in place of its own."""
    read = places.unplaced(sdp.read(octets))
    of_party = sdp.write(read, 1, 2)
    again = places.unplaced(sdp.read(of_party))
    hold(sdp.write(again, 1, 2) == of_party, "a party's description that changes")
    read.address = "IP4 192.0.2.1"
    for stream in read.streams:
        stream.address = ""
        stream.profile = "RTP/AVP" if stream.tunnelled and stream.port else stream.profile
    written = sdp.write(read, 1, 2)
    hold(sdp.write(sdp.read(written), 1, 2) == written, "a description that changes")
    hold(sdp.addresses(sdp.read(written)) == {"192.0.2.1"}, "an address of somebody else's")
    return written


def request(message: sip.Message) -> None:
    texts_or_key = allowed.key_press(message.first("content-type"), message.body)
    told_nothing(b"\r\n\r\n" + texts_or_key.content)
    first = mask.first_passage(KEYS, message, CALL)
    payload = mask.request_payload(KEYS, first, message, OWN, body_of(message))
    told_nothing(payload)
    again = sip.parse(payload.replace(b"\r\n", b"\r\nVia: x\r\n", 1))
    hold(again.method == message.method, "a method that changes")
    known = kept.of(first, message, OWN)
    hold(kept.read(known.text()) == known, "a context that changes")
    token = KEYS.seal("a", first.near)
    hold(KEYS.open(token) == ("a", first.near), "a leg that changes")
    hold(mask.dialog_passage(KEYS, message) is None, "a dialog out of nothing")
    if message.method == "MESSAGE":
        texts.read(message)


def reply(message: sip.Message) -> None:
    asked = mask.Asked(["SIP/2.0/UDP b"], "<sip:b@b>;tag=b", "<sip:n@h>", [], OWN, "7 INVITE")
    told_nothing(mask.reply_payload(KEYS, PASSAGE, asked, message, body_of(message)))


def doors(octets: bytes) -> None:
    try:
        GATE.leave(octets)
    except (sip.Malformed, mask.Refused, UnicodeDecodeError):
        pass
    else:
        raise Finding("a message that nobody wrote leaves")
    came = ENTRANCE.unmark(ENTRANCE.mark(octets))
    hold(sip.parse(came) == sip.parse(octets), "a request that changes at the entrance")


def one(octets: bytes) -> None:
    for step in (doors, described):
        with contextlib.suppress(*REFUSALS):
            step(octets)
    with contextlib.suppress(*REFUSALS):
        message = sip.parse(octets)
        (reply if message.is_reply else request)(message)


def seeds(folder: Path) -> None:
    who = {"NUMBER": "+19135550199", "CALLER": "+12065550100"}
    for message in torture.messages():
        octets = message.message("192.0.2.11:5060", OWN, "UDP", "c1", **who)
        (folder / message.name).write_bytes(octets)
    chance = random.Random(1)
    for number in range(100):
        party = Party(MARK.decode(), "+12065550100", "198.51.100.11", chance)
        for start in (f"INVITE sip:+19135550199@{OWN} SIP/2.0", f"SIP/2.0 200 {party.word()}"):
            headers = [
                *(("Via", via) for via in party.vias()),
                ("From", f"{party.address()};tag={party.word()}"), ("To", party.address()),
                ("Call-ID", party.word()), ("CSeq", "1 INVITE"), ("Contact", party.contact()),
                *party.extras(),
            ]  # fmt: skip
            octets = party.written(start, headers, party.description())
            (folder / f"{start[:3]}{number}").write_bytes(octets)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="fuzz") as corpus:
        seeds(Path(corpus))
        atheris.Setup([*sys.argv, corpus, "-max_len=4096", "-print_final_stats=1"], one)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
