"""What broken, hostile and unlucky peers send, and what they get: a clear answer or silence, and
never a byte of the other party."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
from acceptance.peers import header
from acceptance.plain_phone import ALICE, BOB, SDP, Phone, connect, within
from acceptance.service import Service, running, until
from acceptance.test_leak import PROXY_NUMBER, open_session
from secrets_told import lines_telling


@pytest.fixture(scope="module")
def masked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    for service in running(tmp_path_factory.mktemp("hostile"), log_level="debug"):
        open_session(service)
        yield service
    told = [number[1:].encode() for number in (ALICE, BOB, PROXY_NUMBER)] + [b"Jos", b"SECRET"]
    assert lines_telling(service.log, told) == []


@pytest.mark.parametrize(
    ("more", "body", "ids", "status"),
    [
        ("", "v=0\r\n" + "m=audio 1 RTP/AVP 0\r\n" * 2000, {}, 488),
        ("", SDP.replace("PCMA", "SECRET").replace("AVP 8", "AVP 96"), {}, 488),
        ("", SDP.replace("RTP/AVP", "UDP/TLS/RTP/SAVPF"), {}, 488),
        ("", SDP.replace("17000", "0"), {}, 488),
        ("Require: time-travel\r\n", SDP, {}, 420),
        ("", SDP, {"hops": "0"}, 483),
        ("", SDP, {"caller": "anonymous"}, 433),
        ("", SDP, {"caller": "+12065550999"}, 404),
    ],
)
def test_a_bad_invite_gets_a_clear_answer(
    caller: Phone, called: Phone, more: str, body: str, ids: dict[str, str], status: int
) -> None:
    caller.send(caller.invite(more=more, body=body, **ids))
    assert caller.final() == status
    assert called.silent(0.3)


def test_a_call_id_may_be_the_first_header(caller: Phone, called: Phone) -> None:
    sent = caller.invite(call_id="first")
    start, rest = sent.replace("Call-ID: first\r\n", "").split("\r\n", 1)
    caller.send(f"{start}\r\nCall-ID: first\r\n{rest}")
    received = called.receive()
    assert received.count("Call-ID: ") == 1
    assert "first" not in received
    called.reply(received, 486)
    while not (answer := caller.receive()).startswith("SIP/2.0 486"):
        pass
    assert header(answer, "Call-ID") == "first"


def test_a_call_id_of_the_body_is_none(caller: Phone, called: Phone) -> None:
    """Nobody could be answered: Kamailio reads no request that has two."""
    sent = caller.invite(more="i: real\r\n", body="Call-ID: false\r\n", call_id="gone")
    caller.send(sent.replace("Call-ID: gone\r\n", ""))
    assert caller.silent()
    assert called.silent(0.3)


@pytest.mark.parametrize("version", ["sip/2.0", "Sip/2.0", "SIP/2.0x", "SIP/7.0"])
def test_nothing_passes_the_gate_by_another_name_of_the_protocol(
    caller: Phone, called: Phone, version: str
) -> None:
    """Kamailio begins its replies as the request has it, and has those alone seen by the gate that
    begin with SIP/2.0."""
    caller.send(caller.invite().replace("SIP/2.0\r\n", f"{version}\r\n", 1))
    assert caller.silent()
    assert called.silent(0.3)


@pytest.mark.parametrize("length", [257, 20_000, 40_000, 47_000])
def test_a_long_call_id_is_read_by_nobody(caller: Phone, masked: Service, length: int) -> None:
    """It would stand twice in what Kamailio has a buffer of 65,535 bytes for."""
    caller.send(caller.invite(call_id="x" * length))
    with suppress(TimeoutError):
        assert not caller.receive(1).strip() or caller.received[-1].startswith("SIP/2.0 400 ")
    assert "buffer overflow" not in masked.log


def test_bytes_that_are_no_text_pass_the_mask_like_any_others(caller: Phone, called: Phone) -> None:
    """A name in Latin-1, say: it neither stops the call nor gets through."""
    raw = caller.invite().encode().replace(b"From: <", b'From: "Jos\xe9 \xff" <')
    caller.send(raw)
    received = called.receive()
    assert received.startswith("INVITE ")
    assert "Jos" not in received
    called.reply(received, 486)
    while not (answer := caller.receive()).startswith("SIP/2.0 486"):
        pass
    assert '"Jos\xe9 \xff"' in header(answer, "From")


def test_a_preloaded_route_leads_nowhere(caller: Phone, called: Phone, masked: Service) -> None:
    caller.send(caller.invite(more=f"Route: <sip:{masked.sip};lr>, <sip:127.0.0.1:9;lr>\r\n"))
    received = called.receive()
    assert "Route:" not in received
    called.reply(received, 486)
    assert caller.final() == 486


def test_our_private_header_cannot_be_forged(caller: Phone, called: Phone) -> None:
    caller.send(caller.invite(more="X-Maskline: guess local\r\n"))
    received = called.receive()
    assert "X-Maskline" not in received
    called.reply(received, 486, more="X-Maskline: guess local\r\n")
    assert caller.final() == 486


def test_a_stray_answer_after_the_transaction_is_gone_is_not_relayed(
    caller: Phone, called: Phone
) -> None:
    sent, received, answer = connect(caller, called)
    stray = received.replace("branch=z9hG4bK", "branch=z9hG4bKother")
    called.reply(stray, 200, SDP)
    assert caller.silent()
    caller.send(within("BYE", sent, answer, caller, 2))
    called.reply(called.expect("BYE "), 200)
    assert caller.final() == 200


def test_a_contact_replayed_by_its_holder_opens_nothing(
    caller: Phone, called: Phone, masked: Service
) -> None:
    """The called phone uses the contact that it was given, but not in its own dialog."""
    sent, received, answer = connect(caller, called)
    target = header(received, "Contact")
    for call_id, to in (
        ("other", header(received, "From")),
        (header(received, "Call-ID"), "<sip:x>;tag=y"),
    ):
        called.send(
            f"BYE {target.strip('<>')} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {called.where};branch=z9hG4bK{os.urandom(4).hex()}\r\n"
            f"From: {header(received, 'To')};tag=bobs\r\nTo: {to}\r\nCall-ID: {call_id}\r\n"
            "CSeq: 9 BYE\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        )
        assert called.final() == 481
    assert caller.silent(0.3)
    caller.send(within("BYE", sent, answer, caller, 2))
    called.reply(called.expect("BYE "), 200)
    assert caller.final() == 200


def test_a_cancel_of_nothing_gets_481(caller: Phone) -> None:
    caller.send(caller.invite(body="").replace("INVITE", "CANCEL"))
    assert caller.final() == 481


def test_a_bye_for_a_dialog_that_is_not_ours_gets_481(caller: Phone, masked: Service) -> None:
    caller.send(
        f"BYE sip:aaaaaaaaaaaaaaaa@{masked.sip} SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP {caller.where};branch=z9hG4bKq\r\nFrom: <sip:a@b>;tag=1\r\n"
        "To: <sip:c@d>;tag=2\r\nCall-ID: zz\r\nCSeq: 2 BYE\r\nContent-Length: 0\r\n\r\n"
    )
    assert caller.final() == 481


def test_who_tells_a_name_is_found_where_it_is(
    caller: Phone, called: Phone, masked: Service
) -> None:
    """No name server is asked for what a party tells of itself: its address is the one that it
    spoke from, with the port that it tells. A target told later as an address holds again."""
    home = Phone(masked)  # where the called one listens
    place, called.where = called.where, f"bob.invalid:{home.where.rpartition(':')[2]}"
    named = f"@alice.invalid:{caller.where.rpartition(':')[2]}>\r\nMax"
    sent = caller.invite().replace(f"@{caller.where}>\r\nMax", named)
    assert "alice.invalid" in sent
    caller.send(sent)
    received = called.receive()
    called.reply(received, 200, SDP)
    answer = caller.taken()
    caller.send(within("ACK", sent, answer, caller))
    home.expect(f"ACK sip:{BOB}@bob.invalid:")
    again = within("INVITE", sent, answer, caller, 2)
    caller.send(again.replace("Max-F", f"Contact: <sip:{ALICE}@{caller.where}>\r\nMax-F"))
    renewed = home.expect("INVITE ")
    home.where = place
    home.reply(renewed, 200, SDP)
    answer = caller.taken()
    caller.send(within("ACK", sent, answer, caller, 2))
    called.where = place
    called.expect(f"ACK sip:{BOB}@{place} ")
    called.send(
        f"BYE {header(renewed, 'Contact').strip('<>')} SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP {called.where};branch=z9hG4bKbyname\r\n"
        f"From: {header(received, 'To')};tag=bobs\r\nTo: {header(received, 'From')}\r\n"
        f"Call-ID: {header(received, 'Call-ID')}\r\nCSeq: 7 BYE\r\nMax-Forwards: 70\r\n"
        "Content-Length: 0\r\n\r\n"
    )
    bye = caller.expect("BYE ")
    assert bye.startswith(f"BYE sip:{ALICE}@{caller.where} ")
    caller.reply(bye, 200)
    assert called.final() == 200
    home.socket.close()


@pytest.mark.parametrize(
    "place", ["127.0.0.77:9", "169.254.169.254", "[::1]:5060", "ourselves", "::ffff"]
)
def test_no_party_makes_us_speak_to_ourselves_or_our_neighbours(
    caller: Phone, called: Phone, masked: Service, place: str
) -> None:
    ours = {"ourselves": masked.sip, "::ffff": f"[::ffff:127.0.0.1]:{masked.sip_port}"}
    real, called.where = called.where, ours.get(place, place)
    before = masked.newest_call().get("CallId")
    sent = caller.invite()
    caller.send(sent)
    called.reply(called.receive(), 200, SDP)
    called.where = real
    answer = caller.taken()
    caller.send(within("BYE", sent, answer, caller, 2))
    assert caller.final() == 500
    caller.reply(caller.expect("BYE "), 200)
    if place == "ourselves":  # one is enough: who hung up ended the call, though in vain
        until(lambda: masked.newest_call().get("CallId") != before)
        until(lambda: "EndedTimestamp" in masked.newest_call())
        call = masked.newest_call()
        assert (call["EndedBy"], call["SipStatus"]) == ("caller", 200)


@pytest.mark.parametrize("method", ["REGISTER", "SUBSCRIBE", "REFER", "PUBLISH", "NOTIFY", "FOO"])
def test_methods_that_are_not_offered_get_405(caller: Phone, method: str) -> None:
    text = caller.invite(body="").replace("INVITE", method)
    caller.send(text)
    assert caller.final() == 405


def test_a_call_within_a_dialog_that_asks_for_a_transfer_is_refused(
    caller: Phone, called: Phone
) -> None:
    sent, _, answer = connect(caller, called)
    caller.send(within("REFER", sent, answer, caller, 2))
    assert caller.final() == 405
    assert called.silent(0.3)
    caller.send(within("BYE", sent, answer, caller, 3))
    called.reply(called.expect("BYE "), 200)
    assert caller.final() == 200


def test_a_changed_description_whose_answer_cannot_be_passed_on_changes_nothing(
    caller: Phone, called: Phone
) -> None:
    """Who asked is told so at once, however often it is answered; the call is still up."""
    sent, _, answer = connect(caller, called)
    head = within("INVITE", sent, answer, caller, 2).removesuffix("Content-Length: 0\r\n\r\n")
    caller.send(
        f"{head}Contact: <sip:{ALICE}@{caller.where}>\r\nContent-Type: application/sdp\r\n"
        f"Content-Length: {len(SDP)}\r\n\r\n{SDP}"
    )
    asked = called.expect("INVITE ")
    for _ in range(2):
        called.reply(asked, 200, SDP.replace("RTP/AVP", "RTP/SAVP"))
    assert caller.final() == 488
    caller.send(head.replace("INVITE", "ACK") + "Content-Length: 0\r\n\r\n")
    caller.send(within("BYE", sent, answer, caller, 3))
    while not (bye := called.receive()).startswith("BYE "):
        pass
    called.reply(bye, 200)
    assert caller.final() == 200


def test_a_carrier_stays_in_the_path_when_its_phone_moves(
    caller: Phone, called: Phone, masked: Service
) -> None:
    """The carrier's proxy records its route once; the phone's re-INVITE names a new contact and no
    route. What the caller sends afterwards still goes by the proxy, to the new contact."""
    hop = Phone(masked)
    route = f"<sip:{hop.where};lr>"
    sent = caller.invite()
    caller.send(sent)
    received = called.receive()
    called.reply(received, 200, SDP, more=f"Record-Route: {route}\r\n")
    answer = caller.taken()
    caller.send(within("ACK", sent, answer, caller))
    assert header(hop.expect("ACK "), "Route") == route
    to_caller = {"From": f"{header(received, 'To')};tag=bobs", "To": header(received, "From")}
    again = (
        f"INVITE {header(received, 'Contact').strip('<>')} SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP {called.where};branch=z9hG4bKmoved\r\n"
        f"From: {to_caller['From']}\r\nTo: {to_caller['To']}\r\n"
        f"Call-ID: {header(received, 'Call-ID')}\r\nCSeq: 7 INVITE\r\nMax-Forwards: 70\r\n"
        f"Contact: <sip:moved@{called.where}>\r\nContent-Length: 0\r\n\r\n"
    )
    called.send(again)
    moved = caller.expect("INVITE ")
    caller.reply(moved, 491)
    assert called.final() == 491
    called.send(again.replace("INVITE", "ACK"))
    bye = within("BYE", sent, answer, caller, 2).replace(
        header(answer, "Contact").strip("<>"), header(moved, "Contact").strip("<>")
    )
    caller.send(bye)
    passed_on = hop.expect("BYE ")
    assert passed_on.startswith(f"BYE sip:moved@{called.where} SIP/2.0")
    assert header(passed_on, "Route") == route
    hop.reply(passed_on, 200)
    assert caller.final() == 200
    hop.socket.close()


def test_without_a_media_engine_the_caller_is_told_to_try_later(
    caller: Phone, called: Phone, masked: Service
) -> None:
    engine = masked.engine_pid("rtpengine")
    os.kill(engine, signal.SIGSTOP)
    try:
        caller.send(caller.invite())
        while not (answer := caller.receive()).startswith("SIP/2.0 503"):
            assert answer.startswith("SIP/2.0 1")
        assert header(answer, "Retry-After") == "5"
        assert called.silent(0.3)
    finally:
        with suppress(ProcessLookupError):  # it may have been replaced, for it hung
            os.kill(engine, signal.SIGCONT)
    until(lambda: masked.health()[0] == 200)


def test_while_routes_cannot_be_known_a_contact_is_not_made_anew(
    caller: Phone, called: Phone, masked: Service
) -> None:
    """The new one would hold no routes, and a carrier's proxy would drop out of the call."""
    sent, _, answer = connect(caller, called)
    renewed = within("INVITE", sent, answer, caller, 2)
    renewed = renewed.replace("Max-F", f"Contact: <sip:{ALICE}@{caller.where}>\r\nMax-F")
    os.kill(masked.pid, signal.SIGSTOP)
    try:
        caller.send(renewed)
        assert caller.final() == 500
        assert header(caller.received[-1], "Retry-After") == "5"
        assert called.silent(0.3)
    finally:
        os.kill(masked.pid, signal.SIGCONT)
    caller.send(within("BYE", sent, answer, caller, 3))
    called.reply(called.expect("BYE "), 200)
    assert caller.final() == 200


def test_a_flood_of_garbage_leaves_the_service_well(caller: Phone, masked: Service) -> None:
    valid = caller.invite().encode()
    for index in range(300):
        cut = valid[: index * len(valid) // 300]
        caller.send(cut + os.urandom(index % 40))
        caller.send(os.urandom(200))
    time.sleep(0.5)
    until(lambda: masked.health()[0] == 200, 5)
