"""The doors of a node, as Kamailio has the script open them: what leaves, what comes in, and who
may have a WebSocket."""

from typing import Any

import KSR
from fake_kamailio import ACME, SECRET, STRANGER, Script, invite


def connects(script: Script, address: str) -> int:
    KSR.kamailio = script.kamailio
    script.kamailio.done.clear()
    script.kamailio.cells |= {"$si": address, "$sp": 4000, "$proto": "wss"}
    return int(script.routes.may_connect(None))


def test_who_may_have_a_websocket(guarded: Script) -> None:
    assert connects(guarded, ACME) == 1
    assert guarded.kamailio.given("tcp_set_connection_lifetime") == [(77,)]
    assert connects(guarded, STRANGER) == 1
    assert not guarded.kamailio.given("tcp_set_connection_lifetime")
    for number in range(60):
        assert connects(guarded, f"2001:db8::{number:x}") == 1
    assert connects(guarded, "2001:db8::1") == -1


def test_without_passwords_no_stranger_has_a_websocket(script: Script) -> None:
    assert connects(script, STRANGER) == -1
    assert connects(script, ACME) == 1


def test_a_web_page_of_anybodys_has_none(script: Script, guarded: Script) -> None:
    """It would speak from the address of whoever opened it, who may be a carrier."""
    for node in (script, guarded):
        node.kamailio.cells["$hdr(Origin)"] = "https://eve.example"
        assert connects(node, ACME) == -1
        assert not node.kamailio.given("tcp_set_connection_lifetime")
    assert connects(guarded, STRANGER) == 1  # whose password tells


def at_the_door(script: Script, raw: Any, step: str) -> tuple[int, str]:
    script.kamailio.done.clear()
    script.receives(raw, ACME)
    return int(getattr(script.routes, step)(None)), " ".join(
        line for (line,) in script.kamailio.given("err")
    )


def test_the_gate_lets_pass_what_the_script_wrote(script: Script) -> None:
    passed, log = at_the_door(script, b"SIP/2.0 200 OK\r\nX-Secret: 1\r\n\r\n", "gate")
    assert passed == -1
    assert log.startswith("kept back: Refused ")
    header = script.routes.door.header(b"SIP/2.0 200 OK\r\nVia: x\r\n\r\n")
    raw = f"SIP/2.0 200 OK\r\n{header}\r\n".encode()
    assert at_the_door(script, raw, "gate") == (1, "")
    assert script.kamailio.cells["$var(masked)"]


def test_the_gate_keeps_back_without_a_word_what_the_script_wants_kept_back(
    script: Script,
) -> None:
    """A reply that goes to nobody, and that Kamailio passes on all the same."""
    nothing = script.routes.door.nothing
    raw = f"SIP/2.0 200 OK\r\nX-Secret: 1\r\n{nothing}\r\n".encode()
    assert at_the_door(script, raw, "gate") == (-1, "")
    theirs = raw.replace(SECRET.encode(), b"guess")
    assert at_the_door(script, theirs, "gate")[1].startswith("kept back: Refused ")


def test_the_entrance_marks_what_comes(script: Script) -> None:
    assert at_the_door(script, b"INVITE x SIP/2.0\r\n\r\n", "entrance") == (-1, "")
    assert at_the_door(script, invite(), "entrance") == (1, "")
    assert script.kamailio.cells["$var(marked)"]
    script.kamailio.cells["$(mb{s.encode.base64})"] = None
    script.kamailio.done.clear()
    assert script.routes.entrance(None) == -1
    ((line,),) = script.kamailio.given("err")
    assert line.startswith("not let in: ")
