"""Who is answered at all, and who by what: the requests that come, step by step."""

from typing import Any

import pytest
from fake_kamailio import (
    ACME,
    ANN,
    CALL,
    CONTROL,
    GLOBEX,
    OFFER,
    OURS,
    STRANGER,
    Script,
    carrier,
    invite,
    reply,
    route,
    target,
)

from maskline_sip import ringing, routes, sip

BALANCER = "192.0.2.55"


def asked(method: str, *more: tuple[str, str], body: bytes = b"", **told: Any) -> bytes:
    return invite(*more, body=body, method=method, **told)


def from_anywhere(raw: bytes) -> bytes:
    """As a balancer passes it on, below its own Via."""
    via = f"Via: SIP/2.0/UDP {BALANCER};branch=z9hG4bK9\r\n".encode()
    start, end, rest = raw.partition(b"\r\n")
    return start + end + via + rest


@pytest.mark.parametrize("method", ["INVITE", "OPTIONS", "CANCEL", "ACK", "BYE", "REGISTER"])
def test_strangers_get_silence(script: Script, method: str) -> None:
    script.kamailio.says["t_check_trans"] = 1
    script.request(asked(method), STRANGER)
    assert not script.kamailio.done
    assert not script.control.asked


def test_a_stranger_who_may_have_a_password_is_asked_for_it(guarded: Script) -> None:
    guarded.request(invite(), STRANGER)
    assert guarded.answered == [401]
    challenges = [one for (one,) in guarded.kamailio.given("append_to_reply")]
    assert all(one.startswith("WWW-Authenticate: Digest ") for one in challenges)
    assert challenges
    assert "stale" not in str(challenges)
    assert not guarded.control.asked
    guarded.request(asked("OPTIONS"), STRANGER)
    assert guarded.answered == []


def test_a_network_that_floods_is_asked_no_more(guarded: Script) -> None:
    for number in range(61):
        guarded.request(invite(), f"[2001:db8::{number:x}]:5060")
        assert guarded.answered == ([401] if number < 60 else [])


def test_who_must_prove_it_must_at_its_own_address_too() -> None:
    """An address over UDP can be forged."""
    known = {"inbound_username": "acme-in", "inbound_password": "secret"}
    always = carrier("acme", ACME, inbound_password_always=True, **known)
    script = Script(carriers=[always, carrier("globex", GLOBEX)])
    script.request(invite())
    assert script.answered == [401]
    assert not script.control.asked


def test_a_stranger_with_a_transaction_may_cancel_it(guarded: Script) -> None:
    guarded.kamailio.says["t_check_trans"] = 1
    guarded.request(asked("CANCEL"), STRANGER)
    assert guarded.relayed
    guarded.request(asked("ACK"), STRANGER)  # and confirm its failure
    assert guarded.kamailio.given("t_check_trans")
    guarded.kamailio.says["t_check_trans"] = 0
    guarded.request(asked("CANCEL"), STRANGER)
    assert not guarded.relayed
    assert not guarded.answered


def test_a_cancel_of_a_carrier_ends_its_transaction(script: Script) -> None:
    script.kamailio.says["t_check_trans"] = 1
    script.request(asked("CANCEL"))
    assert script.relayed
    assert not script.answered


@pytest.mark.parametrize("found", [0, -1])
def test_a_cancel_of_nothing_is_told_so(script: Script, found: int) -> None:
    script.kamailio.says["t_check_trans"] = found
    script.request(asked("CANCEL"))
    assert script.answered == [481]
    assert not script.relayed


def test_who_hangs_up_hears_no_more_of_an_announcement(script: Script) -> None:
    refusal = {"Decision": "Refuse", "CallId": CALL, "SipStatus": 404, "Announcement": "a.wav"}
    script.control.answers["RouteCall"] = refusal
    script.request(invite())
    assert not script.engine.given("delete")
    script.kamailio.says["t_check_trans"] = 1
    script.request(asked("CANCEL"))
    assert script.engine.given("delete") == [(CALL,)]
    script.request(asked("CANCEL"))
    assert script.engine.given("delete") == [(CALL,)]


