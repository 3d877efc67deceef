"""The lists of what may pass from one leg to the other: all that is on them passes, in our own
spelling, and nothing else."""

import pytest

from maskline_sip import allowed, sip

PASSING = {
    100, 180, 181, 182, 183, 200, 202, 400, 403, 404, 405, 408, 410, 413, 415, 416, 420, 422, 433,
    480, 481, 482, 483, 484, 486, 487, 488, 491, 500, 501, 503, 504, 600, 603, 604,
}  # fmt: skip
ALLOW = ("Allow", "ACK, BYE, CANCEL, INFO, INVITE, OPTIONS, PRACK, UPDATE")
WITHOUT_UPDATE = ("Allow", "ACK, BYE, CANCEL, INFO, INVITE, OPTIONS, PRACK")
NEGOTIABLE = [
    ("supported", "x-SECRET, Timer"),
    ("supported", "replaces,100REL"),
    ("require", "TIMER"),
    ("session-expires", "1800"),
    ("min-se", "90;SECRET"),
]
NEGOTIATED = [
    ("Supported", "100rel, timer"),
    ("Require", "timer"),
    ("Session-Expires", "1800"),
    ("Min-SE", "90"),
]


def request(method: str, *headers: tuple[str, str]) -> sip.Message:
    return sip.Message(f"{method} sip:x SIP/2.0", headers, b"")


def reply(status: int, method: str, *headers: tuple[str, str]) -> sip.Message:
    return sip.Message(f"SIP/2.0 {status} SECRET", (("cseq", f"1 {method}"), *headers), b"")


