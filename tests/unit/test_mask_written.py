"""What the mask writes, to the letter: requests and replies, first ones and later ones."""

import pytest

from maskline_sip import allowed, mask, sip

KEYS = mask.Keyring({"a": bytes(range(64)), "b": bytes(range(64, 128))}, "b")
HERE = "192.0.2.1:5060"
CALL = mask.Call(
    "ref", f"sip:+19135550199@{HERE}", "sip:+14015550101@carrier.example", "aaa", "bbb", "1"
)
NEAR = mask.Leg(
    "ref", mask.CALLER, "c1@h", "t1", "<sip:+12065550100@h>", "<sip:+19135550199@x>", "sip:a@h",
    ("<sip:p;lr>", "<sip:q;lr>"), "aaa", "bbb", "sip:flow", "", "", "1",
)  # fmt: skip
FAR = mask.Leg(
    "ref", mask.CALLED, KEYS.alias("b", "call", "c1@h", "t1"), "",
    "<sip:+14015550101@carrier.example>", f"<sip:+19135550199@{HERE}>",
    "sip:+14015550101@carrier.example", (), "bbb", "aaa", "", "", "", "1",
)  # fmt: skip
ANSWERED = FAR._replace(tag="t2", target="sip:b@10.0.0.1", routes=("<sip:r;lr>", "<sip:s;lr>"))
SDP = allowed.Body("application/sdp", b"v=0\r\n")


def message(start: str, *headers: tuple[str, str]) -> sip.Message:
    return sip.Message(start, headers, b"")


INVITE = message(
    f"INVITE sip:+19135550199@{HERE} SIP/2.0",
    ("via", "SIP/2.0/UDP h"), ("from", '"Ann" <sip:+12065550100@h>;tag=t1'),
    ("to", "<sip:+19135550199@x>"), ("call-id", "c1@h"), ("cseq", "41 INVITE"),
    ("contact", '"Ann" <sip:a@h>;x=y'), ("record-route", "<sip:p;lr>, <sip:q;lr>"),
    ("max-forwards", "9"), ("supported", "timer"),
)  # fmt: skip


def written(start: str, *lines: str, body: bytes = b"") -> bytes:
    told = [start, *lines, *(["Content-Type: application/sdp"] if body else [])]
    return "\r\n".join([*told, f"Content-Length: {len(body)}", "", ""]).encode() + body


def test_the_legs_of_a_first_request() -> None:
    passage = mask.first_passage(KEYS, INVITE, CALL, "sip:flow")
    assert passage == mask.Passage("b", NEAR, FAR)
    plain = message(
        INVITE.start, *(h for h in INVITE.headers if h[0] not in ("contact", "record-route"))
    )
    near = mask.first_passage(KEYS, plain, CALL).near
    assert near == NEAR._replace(target="", routes=(), flow="")
    with pytest.raises(mask.Refused, match="tag"):
        mask.first_passage(KEYS, message(INVITE.start, ("from", "<sip:a@h>")), CALL)


def test_the_first_request() -> None:
    passage = mask.Passage("b", NEAR, FAR)
    lines = [
        "Max-Forwards: 8", f"From: {FAR.peer};tag={KEYS.alias('b', 'tag', 'c1@h', 't1')}",
        f"To: {FAR.own}", f"Call-ID: {FAR.call_id}", "CSeq: 41 INVITE",
        f"Contact: <sip:{KEYS.seal('b', NEAR)}@{HERE};transport=tcp>", "Supported: timer",
        f"Allow: {allowed.ALLOW}",
    ]  # fmt: skip
    start, local = f"INVITE {FAR.target} SIP/2.0", f"{HERE};transport=tcp"
    payload = mask.request_payload(KEYS, passage, INVITE, local, SDP)
    assert payload == written(start, *lines, body=SDP.content)
    more = mask.request_payload(
        KEYS, passage, INVITE, local, allowed.NO_BODY, "token", [("Authorization", "Digest x")]
    )
    lines[5] = f"Contact: <sip:token@{local}>"
    assert more == written(start, *lines, "Authorization: Digest x")
    nowhere = passage._replace(near=NEAR._replace(target=""))
    with pytest.raises(mask.Refused, match="Contact"):
        mask.request_payload(KEYS, nowhere, INVITE, local, SDP)