def test_a_carrier_gives_no_call_up_that_is_not_its_own(script: Script) -> None:
    """Whatever it knows of our names for calls."""
    script.request(invite())
    script.request(asked("CANCEL", uri=f"sip:{CALL}@h"), GLOBEX)
    assert script.answered == [481]
    assert not script.kamailio.given("t_cancel_callid")


def test_the_control_plane_gives_a_call_up(script: Script) -> None:
    raw = asked("CANCEL", uri=f"sip:{CALL}@h")
    script.request(raw, CONTROL)
    assert script.answered == [481]
    script.request(invite())
    marked = script.kamailio.cells["$ci"]
    script.request(raw, CONTROL)
    assert script.answered == [200]
    assert script.kamailio.given("t_cancel_callid") == [(marked, "1", 7)]
    assert not script.control.events()  # when the phone has stopped


def test_a_phone_that_does_not_stop_keeps_its_caller_for_seconds(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = asked("CANCEL", uri=f"sip:{CALL}@h")
    now = [1000.0]
    monkeypatch.setattr(ringing.time, "monotonic", lambda: now[0])
    script.request(invite())
    marked = script.kamailio.cells["$ci"]
    for later in (0, 3, 5):
        now[0] = 1000.0 + later
        script.request(raw, CONTROL)
        assert script.kamailio.given("t_cancel_callid")
        assert not script.kamailio.given("t_reply_callid")
    now[0] = 1006.0
    script.request(raw, CONTROL)
    assert script.answered == [200]
    assert script.kamailio.given("t_reply_callid") == [
        (marked, "1", 480, "Temporarily Unavailable")
    ]
    assert script.engine.given("delete") == [(CALL,)]
    ended = {"CallId": CALL, "Event": "Ended", "EndedBy": "us", "SipStatus": 480}
    assert script.control.events() == [ended]
    script.request(raw, CONTROL)
    assert script.answered == [481]


def test_a_call_that_was_answered_meanwhile_is_not_given_up(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = asked("CANCEL", uri=f"sip:{CALL}@h")
    monkeypatch.setattr(ringing.time, "monotonic", lambda: 1000.0)
    script.request(invite())
    script.request(raw, CONTROL)
    monkeypatch.setattr(ringing.time, "monotonic", lambda: 1010.0)
    script.kamailio.says["t_reply_callid"] = -1
    script.request(raw, CONTROL)
    assert not script.engine.given("delete")
    assert not script.control.events()


@pytest.mark.parametrize(("draining", "status"), [(False, 200), (True, 503)])
def test_a_carrier_that_asks_is_told_whether_we_take_calls(
    script: Script, draining: bool, status: int
) -> None:
    script.others.draining = draining
    script.request(asked("OPTIONS", uri="sip:192.0.2.100"))
    assert script.answered == [status]
    script.request(asked("OPTIONS", uri="sip:192.0.2.100"), CONTROL)
    assert script.answered == [200]
    script.request(asked("OPTIONS", ("Require", "gruu")))
    assert script.answered == [420]
    script.request(asked("OPTIONS", hops=0))
    assert script.answered == [status]


def test_the_control_plane_asks_whether_a_call_rings(script: Script) -> None:
    raw = asked("OPTIONS", uri=f"sip:{CALL}@h")
    script.request(raw, CONTROL)
    assert script.answered == [481]
    script.request(invite())
    script.request(raw, CONTROL)
    assert script.answered == [200]
    script.request(raw)  # of a carrier, it tells nothing of calls
    assert script.answered == [200]


@pytest.mark.parametrize("method", ["REGISTER", "SUBSCRIBE", "REFER", "INFO", "PUBLISH", "BYE"])
def test_what_begins_nothing_is_refused(script: Script, method: str) -> None:
    script.request(asked(method))
    assert script.answered == [405]


@pytest.mark.parametrize("method", ["OPTIONS", "REGISTER", "INFO"])
def test_errands_are_the_control_planes_alone(script: Script, method: str) -> None:
    raw = asked(method, ("X-Carrier", "globex"), uri=f"sip:{GLOBEX}")
    script.request(raw)
    assert not script.relayed
    assert script.answered == ([200] if method == "OPTIONS" else [405])
    assert not script.kamailio.tables


def test_the_control_plane_tells_where_a_carrier_calls_from() -> None:
    script = Script(named_sources=True)
    script.request(invite(), STRANGER)
    assert not script.kamailio.done
    raw = asked("INFO", ("X-Carrier", "glo%62ex"), body=STRANGER.encode() + b"\r\n")
    script.request(raw, CONTROL)
    assert script.answered == [200]
    script.request(invite(), STRANGER)
    assert script.relayed
    assert script.control.asked[-1][1]["CarrierName"] == "globex"


@pytest.mark.parametrize(
    ("uri", "status"),
    [("http://a", 416), ("urn:service:sos", 416), ("nonsense", 400), ("TEL:+1", 404),
     ("SIPS:x@a", 404), ("urn:sip:x", 416), ("1urn:x", 400)],
)  # fmt: skip
def test_a_uri_that_we_do_not_speak(script: Script, uri: str, status: int) -> None:
    script.request(invite(uri=uri, to="<sip:x@a>"))
    assert script.answered == [status]


def test_an_ack_is_answered_by_nothing(script: Script) -> None:
    script.request(asked("ACK", uri="http://a"))
    assert not script.answered


def test_a_fault_is_answered_and_logged_without_a_word_of_the_message(script: Script) -> None:
    script.control.answers["RouteCall"] = KeyError(ANN)
    script.request(invite())
    assert script.answered == [500]
    assert not script.kamailio.given("append_to_reply")
    ((line,),) = script.kamailio.given("err")
    assert line.startswith("answered 500: KeyError ask:")
    assert ANN not in line


def test_what_is_wrong_with_a_request_is_logged_in_our_words(script: Script) -> None:
    script.request(invite().replace(b"To: ", b"To: <sip:x>\r\nTo: "))
    assert script.answered == [400]
    ((line,),) = script.kamailio.given("info")
    assert line == "answered 400: Malformed a header that must stand once stands twice\n"
    assert not script.kamailio.given("err")


def test_texts_are_the_control_planes_to_judge(script: Script) -> None:
    script.control.answers["AcceptMessage"] = {"SipStatus": 202}
    raw = asked("MESSAGE", body=b"hello").replace(b"application/sdp", b"text/plain")
    script.request(raw)
    assert script.answered == [202]
    script.request(raw.replace(b"text/plain", b"text/html"))
    assert script.answered == [415]


def balanced() -> Script:
    return Script(balancers=[f"{BALANCER}/32"])


def test_behind_a_balancer_is_who_sent_it_there() -> None:
    script = balanced()
    script.request(from_anywhere(invite()), BALANCER)
    assert script.relayed
    assert script.control.asked[0][1]["CarrierName"] == "acme"
    script.request(from_anywhere(invite()).replace(ACME.encode(), STRANGER.encode()), BALANCER)
    assert not script.kamailio.done
    script.request(invite(), BALANCER)  # it does not tell
    assert not script.kamailio.done


def test_a_balancer_cancels_what_it_sent_and_no_more() -> None:
    script = balanced()
    script.kamailio.says["t_check_trans"] = 1
    script.request(asked("CANCEL"), BALANCER)
    assert script.relayed
    script.kamailio.says["t_check_trans"] = -1
    script.request(asked("CANCEL"), BALANCER)
    assert not script.relayed
    assert not script.answered


@pytest.mark.parametrize(("draining", "status"), [(False, 200), (True, 503)])
def test_a_balancer_that_asks_is_told_whether_we_take_calls(draining: bool, status: int) -> None:
    script = balanced()
    script.others.draining = draining
    script.request(asked("OPTIONS"), BALANCER)
    assert script.answered == [status]


def test_a_message_that_kamailio_does_not_give_is_settled_all_the_same(script: Script) -> None:
    script.request(invite())
    script.kamailio.done.clear()
    script.kamailio.cells |= {"$(mb{s.encode.base64})": None, "$rs": 200}
    assert script.routes.reply(None) == -1
    assert script.answered == [500]
    assert script.control.events()[-1]["EndedBy"] == "us"


def test_a_request_that_is_longer_than_kamailio_gives_is_told_so(script: Script) -> None:
    script.begins(invite())
    script.kamailio.cells["$(mb{s.encode.base64})"] = None
    assert script.routes.request(None) == 1
    assert script.answered == [413]
    assert not script.kamailio.given("err")


def test_a_fault_in_a_fault_is_logged(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    script.request(invite())

    def broken(*_: Any) -> None:
        raise KeyError(ANN)

    monkeypatch.setattr(script.routes.unfit, "settle", broken)
    script.kamailio.done.clear()
    script.kamailio.cells |= {"$(mb{s.encode.base64})": None, "$rs": 200}
    assert script.routes.reply(None) == -1
    lines = [line for (line,) in script.kamailio.given("err")]
    assert lines[1].startswith("not settled: KeyError broken:")
    assert ANN not in "".join(lines)


def test_who_answers_again_a_call_that_we_ended_is_hung_up_again(script: Script) -> None:
    script.request(invite())
    broken = reply(script.sent, 200, body=OFFER, tag="").replace(b";tag=\r\n", b"\r\n")
    assert not script.reply(broken)
    assert script.answered == [500]
    told = len(script.control.told)
    assert not script.reply(broken)
    assert script.answered == []
    assert [name for name, _ in script.control.told[told:]] == ["DismissLeg"]


def test_a_fault_in_a_failure_is_logged(script: Script) -> None:
    script.request(invite())
    script.kamailio.cells["$avp(maskline)"] = "nonsense"
    script.fails(486)
    ((line,),) = script.kamailio.given("err")
    assert line.startswith("failure route failed: ")


def test_a_worker_begins(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is loaded is not gone through again and again for what nobody uses."""
    done: list[str] = []
    gc = routes.gc
    for step in ("collect", "freeze"):
        monkeypatch.setattr(gc, step, lambda step=step: done.append(step))
    monkeypatch.setattr(gc, "set_threshold", lambda *_: done.append("threshold"))
    assert script.routes.child_init(1) == 0
    assert done == ["collect", "freeze", "threshold"]


def test_the_place_of_a_fault_is_told(script: Script) -> None:
    assert routes._where(KeyError(ANN)) == ""
    message = sip.Malformed("CSeq")
    assert routes.told(message, 400) == "CSeq"


ENCRYPTED = [f"udp:{OURS}:5060", f"tls:{OURS}:5061"]


def profiles(script: Script) -> list[str]:
    """By whose terms of TLS connections would be made, in order."""
    return [name for (name,) in script.kamailio.given("set_connect_server_id")]


@pytest.mark.parametrize("connected", [False, True])
def test_a_caller_whose_connection_is_gone_is_refused_by_its_own_carriers_terms(
    *, connected: bool
) -> None:
    """Also where another one's were tried before."""
    script = Script(listen=ENCRYPTED)
    script.control.answers["RouteCall"] = route(target(address=f"{GLOBEX}:5061", Transport="tls"))
    if connected:
        script.kamailio.cells["$conid"] = 3
    script.kamailio.says["t_relay"] = -1
    script.request(invite(), transport="tls")
    assert script.answered == [503]
    assert profiles(script) == ["globex"] + ["acme"] * (not connected)


def test_so_is_one_whose_answer_cannot_be_passed_on() -> None:
    script = Script(listen=ENCRYPTED)
    script.request(invite(), transport="tls")
    script.reply(reply(script.sent, 200, body=b"v=0"))
    assert script.answered == [488]
    assert profiles(script) == ["acme"]


def test_so_is_one_that_heard_an_announcement() -> None:
    script = Script(listen=ENCRYPTED)
    refusal = {"Decision": "Refuse", "CallId": CALL, "SipStatus": 404, "Announcement": "a.wav"}
    script.control.answers["RouteCall"] = refusal
    script.request(invite(), transport="tls")
    script.fails(408)
    assert script.answered == [404]
    assert profiles(script) == ["acme"]


def test_so_is_one_whose_text_was_kept() -> None:
    script = Script(listen=ENCRYPTED)
    script.control.answers["AcceptMessage"] = {"SipStatus": 202}
    text = invite(method="MESSAGE", body=b"hello").replace(b"application/sdp", b"text/plain")
    script.request(text, transport="tls")
    assert script.answered == [202]
    assert profiles(script) == ["acme"]