def test_a_status_that_is_not_common_becomes_one_of_its_class() -> None:
    plain = {1: 183, 2: 200, 3: 480, 4: 480, 5: 500, 6: 603}
    seen = {code: allowed.status(code) for code in range(100, 700)}
    assert seen == {code: code if code in PASSING else plain[code // 100] for code in seen}


def test_every_status_that_passes_has_the_reason_of_the_standard() -> None:
    assert [allowed.reason(code) for code in sorted(PASSING)] == [
        "Trying", "Ringing", "Call Is Being Forwarded", "Queued", "Session Progress", "OK",
        "Accepted", "Bad Request", "Forbidden", "Not Found", "Method Not Allowed",
        "Request Timeout", "Gone", "Request Entity Too Large", "Unsupported Media Type",
        "Unsupported URI Scheme", "Bad Extension", "Session Interval Too Small",
        "Anonymity Disallowed", "Temporarily Unavailable", "Call/Transaction Does Not Exist",
        "Loop Detected", "Too Many Hops", "Address Incomplete", "Busy Here", "Request Terminated",
        "Not Acceptable Here", "Request Pending", "Server Internal Error", "Not Implemented",
        "Service Unavailable", "Server Time-out", "Busy Everywhere", "Decline",
        "Does Not Exist Anywhere",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("given_", "passed_on"),
    [("70", 29), ("30", 29), ("29", 28), ("1", 0), ("0", -1), ("9999", 29), ("10000", 29),
     ("x", 29), ("-1", 29), ("7 SECRET", 29)],
)  # fmt: skip
def test_hops_are_counted_near_their_end_alone(given_: str, passed_on: int) -> None:
    assert allowed.hops(request("INVITE", ("max-forwards", given_))) == passed_on
    assert allowed.hops(request("INVITE")) == 29


def test_which_requirements_cannot_be_met() -> None:
    asked = request("INVITE", ("require", "Timer, precondition"), ("require", "100rel,gruu"))
    assert allowed.unsupported(asked) == ["precondition", "gruu"]


@pytest.mark.parametrize("method", ["UPDATE", "INFO", "PRACK", "OPTIONS"])
def test_what_is_negotiated_passes_in_our_own_spelling(method: str) -> None:
    assert allowed.request_headers(request(method, *NEGOTIABLE)) == NEGOTIATED
    invite = request("INVITE", *NEGOTIABLE, ("allow", "SECRET, UPDATE"))
    assert allowed.request_headers(invite) == [*NEGOTIATED, ALLOW]
    assert allowed.reply_headers(reply(200, "UPDATE", *NEGOTIABLE)) == NEGOTIATED


@pytest.mark.parametrize("method", ["ACK", "BYE"])
def test_an_ack_and_a_bye_negotiate_nothing(method: str) -> None:
    assert allowed.request_headers(request(method, *NEGOTIABLE)) == []


@pytest.mark.parametrize(
    ("rack", "seen"),
    [
        ("7 12 INVITE", [("RAck", "7 112 INVITE")]),
        ("4294967295 4294967295 INVITE", [("RAck", "4294967295 4294967395 INVITE")]),
        ("7  12 \t INVITE", [("RAck", "7 112 INVITE")]),
        ("7 12 UPDATE", []), ("7 12 INVITE SECRET", []), ("7 INVITE", []), ("a 12 INVITE", []),
        ("7 b INVITE", []), ("12345678901 1 INVITE", []), ("1 12345678901 INVITE", []),
    ],
)  # fmt: skip
def test_a_prack_names_a_reply_by_numbers(rack: str, seen: list[tuple[str, str]]) -> None:
    assert allowed.request_headers(request("PRACK", ("rack", rack)), 100) == seen
    assert allowed.request_headers(request("INFO", ("rack", rack)), 100) == []


@pytest.mark.parametrize(
    ("status", "method", "seen"),
    [
        (200, "INVITE", [ALLOW]), (299, "INVITE", [ALLOW]), (200, "OPTIONS", [ALLOW]),
        (200, "BYE", []), (183, "INVITE", []), (300, "INVITE", []), (486, "OPTIONS", []),
    ],
)  # fmt: skip
def test_which_replies_tell_the_methods(
    status: int, method: str, seen: list[tuple[str, str]]
) -> None:
    for told in ([("allow", "SECRET, UPDATE")], [("allow", "SECRET"), ("allow", "UPDATE")], []):
        assert allowed.reply_headers(reply(status, method, *told)) == seen


def test_a_reliable_ringing_tells_them_too() -> None:
    """Who got it may change the call before the answer (RFC 3311 4)."""
    told = [("rseq", "7"), ("allow", "INVITE, UPDATE, SECRET")]
    assert allowed.reply_headers(reply(183, "INVITE", *told)) == [ALLOW, ("RSeq", "7")]
    assert allowed.reply_headers(reply(183, "INVITE", ("rseq", "x"))) == []


@pytest.mark.parametrize(
    ("status", "told", "seen"),
    [
        (405, ("allow", "SECRET, INFO, BYE, INVITE"), ("Allow", "BYE, INVITE")),
        (405, ("x", ""), ("Allow", "ACK, BYE, CANCEL, INVITE, OPTIONS, PRACK, UPDATE")),
        (415, ("accept", "a/SECRET, Application/SDP ;q=SECRET"), ("Accept", "application/sdp")),
        (415, ("accept", "application/dtmf, application/dtmf-relay"),
         ("Accept", "application/dtmf-relay, application/dtmf")),
        (415, ("accept", "a/SECRET"), ("Accept", "application/sdp")),
    ],
)  # fmt: skip
def test_a_refusal_tells_what_would_be_taken(
    status: int, told: tuple[str, str], seen: tuple[str, str]
) -> None:
    """Without which it would be none of RFC 3261's (21.4.6, 21.4.13)."""
    assert allowed.reply_headers(reply(status, "INFO", told)) == [seen]
    assert allowed.reply_headers(reply(488, "INFO", told)) == []


@pytest.mark.parametrize("told", ["INVITE, ACK, CANCEL, BYE", "SECRET", "XUPDATE, update"])
def test_nobody_is_told_of_update_by_whom_the_other_knows_none(told: str) -> None:
    """Who refreshes a session would take it, and lose the call (RFC 4028)."""
    assert allowed.request_headers(request("INVITE", ("allow", told))) == [WITHOUT_UPDATE]
    for method in ("INVITE", "OPTIONS"):
        seen = allowed.reply_headers(reply(200, method, ("allow", told)))
        assert seen == [WITHOUT_UPDATE]


@pytest.mark.parametrize(
    ("status", "number", "seen"),
    [
        (183, "7", "7"), (101, "1234567890", "1234567890"), (199, "0", "0"), (100, "7", None),
        (200, "7", None), (183, "7 SECRET", None), (183, "12345678901", None), (183, "x", None),
    ],
)  # fmt: skip
def test_a_provisional_reply_has_a_number(status: int, number: str, seen: str | None) -> None:
    headers = dict(allowed.reply_headers(reply(status, "PRACK", ("rseq", number))))
    assert headers.get("RSeq") == seen


def test_a_refusal_tells_which_extension_it_is_for() -> None:
    """Of those that were passed on; who asked can do without then (RFC 3261 8.1.3.5)."""
    told = ("unsupported", "x-SECRET, 100REL")
    assert allowed.reply_headers(reply(420, "INVITE", told)) == [("Unsupported", "100rel")]
    assert allowed.reply_headers(reply(420, "INVITE", ("unsupported", "x-SECRET"))) == []
    assert allowed.reply_headers(reply(421, "INVITE", told)) == []


@pytest.mark.parametrize("status", [480, 486, 500, 503, 600, 603])
def test_a_refusal_may_tell_when_to_try_again(status: int) -> None:
    for told in ("120", "120;duration=3600", "120 (SECRET)"):
        headers = allowed.reply_headers(reply(status, "INVITE", ("retry-after", told)))
        assert headers == [("Retry-After", "120")]
    for none in ("SECRET", "SECRET 120"):
        assert allowed.reply_headers(reply(status, "INVITE", ("retry-after", none))) == []


@pytest.mark.parametrize("status", [180, 200, 404, 413, 487, 504, 604])
def test_others_tell_no_time(status: int) -> None:
    assert allowed.reply_headers(reply(status, "BYE", ("retry-after", "120"))) == []


def test_what_a_reply_of_our_own_may_hold() -> None:
    def own(status: int, method: str, *headers: tuple[str, str]) -> list[tuple[str, str]]:
        return allowed.own_headers(reply(status, method, *headers))

    assert own(500, "INVITE", ("subject", "SECRET"), ("supported", "timer")) == []
    assert own(503, "INVITE", ("retry-after", "2")) == [("Retry-After", "2")]
    challenges = [("www-authenticate", f"Digest {one}") for one in "ab"]
    assert own(401, "INVITE", *challenges) == [
        ("WWW-Authenticate", "Digest a"),
        ("WWW-Authenticate", "Digest b"),
    ]
    tags = "Gruu, a b, x@SECRET, " + "y" * 41 + ", " + "z" * 40
    unsupported = ("Unsupported", "Gruu, " + "z" * 40)
    assert own(420, "INVITE", ("unsupported", tags)) == [unsupported]
    assert own(415, "INVITE") == [("Accept", "application/sdp")]
    assert own(415, "MESSAGE") == [("Accept", "text/plain")]
    assert own(405, "REGISTER") == [ALLOW]
    can = [ALLOW, ("Accept", "application/sdp"), ("Supported", "100rel, timer")]
    assert own(200, "OPTIONS") == can  # RFC 3261 11.2
    assert own(503, "OPTIONS") == []
    assert own(200, "BYE") == []


@pytest.mark.parametrize("key", "0123456789*#ABCD")
def test_every_key_passes(key: str) -> None:
    pressed = f" {key.lower()}\r\n".encode()
    alone = allowed.Body("application/dtmf", key.encode())
    assert allowed.key_press("application/dtmf", pressed) == alone
    text = f"Signal={key}\r\nDuration=99999\r\n".encode()
    told = allowed.Body("application/dtmf-relay", text)
    assert allowed.key_press("application/dtmf-relay", text) == told


@pytest.mark.parametrize("text", [b"", b"55", b"E", b"5 SECRET", b"@", b"5,5"])
def test_nothing_else_is_a_key(text: bytes) -> None:
    assert allowed.key_press("application/dtmf", text) == allowed.NO_BODY
    relay = b"Signal=" + text + b"\r\nDuration=160\r\n"
    assert allowed.key_press("application/dtmf-relay", relay) == allowed.NO_BODY


@pytest.mark.parametrize("lasts", [b"", b"123456", b"1 SECRET", b"x", b"-1"])
def test_a_duration_is_a_number(lasts: bytes) -> None:
    relay = b"Signal=5\r\nXDuration=7\r\nDuration=" + lasts + b"\r\n"
    assert allowed.key_press("application/dtmf-relay", relay).content == b"Signal=5\r\n"