def within(
    method: str, *more: tuple[str, str], of: mask.Leg = ANSWERED, number: int = 7
) -> sip.Message:
    """A request of the caller, as it was told the far leg `of`."""
    return message(
        f"{method} sip:{KEYS.seal('b', of)}@{HERE} SIP/2.0", ("from", f"{NEAR.own};tag=t1"),
        ("to", f"{NEAR.peer};tag={KEYS.alias('b', 'tag', of.call_id, of.tag)}"),
        ("call-id", "c1@h"), ("cseq", f"{number} {method}"), *more,
    )  # fmt: skip


@pytest.mark.parametrize("method", ["BYE", "INFO", "OPTIONS", "PRACK", "UPDATE", "INVITE", "ACK"])
def test_a_request_within_a_call(method: str) -> None:
    ahead = ANSWERED._replace(cseq="5", peer_cseq="3")
    asked = within(method, ("contact", "<sip:a@new>"), ("rack", "1 7 INVITE"), of=ahead)
    passage = mask.dialog_passage(KEYS, asked, "sip:flow")
    assert passage
    assert passage.far == ahead
    near = NEAR._replace(target="sip:a@new", routes=(), cseq="3", peer_cseq="5")
    assert passage.near == near
    told = {"INVITE": [f"Allow: {allowed.ALLOW}"], "PRACK": ["RAck: 1 12 INVITE"]}.get(method, [])
    if method in ("INVITE", "UPDATE"):
        told.insert(0, f"Contact: <sip:{KEYS.seal('b', near)}@{HERE}>")
    assert mask.request_payload(KEYS, passage, asked, HERE, allowed.NO_BODY) == written(
        f"{method} sip:b@10.0.0.1 SIP/2.0", "Max-Forwards: 29",
        f"From: {FAR.peer};tag={KEYS.alias('b', 'tag', 'c1@h', 't1')}", f"To: {FAR.own};tag=t2",
        f"Call-ID: {FAR.call_id}", "Route: <sip:r;lr>", "Route: <sip:s;lr>", f"CSeq: 12 {method}",
        *told,
    )  # fmt: skip


@pytest.mark.parametrize("loose", ["lr", "LR", "lr=on", "ftag=x;lr", "lr;ftag=x"])
def test_a_proxy_that_routes_strictly_finds_itself_in_the_request_uri(loose: str) -> None:
    """And the party's own place at the end of the route (RFC 3261 12.2.1.1)."""

    def sent(first: str) -> list[str]:
        far = ANSWERED._replace(routes=(first, "<sip:s;lr>"))
        passage = mask.Passage("b", NEAR, far)
        payload = mask.request_payload(KEYS, passage, within("BYE"), HERE, allowed.NO_BODY)
        lines = payload.decode().split("\r\n")
        return [lines[0], *(line for line in lines if line.startswith("Route: "))]

    for strict in ("<sip:r;lrx>", '"lr" <sip:r;xlr;maddr=lr>;lr'):
        uri = sip.address(strict).uri
        told = ["Route: <sip:s;lr>", "Route: <sip:b@10.0.0.1>"]
        assert sent(strict) == [f"BYE {uri} SIP/2.0", *told]
    route = f"<sip:r;{loose}>"
    assert sent(route) == ["BYE sip:b@10.0.0.1 SIP/2.0", f"Route: {route}", "Route: <sip:s;lr>"]


def test_a_request_of_the_called_party_finds_the_caller() -> None:
    asked = message(
        f"BYE sip:{KEYS.seal('b', NEAR)}@{HERE} SIP/2.0", ("from", f"{FAR.own};tag=t2"),
        ("to", f"{FAR.peer};tag={KEYS.alias('b', 'tag', 'c1@h', 't1')}"),
        ("call-id", FAR.call_id), ("cseq", "1 BYE"),
    )  # fmt: skip
    passage = mask.dialog_passage(KEYS, asked)
    assert passage
    assert passage.far == NEAR
    assert passage.near == FAR._replace(tag="t2", target="", recorded="1")
    assert (passage.near.side, passage.near.trunk, passage.near.peer_trunk) == (
        "called",
        "bbb",
        "aaa",
    )


