"""Requests that are written in advance are those that the script would write."""

import base64

from maskline_sip import allowed, mask, ready, sip

KEYS = mask.Keyring({"a": bytes(range(64))}, "a")
HERE = "192.0.2.1:5060"
NEAR = mask.Leg(
    "call", mask.CALLER, "1@192.0.2.11", "n1", "<sip:+12065550100@192.0.2.11>",
    f"<sip:+19135550199@{HERE}>", "sip:+12065550100@192.0.2.11:5062", trunk="aaaaaa",
)  # fmt: skip
FAR = mask.Leg(
    "call", mask.CALLED, "x", "f1", "<sip:+14015550101@192.0.2.12>", f"<sip:+19135550199@{HERE}>",
    "sip:phone@10.0.0.1", ("<sip:192.0.2.12;lr>", "<sip:edge.example;lr>"), "bbbbbb",
)  # fmt: skip
WAY = ready.Way("udp:192.0.2.11", f"udp:{HERE}", "sip:192.0.2.12;lr", 1)


def passage() -> mask.Passage:
    far = FAR._replace(call_id=KEYS.alias("a", "call", NEAR.call_id, NEAR.tag))
    return mask.Passage("a", NEAR, far)


def request(method: str, token: str) -> sip.Message:
    far = passage().far
    tag = KEYS.alias("a", "tag", far.call_id, far.tag)
    headers = [
        ("Via", "SIP/2.0/UDP 192.0.2.11:5062;branch=z9hG4bKsecret"), ("Max-Forwards", "70"),
        ("From", f'"Secret" {NEAR.own};tag={NEAR.tag}'), ("To", f"{NEAR.peer};tag={tag}"),
        ("Call-ID", NEAR.call_id), ("CSeq", f"4711 {method}"),
        ("User-Agent", "Secret"), ("Supported", "timer, 100rel"), ("Session-Expires", "90"),
    ]  # fmt: skip
    return sip.parse(sip.write(f"{method} sip:{token}@{HERE} SIP/2.0", headers))


def by_kamailio(method: str, number: int) -> bytes:
    """What `route[READY]` makes of the fields."""
    text = ready.text(KEYS, passage(), WAY, "other")
    assert text
    *_, uri, _call, _side, _halves, lines = text.split(" ")
    rest = (
        base64.b64decode(lines) + f"CSeq: {number} {method}\r\nContent-Length: 0\r\n\r\n".encode()
    )
    return f"{method} {uri} SIP/2.0\r\n".encode() + rest


def test_what_is_written_in_advance_is_what_the_script_would_write() -> None:
    token = KEYS.seal("a", passage().far)
    for method in ("ACK", "BYE"):
        asked = request(method, token)
        found = mask.dialog_passage(KEYS, asked)
        assert found
        written = mask.request_payload(KEYS, found, asked, HERE, allowed.NO_BODY)
        assert by_kamailio(method, 4711) == written


def test_the_request_uri_of_who_routes_strictly_is_that_of_the_route() -> None:
    far = passage().far._replace(routes=("<sip:192.0.2.12>",))
    text = ready.text(KEYS, passage()._replace(far=far), WAY, "other")
    assert text
    fields = text.split(" ")
    assert fields[4] == "sip:192.0.2.12"
    assert b"Route: <sip:phone@10.0.0.1>\r\n" in base64.b64decode(fields[-1])


def test_it_is_found_by_what_its_sender_knows() -> None:
    one = passage()
    token = KEYS.seal("a", one.far)
    asked = request("BYE", token)
    sender, receiver = asked.address("from").tag, asked.address("to").tag
    name = ready.name(KEYS, one, token)
    assert ready.name_of(token, asked.call_id, sender, receiver) == name
    for other in (
        (token, asked.call_id, sender, "guessed"),
        (token, asked.call_id, receiver, sender),
        (token[:-1], asked.call_id, sender, receiver),
        (token, "2@192.0.2.11", sender, receiver),
    ):
        assert ready.name_of(*other) != name


def test_the_fields_have_no_spaces_and_the_names_are_of_one_length() -> None:
    name = ready.name(KEYS, passage(), "token")
    text = ready.text(KEYS, passage(), WAY, name)
    assert text
    assert text.split(" ")[:8] == [
        name, "udp:192.0.2.11", f"udp:{HERE}", "sip:192.0.2.12;lr", "sip:phone@10.0.0.1", "call",
        "caller", "1",
    ]  # fmt: skip
    assert (len(name), len(text.split(" "))) == (64, 9)


def test_what_would_not_fit_kamailio_s_buffer_is_left_to_the_script() -> None:
    one = passage()
    long = one._replace(far=one.far._replace(routes=("<sip:proxy.example;lr>",) * 200))
    assert ready.text(KEYS, long, WAY, "other") is None
