"""The doors: what leaves is what the script wrote, and nobody can guess what Kamailio hashes."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline_sip import gate, sip

VIA = "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKc82e.0f92e534c23df3aeb30efdd23a9aa6ad.0\r\n"
ENTRANCE = gate.Entrance("5a17")
GATE = gate.Gate("s3cret", "l0cal", ENTRANCE, ["192.0.2.1:5060"])
REST = "From: <sip:SECRET@x>;tag=SECRET\r\nTo: <sip:b@y>\r\nCall-ID: SECRET\r\nCSeq: 1 INVITE\r\n"
PAYLOAD = (
    b"INVITE sip:b@y SIP/2.0\r\nMax-Forwards: 69\r\nFrom: <sip:n@h>;tag=m\r\nTo: <sip:b@y>\r\n"
    b"Call-ID: masked\r\nCSeq: 1 INVITE\r\nContact: <sip:t@h>\r\nContent-Length: 0\r\n\r\n"
)


def leaving(start: str, extras: str = "", via: str = VIA, rest: str = REST) -> bytes:
    return f"{start}\r\n{via}Via: SIP/2.0/UDP SECRET\r\n{rest}{extras}\r\nSECRET body".encode()


def test_the_gate_lets_out_what_was_written_and_nothing_else() -> None:
    out = GATE.leave(leaving("INVITE sip:SECRET SIP/2.0", GATE.header(PAYLOAD)))
    assert out.startswith(
        b"INVITE sip:b@y SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK"
    )
    assert b"SECRET" not in out


@pytest.mark.parametrize(
    "raw",
    [
        leaving("INVITE sip:x SIP/2.0"),
        leaving("INVITE sip:x SIP/2.0", "X-Maskline: guess bG9jYWw=\r\n"),
        leaving("INVITE sip:x SIP/2.0", "X-Maskline: s3cret local\r\n"),
        leaving("INVITE sip:x SIP/2.0", "X-Maskline: l0cal local\r\n"),
        leaving("INVITE sip:x SIP/2.0", "X-Maskline: l0cal sealed YQ== YQ== .\r\n"),
        leaving("SIP/2.0 200 OK", "X-Maskline: s3cret local\r\n"),
        leaving("INVITE sip:x SIP/2.0", GATE.header(PAYLOAD), via=""),
        leaving(
            "INVITE sip:x SIP/2.0",
            GATE.header(PAYLOAD),
            via="Via: SIP/2.0/UDP evil;branch=z9hG4bKa\r\n",
        ),
        leaving("BYE sip:x SIP/2.0", GATE.header(PAYLOAD)),
        leaving("SIP/2.0 200 OK"),
        b"\xff\xfe garbage",
        b"",
    ],
)
def test_the_gate_keeps_back_what_nobody_wrote(raw: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  whichever kind: nothing leaves
        GATE.leave(raw)


@pytest.mark.parametrize("own", ["192.0.2.1:5060", "[2001:db8::1]:5061", "192x0.2.1:5060", "other"])
def test_our_own_via_tells_one_of_our_addresses(own: str) -> None:
    ours = ["192.0.2.1:5060", "[2001:db8::1]:5061"]
    door = gate.Gate("s3cret", "l0cal", ENTRANCE, ours)
    raw = leaving("INVITE sip:x SIP/2.0", door.header(PAYLOAD), VIA.replace(ours[0], own))
    if own in ours:
        assert f"Via: SIP/2.0/UDP {own};".encode() in door.leave(raw)
        return
    with pytest.raises(gate.Refused):
        door.leave(raw)


def test_our_own_via_is_on_top_or_nothing_leaves() -> None:
    """Kamailio puts it there; one further down is of an earlier time that the request was here."""
    with pytest.raises(gate.Refused):
        GATE.leave(
            leaving(
                "INVITE sip:x SIP/2.0", GATE.header(PAYLOAD), via="Via: SIP/2.0/UDP x\r\n" + VIA
            )
        )


def test_our_own_via_leaves_without_the_number_of_the_other_sides_connection() -> None:
    via = VIA.replace("\r\n", ";rport;i=8d51;alias\r\n")
    out = GATE.leave(leaving("INVITE sip:x SIP/2.0", GATE.header(PAYLOAD), via=via))
    start, rest = PAYLOAD.split(b"\r\n", 1)
    own = VIA.replace("\r\n", ";rport;alias\r\n").encode()
    assert out == start + b"\r\n" + own + rest


REPLY = b"SIP/2.0 180 Ringing\r\nVia: SIP/2.0/UDP a\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"


def test_a_reply_leaves_as_it_was_written() -> None:
    assert GATE.leave(leaving("SIP/2.0 183 X", GATE.header(REPLY), via="")) == REPLY


@pytest.mark.parametrize("via", ["", VIA])
@pytest.mark.parametrize(
    ("start", "payload"),
    [
        ("SIP/2.0 200 OK", PAYLOAD),
        ("INVITE sip:x SIP/2.0", REPLY),
        ("ACK sip:x SIP/2.0", PAYLOAD.replace(b"INVITE", b"BYE")),
    ],
)
def test_what_was_written_for_another_message_does_not_leave(
    start: str, payload: bytes, via: str
) -> None:
    with pytest.raises(gate.Refused):
        GATE.leave(leaving(start, GATE.header(payload), via=via))


def test_a_body_cannot_carry_the_private_header() -> None:
    raw = leaving("INVITE sip:x SIP/2.0") + b"\r\n" + GATE.header(PAYLOAD).encode() + b"\r\n\r\n"
    with pytest.raises(gate.Refused):
        GATE.leave(raw)


def test_kamailios_ack_and_cancel_are_made_from_the_masked_invite() -> None:
    rest = REST.replace("<sip:b@y>", "<sip:b@y>;tag=theirs").replace("1 INVITE", "1 ACK")
    ack = GATE.leave(leaving("ACK sip:x SIP/2.0", GATE.header(PAYLOAD), rest=rest))
    assert b"To: <sip:b@y>;tag=theirs\r\n" in ack
    assert b"CSeq: 1 ACK\r\n" in ack
    cancel = GATE.leave(leaving("CANCEL sip:x SIP/2.0", GATE.header(PAYLOAD)))
    assert b"Call-ID: masked\r\n" in cancel
    assert cancel == (
        b"CANCEL sip:b@y SIP/2.0\r\n" + VIA.encode() + b"Max-Forwards: 69\r\n"
        b"From: <sip:n@h>;tag=m\r\nTo: <sip:b@y>\r\nCall-ID: masked\r\nCSeq: 1 CANCEL\r\n"
        b"Content-Length: 0\r\n\r\n"
    )
    for out in (ack, cancel):
        assert b"SECRET" not in out
        assert b"Contact" not in out


def test_kamailios_ack_goes_by_the_route_and_has_the_tag_of_the_masked_invite() -> None:
    payload = PAYLOAD.replace(b"<sip:b@y>\r\n", b"<sip:b@y>;tag=known\r\nRoute: <sip:p;lr>\r\n")
    rest = REST.replace("<sip:b@y>", "<sip:b@y>;tag=theirs")
    ack = GATE.leave(leaving("ACK sip:x SIP/2.0", GATE.header(payload), rest=rest))
    assert b"To: <sip:b@y>;tag=known\r\n" in ack
    assert b"Route: <sip:p;lr>\r\n" in ack


def test_a_reply_of_our_own_is_written_anew() -> None:
    kept = (
        "Via: SIP/2.0/UDP a;branch=z9hG4bKx\r\nVia: SIP/2.0/UDP b\r\nRecord-Route: <sip:p;lr>\r\n"
        "From: <sip:a@x>;tag=1\r\nTo: <sip:n@h>;tag=2\r\nCall-ID: mine\r\nCSeq: 1 INVITE\r\n"
    )
    asked, end = "WWW-Authenticate: Digest x\r\n", "Content-Length: 0\r\n\r\n"
    extras = f"Subject: SECRET\r\n{asked}X-Maskline: l0cal local\r\n"
    out = GATE.leave(f"SIP/2.0 401 Whatever\r\n{kept}{extras}{end}".encode())
    assert out.decode() == f"SIP/2.0 401 Unauthorized\r\n{kept}{asked}{end}"


REQUEST = (
    "{start}\r\nVia: SIP/2.0/UDP a;branch=z9hG4bKx\r\n{name}: {call}\r\nSubject: SECRET\r\n\r\n"
    "Call-ID: body\r\n"
)
names = st.sampled_from(["Call-ID", "CALL-ID", "Call-Id", "i", "I ", "i\t", "call-id"])
calls = st.text("abcXYZ0129@.-", min_size=1, max_size=60)


@given(names, calls)
def test_a_request_gets_a_call_id_of_ours_and_loses_it_again(name: str, call: str) -> None:
    raw = REQUEST.format(start="INVITE sip:x SIP/2.0", name=name, call=call).encode()
    marked = ENTRANCE.mark(raw)
    first = re.search(rb"\nCall-ID: ([^\r]*)\r\n", marked)
    assert first
    assert re.fullmatch(rb"5a17[0-9a-f]{64}" + re.escape(call.encode()), first[1])
    head = marked.partition(b"\r\n\r\n")[0].decode()
    assert len(re.findall(r"(?im)^(call-id|i)\s*:", head)) == 1
    assert ENTRANCE.unmark(marked) == raw.replace(f"{name}:".encode(), b"Call-ID:")


def test_what_is_put_before_a_call_id_cannot_be_guessed_and_does_not_change() -> None:
    def told(salt: str, call: str) -> bytes:
        raw = REQUEST.format(start="BYE sip:x SIP/2.0", name="Call-ID", call=call).encode()
        found = re.search(rb"Call-ID: [0-9a-z]{4}([0-9a-f]{64})", gate.Entrance(salt).mark(raw))
        assert found
        return found[1]

    assert told("5a17", "one") == told("5a17", "one")
    assert len({told("5a17", "one"), told("5a17", "two"), told("5a18", "one")}) == 3


@pytest.mark.parametrize(
    "raw",
    [
        b"INVITE sip:x SIP/2.0\r\nCall-ID: x\r\n\r\n",
        b"INVITE sip:x SIP/2.0\r\nCall-ID: 5a18" + b"0" * 64 + b"x\r\n\r\n",
        b"INVITE sip:x SIP/2.0\r\nSubject: 5a17" + b"0" * 64 + b"\r\n\r\n",
        # as the entrance would write it, by who does not know the salt
        b"INVITE sip:x SIP/2.0\r\nCall-ID: 5a18" + b"0" * 64 + b"x\r\nX-CalId: x\r\n\r\n",
        b"INVITE sip:x SIP/2.0\r\nCall-ID: x\r\nX-CalId: x\r\n\r\n",
        # Kamailio's own language found one in the body alone
        b"INVITE sip:x SIP/2.0\r\nCall-ID: 5a17"
        + b"0" * 64
        + b"x\r\ni: y\r\n\r\n\nX-CalId: x\r\n\r\n",
        b"",
    ],
)
def test_a_request_that_did_not_pass_the_entrance_is_not_read(raw: bytes) -> None:
    with pytest.raises(sip.Malformed):
        ENTRANCE.unmark(raw)


@pytest.mark.parametrize("fold", ["\r\n ", "\r\n\t", "\r\n \t  "])
def test_the_entrance_unfolds_headers(fold: str) -> None:
    """Kamailio reads them folded in some places and not in others."""
    body = "\r\n folded"
    raw = f"BYE sip:x SIP/2.0\r\nSubject: a{fold}b\r\nCall-ID:{fold}me\r\n\r\n{body}".encode()
    unmarked = ENTRANCE.unmark(ENTRANCE.mark(raw))
    assert unmarked == f"BYE sip:x SIP/2.0\r\nSubject: a b\r\nCall-ID: me\r\n\r\n{body}".encode()


def test_the_entrance_looks_at_the_head_alone() -> None:
    """A body may hold what it likes, and stays as it is."""
    body = b"Call-ID: body\r\n folded\r\n\r\ni: more\r\n"
    raw = b"BYE sip:x SIP/2.0\r\nCall-ID: mine\r\n\r\n" + body
    marked = ENTRANCE.mark(raw)
    assert marked.endswith(b"\r\n\r\n" + body)
    assert ENTRANCE.unmark(marked) == raw


def test_a_request_without_a_call_id_does_not_pass_the_entrance() -> None:
    with pytest.raises(sip.Malformed):
        ENTRANCE.mark(b"INVITE sip:x SIP/2.0\r\nVia: x\r\n\r\n")


def test_our_own_reply_has_the_senders_call_id() -> None:
    raw = REQUEST.format(start="INVITE sip:x SIP/2.0", name="i", call="mine").encode()
    marked = ENTRANCE.mark(raw).split(b"\r\n")[1]
    reply = (
        b"SIP/2.0 100 trying\r\n" + marked + b"\r\nVia: SIP/2.0/UDP a;branch=z9hG4bKx\r\n"
        b"From: <sip:a@x>;tag=1\r\nTo: <sip:n@h>\r\nCSeq: 1 INVITE\r\n"
        b"X-Maskline: l0cal local\r\nContent-Length: 0\r\n\r\n"
    )
    out = GATE.leave(reply)
    assert out.startswith(b"SIP/2.0 100 Trying\r\nVia: SIP/2.0/UDP a;branch=z9hG4bKx\r\n")
    assert b"\r\nCall-ID: mine\r\n" in out
    assert b"5a17" not in out


def test_the_newest_private_header_counts() -> None:
    """Kamailio keeps what was put on a request when it is sent once more, to another carrier."""
    newer = PAYLOAD.replace(b"masked", b"newer")
    out = GATE.leave(leaving("INVITE sip:x SIP/2.0", GATE.header(PAYLOAD) + GATE.header(newer)))
    assert b"Call-ID: newer\r\n" in out