def test_the_key_of_a_call_is_the_one_that_its_token_names() -> None:
    far = ANSWERED._replace(call_id=KEYS.alias("a", "call", "c1@h", "t1"))
    asked = message(
        f"BYE sip:{KEYS.seal('a', far).upper()}@{HERE} SIP/2.0", ("from", f"{NEAR.own};tag=t1"),
        ("to", f"{NEAR.peer};tag={KEYS.alias('a', 'tag', far.call_id, 't2')}"), ("call-id", "c1@h"),
    )  # fmt: skip
    passage = mask.dialog_passage(KEYS, asked)
    assert passage
    assert (passage.key, passage.far) == ("a", far)


def test_both_sides_know_how_far_numbers_are_ahead() -> None:
    numbered = mask.numbered(mask.Passage("b", NEAR, FAR), "3", "5")
    assert (numbered.near.cseq, numbered.near.peer_cseq) == ("3", "5")
    assert (numbered.far.cseq, numbered.far.peer_cseq) == ("5", "3")


@pytest.mark.parametrize(
    ("leg", "hop"),
    [(ANSWERED, "sip:r;lr"), (ANSWERED._replace(routes=()), "sip:b@10.0.0.1"),
     (ANSWERED._replace(flow="sip:there"), "sip:there"),
     (ANSWERED._replace(flow=mask.ENCRYPTED), "sip:r;transport=tls"),
     (ANSWERED._replace(flow=mask.ENCRYPTED, routes=()), "sip:10.0.0.1;transport=tls")],
)  # fmt: skip
def test_where_a_request_goes_next(leg: mask.Leg, hop: str) -> None:
    assert mask.next_hop(leg) == hop


ASKED = mask.Asked(
    ("SIP/2.0/UDP h", "SIP/2.0/UDP i"), "<sip:a@h>;tag=t1", "<sip:n@x>", ("<sip:p;lr>",), HERE,
    "41 INVITE",
)  # fmt: skip


def reply(status: int, *more: tuple[str, str], method: str = "INVITE") -> sip.Message:
    return message(
        f"SIP/2.0 {status} SECRET", ("from", FAR.peer), ("to", f'"B" {FAR.own};tag=t2'),
        ("cseq", f"41 {method}"), *more,
    )  # fmt: skip


MORE = (
    ("contact", "<sip:b@10.0.0.1>"), ("record-route", "<sip:s;lr>"), ("record-route", "<sip:r;lr>"),
)  # fmt: skip


def test_the_far_leg_is_what_its_reply_tells() -> None:
    passage = mask.Passage("b", NEAR, FAR)
    assert mask.answered_leg(passage, reply(200, *MORE)) == ANSWERED
    assert mask.answered_leg(passage, reply(180)) == FAR._replace(tag="t2")
    known = passage._replace(far=ANSWERED._replace(tag="t0", routes=("<sip:u;lr>",)))
    moved = reply(200, ("contact", "<sip:b@new>"), *MORE[1:])
    assert mask.answered_leg(known, moved) == known.far._replace(target="sip:b@new")
    for nowhere in ("*", "<>", "<tel:+14015550101>", "<sip:b@new"):
        assert mask.answered_leg(known, reply(200, ("contact", nowhere))) == known.far


@pytest.mark.parametrize(
    ("status", "method", "contact", "routes"),
    [
        (180, "INVITE", True, True), (200, "INVITE", True, True), (299, "INVITE", True, True),
        (200, "UPDATE", True, True), (100, "INVITE", False, False), (404, "INVITE", False, False),
        (302, "INVITE", False, False), (486, "INVITE", False, False), (200, "BYE", False, True),
    ],
)  # fmt: skip
def test_a_reply(status: int, method: str, contact: bool, routes: bool) -> None:
    came = reply(status, *MORE, method=method)
    passage = mask.Passage("b", NEAR, FAR)
    tag = KEYS.alias("b", "tag", FAR.call_id, "t2")
    seen = allowed.status(status)
    lines = [
        "Via: SIP/2.0/UDP h", "Via: SIP/2.0/UDP i", "From: <sip:a@h>;tag=t1",
        f"To: <sip:n@x>;tag={tag}", "Call-ID: c1@h", "CSeq: 41 INVITE",
        *(["Record-Route: <sip:p;lr>"] if routes else []),
        *([f"Contact: <sip:{KEYS.seal('b', ANSWERED)}@{HERE}>"] if contact else []),
        *([f"Allow: {allowed.ALLOW}"] if contact and status >= 200 and method == "INVITE" else []),
    ]  # fmt: skip
    start = f"SIP/2.0 {seen} {allowed.reason(seen)}"
    assert mask.has_contact(came) is contact
    assert mask.reply_payload(KEYS, passage, ASKED, came, allowed.NO_BODY) == written(start, *lines)
    told = mask.reply_payload(KEYS, passage, ASKED, came, SDP, "token")
    with_token = [line.replace(KEYS.seal("b", ANSWERED), "token") for line in lines]
    assert told == written(start, *with_token, body=SDP.content)
    assert not mask.has_contact(reply(status, method=method))


