"""The mask over generated messages: nothing of one leg is told to the other, and whatever is
written finds its way back."""

import base64
import os
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskline_sip import allowed, mask, sdp, sip

KEYS = mask.Keyring({"a": bytes(range(64)), "b": bytes(range(64, 128))}, "a")
HERE = "192.0.2.1:5060"
SHOWN, CALLED = "sip:+19135550199@192.0.2.1:5060", "sip:+14015550101@carrier.example"

token = st.text("abcdefghijklmnopqrstuvwxyz0123456789-.", min_size=6, max_size=20).map(
    lambda text: "SECRET" + text
)
anything = st.binary(max_size=30).map(lambda raw: b"SECRET" + raw.translate(None, b"\r\n\0"))
header_name = st.sampled_from(
    ["Subject", "User-Agent", "Server", "P-Asserted-Identity", "Remote-Party-ID", "X-Any", "s", "k",
     "Supported", "Require", "Allow", "Session-Expires", "x", "Min-SE", "Reason", "Warning", "RSeq",
     "RAck", "Retry-After", "Call-Info", "Route", "X-Maskline", "Content-Disposition", "Date"]
)  # fmt: skip
extra = st.lists(st.tuples(header_name, anything, st.booleans()), max_size=12)


def message(
    start: str, fixed: list[tuple[str, str]], extras: list[tuple[str, bytes, bool]]
) -> bytes:
    lines = [start.encode(), *(f"{name}: {value}".encode() for name, value in fixed)]
    lines += [
        name.encode() + b":" + (b"\r\n " if fold else b" ") + value for name, value, fold in extras
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n"


@st.composite
def invites(draw: st.DrawFn) -> bytes:
    call_id, tag, branch, host = (draw(token) for _ in range(4))
    fixed = [
        (draw(st.sampled_from(["Via", "v"])), f"SIP/2.0/UDP {host};branch=z9hG4bK{branch}"),
        (
            draw(st.sampled_from(["From", "f"])),
            f'"{draw(token)}" <sip:+12065550100@{host}>;tag={tag}',
        ),
        (draw(st.sampled_from(["To", "t"])), f"<sip:+19135550199@{HERE}>"),
        (draw(st.sampled_from(["Call-ID", "i"])), f"{call_id}@{host}"),
        ("CSeq", f"{draw(st.integers(1, 2**31))} INVITE"),
        (draw(st.sampled_from(["Contact", "m"])), f"<sip:{draw(token)}@{host}>"),
    ]
    routes = draw(st.lists(token, max_size=3))
    if routes:
        fixed.append(("Record-Route", ", ".join(f"<sip:{route};lr>" for route in routes)))
    return message(f"INVITE sip:+19135550199@{HERE} SIP/2.0", fixed, draw(extra))


@st.composite
def replies(draw: st.DrawFn, method: str = "INVITE") -> bytes:
    host, status = draw(token), draw(st.integers(101, 699))
    fixed = [
        ("Via", f"SIP/2.0/UDP {host};branch=z9hG4bKx"),
        ("From", f"<sip:{draw(token)}@{host}>;tag={draw(token)}"),
        ("To", f'"{draw(token)}" <sip:+14015550101@{host}>;tag={draw(token)}'),
        ("Call-ID", draw(token)),
        ("CSeq", f"1 {method}"),
        ("Contact", f"<sip:{draw(token)}@{host}>"),
    ]
    routes = draw(st.lists(token, max_size=3))
    fixed += [("Record-Route", f"<sip:{route};lr>") for route in routes]
    return message(f"SIP/2.0 {status} {draw(token)}", fixed, draw(extra))


def passage_of(request: sip.Message) -> mask.Passage:
    return mask.first_passage(KEYS, request, mask.Call("c7c1f1f0", SHOWN, CALLED))


def told(payload: bytes) -> bool:
    """Whether any mark is in it, plain or in a common encoding."""
    marks = [b"SECRET", b"12065550100", b"SECRET".hex().encode(), b"%53%45%43"]
    marks += [base64.b64encode(b"xy"[:n] + b"SECRET")[2:8] for n in range(3)]
    return any(mark.lower() in payload.lower() for mark in marks)


def ask_of(request: sip.Message) -> mask.Asked:
    return mask.Asked(
        request.all("via"),
        request.first("from"),
        request.first("to"),
        request.all("record-route"),
        HERE,
        request.first("cseq"),
    )


@settings(max_examples=300, deadline=None)
@given(invites())
def test_the_called_party_learns_nothing(raw: bytes) -> None:
    request = sip.parse(raw)
    payload = mask.request_payload(KEYS, passage_of(request), request, HERE, allowed.NO_BODY)
    assert not told(payload)
    assert b"+19135550199" in payload


@settings(max_examples=300, deadline=None)
@given(invites(), replies())
def test_the_caller_learns_nothing(raw: bytes, answer: bytes) -> None:
    request = sip.parse(raw)
    written = mask.reply_payload(
        KEYS, passage_of(request), ask_of(request), sip.parse(answer), allowed.NO_BODY
    )
    own = {v for _, v in request.headers}
    foreign = [
        value
        for name, value in sip.parse(written).headers
        if name not in ("via", "from", "call-id", "record-route") and value not in own
    ]
    to = sip.parse(written).first("to")
    assert not any(told(value.encode("latin-1")) for value in foreign)
    assert to.startswith(request.first("to"))
    assert not told(written.split(b"\r\n", 1)[0])


@settings(max_examples=300, deadline=None)
@given(invites(), replies())
def test_either_party_finds_the_other_again(raw: bytes, answer: bytes) -> None:
    request, reply = sip.parse(raw), sip.parse(answer)
    passage = passage_of(request)
    invite = sip.parse(
        b"INVITE sip:x SIP/2.0\r\nVia: x\r\n"
        + mask.request_payload(KEYS, passage, request, HERE, allowed.NO_BODY).split(b"\r\n", 1)[1]
    )
    far = mask.answered_leg(passage, reply)
    target = sip.address(invite.first("contact")).uri
    own, peer = reply.address("to"), invite.address("from")
    bye = within(
        "BYE", target, invite.call_id, f"{own.text};tag={own.tag}", f"{peer.text};tag={peer.tag}"
    )
    found = mask.dialog_passage(KEYS, bye)
    assert found is not None
    assert found.far == passage.near
    assert mask.request_payload(KEYS, found, bye, HERE, allowed.NO_BODY).startswith(
        f"BYE {passage.near.target} SIP/2.0".encode()
    )
    tag = KEYS.alias("a", "tag", far.call_id, far.tag)
    from_caller = within(
        "BYE",
        f"sip:{KEYS.seal('a', far)}@{HERE}",
        request.call_id,
        request.first("from"),
        f"{request.first('to')};tag={tag}",
    )
    back = mask.dialog_passage(KEYS, from_caller)
    assert back is not None
    assert back.far == far


def within(method: str, target: str, call_id: str, sender: str, receiver: str) -> sip.Message:
    fixed = [
        ("Via", "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKq"),
        ("From", sender),
        ("To", receiver),
        ("Call-ID", call_id),
        ("CSeq", f"2 {method}"),
    ]
    return sip.parse(message(f"{method} {target} SIP/2.0", fixed, []))


LEG = mask.Leg(
    "ref", mask.CALLER, "c1@a", "t1", "<sip:+12065550100@a>", "<sip:+1913@h>", "sip:+1206@a"
)


def test_a_token_is_worth_nothing_in_another_dialog() -> None:
    """A party may see tokens of its own leg; replayed anywhere else they open nothing."""
    target = f"sip:{KEYS.seal('a', LEG)}@{HERE}"
    called_call_id = KEYS.alias("a", "call", LEG.call_id, LEG.tag)
    tag = KEYS.alias("a", "tag", LEG.call_id, LEG.tag)
    good = within("BYE", target, called_call_id, "<sip:b>;tag=b", f"<sip:n>;tag={tag}")
    assert mask.dialog_passage(KEYS, good) is not None
    wrong_call = within("BYE", target, "other", "<sip:b>;tag=b", f"<sip:n>;tag={tag}")
    wrong_tag = within("BYE", target, called_call_id, "<sip:b>;tag=b", "<sip:n>;tag=zz")
    own_leg = within("BYE", target, LEG.call_id, f"<sip:a>;tag={LEG.tag}", f"<sip:n>;tag={tag}")
    for stranger in (wrong_call, wrong_tag, own_leg):
        assert mask.dialog_passage(KEYS, stranger) is None


@given(st.text("abcdefghijklmnopqrstuvwxyz234567", max_size=400))
def test_an_invented_token_opens_nothing(text: str) -> None:
    assert KEYS.open(text) is None


def test_a_changed_token_opens_nothing() -> None:
    sealed = KEYS.seal("a", LEG)
    for index in range(1, len(sealed)):
        changed = sealed[:index] + ("b" if sealed[index] != "b" else "c") + sealed[index + 1 :]
        assert KEYS.open(changed) in (None, ("a", LEG))
    assert KEYS.open("b" + sealed[1:]) is None


def test_a_call_keeps_its_key_when_the_current_one_changes() -> None:
    rotated = mask.Keyring({"a": bytes(range(64)), "b": bytes(range(64, 128))}, "b")
    assert rotated.open(KEYS.seal("a", LEG)) == ("a", LEG)
    assert rotated.alias("a", "x") == KEYS.alias("a", "x")


def test_a_call_of_an_earlier_version_is_carried_on() -> None:
    """Nodes are given a new version one after the other. Written by that of the schema's 25th
    step; whoever has to change these words breaks the calls that live at an upgrade."""
    token = (
        "agvycpdip6wyntzosxlcdydy2x33leeavg7ecxkbqiw65ca3lpzsse5dkpctrxbwdiybdaakt3ryww64eeepi5lytkor"
        "zdroysrje4b37rwnjclrsirfuigmpo2fudbw5mjwlw72tia7puidjbrnolqlcjdlljpusupa3g5vijnu4uw2x43sa"
    )
    routes = ("<sip:192.0.2.8;lr>", "<sip:192.0.2.9;lr>")
    leg = mask.Leg(
        "0123abcd-1", "called", "c1@192.0.2.7", "t1", "<sip:+14015550101@192.0.2.7>",
        "<sip:+19135550199@192.0.2.1>", "sip:ben@192.0.2.7:5062;transport=tcp", routes,
        "1", "0", "", "1", "2", "1",
    )  # fmt: skip
    assert KEYS.open(token) == ("a", leg)
    assert KEYS.alias("a", "tag", "c1", "t1") == "xansleuutfrgaikz2mtvhwf5"


def test_a_long_name_is_no_part_of_a_leg() -> None:
    """Whatever a phone calls itself, its call can be hung up."""
    name = '"' + os.urandom(2500).hex() + '"'
    invite = within("INVITE", f"sip:n@{HERE}", "c", f"{name} <sip:a@h>;tag=a", f"{name} <sip:n@h>")
    leg = passage_of(invite).near
    assert (leg.own, leg.peer) == ("<sip:a@h>", "<sip:n@h>")
    assert KEYS.open(KEYS.seal("a", leg)) == ("a", leg)


def test_no_leg_is_sealed_that_would_not_be_opened() -> None:
    """Such a call could never be hung up: it does not come about."""
    refused = []
    for octets in range(1500, 3500, 50):
        leg = LEG._replace(target=f"sip:{os.urandom(octets).hex()}@a")
        try:
            token = KEYS.seal("a", leg)
        except mask.Refused:
            refused.append(octets)
            continue
        assert KEYS.open(token) == ("a", leg)
    assert 2000 < min(refused) < 3000


def test_legs_with_the_same_words_seal_alike_and_others_do_not() -> None:
    assert KEYS.seal("a", LEG) == KEYS.seal("a", LEG._replace())
    assert KEYS.seal("a", LEG) != KEYS.seal("a", LEG._replace(tag="t2"))
    assert re.fullmatch("[a-z2-7]+", KEYS.seal("a", LEG))
    assert len(KEYS.seal("a", LEG)) < 260


@pytest.mark.parametrize(
    ("given_", "seen"), [(183, 183), (302, 480), (401, 480), (407, 480), (487, 487), (699, 603)]
)
def test_statuses_are_the_registered_ones(given_: int, seen: int) -> None:
    assert allowed.status(given_) == seen


@pytest.mark.parametrize(
    ("said", "seen"),
    [
        ("1800", "1800"), ("1800;refresher=uas", "1800;refresher=uas"),
        ("1800 ; x=SECRET; Refresher = UAC", "1800;refresher=uac"),
        ("1800;refresher=uac;SECRET", "1800;refresher=uac"), ("1800;refresher=SECRET", "1800"),
        ("1800SECRET", None), ("SECRET", None), ("1800,SECRET", None),
    ],
)  # fmt: skip
def test_a_session_interval_passes_and_nothing_beside_it(said: str, seen: str | None) -> None:
    raw = within("UPDATE", f"sip:x@{HERE}", "c", "<sip:a>;tag=a", "<sip:b>;tag=b")
    timed = sip.Message(raw.start, (*raw.headers, ("session-expires", said)), b"")
    assert dict(allowed.request_headers(timed)).get("Session-Expires") == seen


def test_a_key_press_passes_and_nothing_beside_it() -> None:
    relay = b"Signal=5\r\nDuration=160\r\n"
    assert allowed.key_press("application/dtmf-relay", relay).content == relay
    for more in (b"X=SECRET\r\n", b"\r\nSECRET"):
        assert allowed.key_press("application/dtmf-relay", relay + more).content == relay
    swapped = b"Duration= 160 \nsignal = 5\n"
    assert allowed.key_press("application/dtmf-relay", swapped).content == relay
    alone = b"Signal=5\r\n"
    assert allowed.key_press("application/dtmf-relay", alone).content == alone
    assert allowed.key_press("application/dtmf-relay", b"Signal=55\r\n") == allowed.NO_BODY
    assert allowed.key_press("text/plain", b"5") == allowed.NO_BODY


def test_sdp_keeps_streams_and_drops_the_rest() -> None:
    text = (
        b"v=0\r\no=SECRET 1 2 IN IP4 10.0.0.1\r\ns=SECRET\r\ni=SECRET\r\nc=IN IP4 10.0.0.1\r\n"
        b"b=X-SECRET:1\r\nt=0 0\r\na=SECRET\r\n"
        b"m=audio 4000 RTP/AVP 8 97 111 101\r\na=rtpmap:8 PCMA/8000\r\n"
        b"a=rtpmap:97 SECRET/8000\r\na=fmtp:97 SECRET=1\r\na=rtpmap:111 opus/48000/2\r\n"
        b"a=fmtp:111 useinbandfec=1;x-SECRET=1;stereo=SECRET\r\n"
        b"a=rtpmap:101 telephone-event/8000\r\n"
        b"a=fmtp:101 0-15\r\na=mid:SECRET\r\na=sendonly\r\n"
        b"m=video 5000 RTP/AVP 99\r\na=rtpmap:99 SECRET/9\r\n"
    )
    out = sdp.write(sdp.read(text), 7, 8)
    assert b"SECRET" not in out
    assert b"m=audio 4000 RTP/AVP 8 111 101\r\n" in out
    assert b"a=fmtp:111 useinbandfec=1\r\n" in out
    assert b"a=sendonly\r\n" in out
    assert b"m=video 0 RTP/AVP 0\r\n" in out
    assert sdp.read(out) == sdp.read(sdp.write(sdp.read(out), 7, 8))


@pytest.mark.parametrize(
    "body",
    [
        b"v=0\r\nm=audio 1 RTP/AVP 0\r\n" * 20,
        b"v=0\r\nc=IN IP4 SECRET\r\nm=audio 1 RTP/AVP 0\r\n",
        b"v=0\r\nc=IN IP4 10.0.0.1\r\nm=audio 1 RTP/AVP 96\r\na=rtpmap:96 SECRET/8000\r\n",
        # Keys alone can be pressed in it, and nobody heard.
        b"v=0\r\nc=IN IP4 10.0.0.1\r\nm=audio 1 RTP/AVP 96 101 13\r\na=rtpmap:96 EVS/16000\r\n"
        b"a=rtpmap:101 telephone-event/8000\r\n",
        b"v=0\r\n",
        b"v=0\r\nc=IN IP4 10.0.0.1\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\n",
        b"v=0\r\nc=IN IP4 10.0.0.1\r\nm=audio 0 RTP/AVP 0\r\nm=image 4000 udptl t38\r\n",
        b"\xff" * 20_000,
    ],
)
def test_sdp_that_cannot_be_carried_is_refused(body: bytes) -> None:
    with pytest.raises(sdp.Unacceptable):
        sdp.read(body)


def test_sdp_may_give_up_all_its_streams() -> None:
    assert not sdp.read(b"v=0\r\nc=IN IP4 10.0.0.1\r\nm=audio 0 RTP/AVP 0\r\n").active


def test_sdp_names_no_codec_of_a_refused_stream_that_it_does_not_explain() -> None:
    given = (
        b"v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 0 RTP/AVP 8 101\r\n"
        b"a=rtpmap:101 telephone-event/8000\r\n"
    )
    written = sdp.write(sdp.read(given), 1, 1)
    assert b"m=audio 0 RTP/AVP 8\r\n" in written
    assert sdp.write(sdp.read(written), 1, 1) == written


def test_sdp_keeps_no_format_of_a_stream_whose_profile_it_does_not_know() -> None:
    given = b"v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 0 RTP/SECRET *\r\n"
    assert b"m=audio 0 RTP/AVP 0\r\n" in sdp.write(sdp.read(given), 1, 1)


def test_sdp_is_found_in_a_multipart() -> None:
    part = (
        b"--b1\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n\r\n--b1\r\n"
        b"Content-Type: x\r\n\r\nSECRET\r\n--b1--\r\n"
    )
    assert sdp.from_body('multipart/mixed;boundary="b1"', part) == b"v=0\r\n"
    assert sdp.from_body("text/plain", b"v=0") == b""


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    for start in (b"", b"INVITE sip:a@b SIP/2.0\r\n", b"SIP/2.0 200 OK\r\n"):
        try:
            sip.parse(start + raw + b"\r\n\r\n")
        except sip.Malformed:
            continue