def test_a_reply_within_a_call_keeps_the_tag_that_was_asked_for() -> None:
    asked = ASKED._replace(receiver="<sip:n@x>;tag=known")
    payload = mask.reply_payload(
        KEYS, mask.Passage("b", NEAR, ANSWERED), asked, reply(200), allowed.NO_BODY
    )
    assert b"To: <sip:n@x>;tag=known\r\n" in payload
    untagged = message("SIP/2.0 100 x", ("to", FAR.own), ("cseq", "41 INVITE"))
    trying = mask.reply_payload(
        KEYS, mask.Passage("b", NEAR, FAR), ASKED, untagged, allowed.NO_BODY
    )
    assert b"To: <sip:n@x>\r\n" in trying


def test_the_answer_to_a_bye_tells_nothing_but_that() -> None:
    passage = mask.Passage("b", NEAR, ANSWERED)
    assert mask.ok_payload(passage, ASKED._replace(cseq="9 BYE")) == written(
        "SIP/2.0 200 OK", "Via: SIP/2.0/UDP h", "Via: SIP/2.0/UDP i", "From: <sip:a@h>;tag=t1",
        "To: <sip:n@x>", "Call-ID: c1@h", "CSeq: 9 BYE",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("keys", "current"),
    [({"a": bytes(64)}, "b"), ({"ab": bytes(64)}, "ab"), ({"a": bytes(64), "A": bytes(64)}, "a")],
)
def test_keys_have_names_of_one_letter(keys: dict[str, bytes], current: str) -> None:
    with pytest.raises(ValueError, match="one letter"):
        mask.Keyring(keys, current)


def test_calls_of_an_earlier_version_go_on() -> None:
    """What is sealed and hashed by one node is read by another, whichever version each is of."""
    token = (
        "bc7uy7fs6taj4v5sl7exb3h6tq6uycn2tzsmufrpvqhjvmjaz3tbcekbt35v5jvdh3ecgsf4voqc537anje3im7bt"
        "3kpoa7xxr3jvhlesokrvfnvpbpwcu5e6hpe2t3lxhb6jpla7feraeoniyy7hpccgk33a4ejxmsiecr6mdaycalwwj"
        "l4q"
    )
    assert KEYS.open(token) == ("b", NEAR)
    assert KEYS.alias("b", "call", "c1@h", "t1") == "6lxh573sk3jrwkfmaizupiow"


def test_an_alias_needs_its_key_and_all_its_parts() -> None:
    parts = [("call", "x"), ("tag", "x"), ("callx",), ("call", "y")]
    made = [KEYS.alias(key, *one) for key in "ab" for one in parts]
    assert len(set(made)) == len(made)


def test_no_leg_is_sealed_that_would_not_fit_a_report() -> None:
    """However well it can be packed."""
    length = len("\n".join((*NEAR[:7], *NEAR.routes, *NEAR[8:])))
    fitting = NEAR._replace(target=NEAR.target + "x" * (6000 - length))
    assert KEYS.open(KEYS.seal("b", fitting)) == ("b", fitting)
    with pytest.raises(mask.Refused):
        KEYS.seal("b", fitting._replace(target=fitting.target + "x"))


@pytest.mark.parametrize("token", ["", "b", "c" + "a" * 40, "b" + "a" * 4000, "b1", "b@aaaaaaaa"])
def test_what_is_no_token_opens_nothing(token: str) -> None:
    assert KEYS.open(token) is None


def test_a_token_tells_little_of_the_length_of_what_it_holds() -> None:
    lengths = {len(KEYS.seal("b", NEAR._replace(own=f"<sip:{'x' * n}@h>"))) for n in range(8)}
    assert len(lengths) <= 2
    assert all((length - 1) * 5 // 8 % 32 == 16 for length in lengths)
