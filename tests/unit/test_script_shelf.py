"""The ACK and BYE of an answered call that Kamailio sends without asking the script: which calls
have some, what stands in them, and what becomes of the call when one was sent."""

import pytest
from fake_kamailio import (
    ACME,
    CALL,
    GLOBEX,
    INITECH,
    OFFER,
    OURS,
    STRANGER,
    Script,
    carrier,
    invite,
    reply,
    route,
    target,
    within,
)

from maskline_sip import sip


def answered(
    script: Script,
    *,
    asked: bytes = b"",
    came: tuple[str, str] = (ACME, "udp"),
    answer: tuple[str, str] = (GLOBEX, "udp"),
    contact: str = "",
) -> tuple[sip.Message, sip.Message]:
    script.request(asked or invite(), *came)
    sent = script.sent
    told = reply(sent, 200, body=OFFER)
    if contact:
        told = told.replace(f"<sip:ben@{GLOBEX}>".encode(), contact.encode())
    assert script.reply(told, *answer)
    return sent, script.sent


def shelf(script: Script) -> dict[str, list[str]]:
    """What lies there, by the name that it goes by: the fields of `ready.text`."""
    return {name: value.split(" ")[1:] for name, value in script.table("ready").items()}


def test_both_parties_requests_lie_ready_once_a_call_is_answered() -> None:
    script = Script()
    answered(script)
    forth, back = shelf(script).items()
    assert (forth[1][0], back[1][0]) == (back[0], forth[0])  # each names the other
    ours = f"udp:{OURS}:5060"
    assert forth[1][1:8] == [
        f"udp:{ACME}", ours, f"sip:ben@{GLOBEX}", f"sip:ben@{GLOBEX}", CALL, "caller", "1",
    ]  # fmt: skip
    assert back[1][1:8] == [
        f"udp:{GLOBEX}", ours, f"sip:ann@{ACME}", f"sip:ann@{ACME}", CALL, "called", "1",
    ]  # fmt: skip


def test_a_call_that_rings_has_none() -> None:
    script = Script()
    script.request(invite())
    script.reply(reply(script.sent, 180))
    assert not shelf(script)


@pytest.mark.parametrize("transport", ["ws", "tls", "wss"])
def test_over_other_ways_than_plain_ones_the_script_is_asked(transport: str) -> None:
    """Certificates are looked at first, and browsers connect to us."""
    script = Script(listen=[f"udp:{OURS}:5060", f"{transport}:{OURS}:443"])
    answered(script, came=(ACME, transport))
    assert not shelf(script)
    answered(script, answer=(GLOBEX, transport))
    assert not shelf(script)
    answered(script, contact=f"<sip:ben@{GLOBEX};transport={transport}>")
    assert not shelf(script)


def test_over_tcp_they_lie_ready_too() -> None:
    script = Script()
    answered(script, came=(ACME, "tcp"), contact=f"<sip:ben@{GLOBEX};transport=tcp>")
    assert len(shelf(script)) == 2


@pytest.mark.parametrize(
    ("answer", "contact"),
    [
        ((STRANGER, "udp"), ""),  # who is no carrier by the address
        ((GLOBEX, "udp"), "<sip:ben@phone.example>"),  # found by the way that they came
        ((GLOBEX, "udp"), f"<sip:ben@{OURS}>"),  # us
        ((GLOBEX, "udp"), "<sip:ben@127.0.0.1>"),
        ((GLOBEX, "udp"), f"<sip:ben@{GLOBEX};transport=sctp>"),  # no listener
        ((GLOBEX, "udp"), f"<sip:{'x' * 2000}@{GLOBEX}>"),
    ],
)
def test_where_there_is_more_to_it_than_to_send_neither_lies_ready(
    answer: tuple[str, str], contact: str
) -> None:
    script = Script()
    answered(script, answer=answer, contact=contact)
    assert not shelf(script)


def test_of_two_requests_that_would_be_too_long_in_one_direction_neither_lies_ready() -> None:
    script = Script()
    answered(script, asked=invite().replace(b"sip:ann@192", b"sip:" + b"a" * 1500 + b"@192"))
    assert script.control.events()[-1]["Event"] == "Answered"
    assert not shelf(script)


def test_where_a_password_may_be_asked_for_neither_lies_ready() -> None:
    script = Script()
    script.control.answers["RouteCall"] = route(target("initech", f"{INITECH}:5060"))
    answered(script, answer=(INITECH, "udp"))
    assert not shelf(script)


def test_behind_a_balancer_neither_lies_ready() -> None:
    script = Script(balancers=["192.0.2.55/32"])
    passed = invite().replace(
        b"Max-Forwards", f"Via: SIP/2.0/UDP x;received={ACME}\r\nMax-Forwards".encode()
    )
    answered(script, asked=passed, came=("192.0.2.55", "udp"))
    assert script.control.events()
    assert not shelf(script)


def test_encrypted_calls_tell_how_many_calls_the_engine_has_of_them() -> None:
    encrypted = [carrier("acme", ACME, srtp="optional"), carrier("globex", GLOBEX, srtp="optional")]
    script = Script(carriers=encrypted)
    answered(script)
    assert [fields[7] for fields in shelf(script).values()] == ["2", "2"]


@pytest.mark.parametrize("side", [0, 1])
def test_a_bye_that_the_script_sends_takes_both_away(side: int) -> None:
    script = Script()
    seen = answered(script)[side]
    script.request(within("ACK" if side else "INFO", seen), ACME if side else GLOBEX)
    assert len(shelf(script)) == 2
    script.request(within("BYE", seen), ACME if side else GLOBEX)
    assert not shelf(script)


def test_the_end_of_a_call_whose_bye_lay_ready_is_told() -> None:
    script = Script()
    answered(script)
    script.kamailio.cells["$var(ended)"] = f"{CALL}~bbbbbbbb called 2"
    script.kamailio.says["is_present"] = -1
    assert script.routes.hung_up(None) == 1
    ended = {"CallId": CALL, "Event": "Ended", "EndedBy": "called", "SipStatus": 200}
    assert script.control.events()[-1] == ended
    script.kamailio.cells["$var(ended)"] = f"{CALL} called 2"
    script.routes.hung_up(None)
    assert script.engine.given("delete") == [(CALL, 2)]
    assert not script.table("described")


@pytest.mark.parametrize("reference", [CALL, f"{CALL}~bbbbbbbb"])
def test_a_bye_that_lay_ready_and_could_not_be_sent_is_told(reference: str) -> None:
    script = Script()
    script.kamailio.cells["$var(ended)"] = f"{reference} called 2"
    script.kamailio.says["is_present"] = -1
    assert script.routes.stranded(None) == 1
    assert script.control.events() == [
        {"CallId": CALL, "Event": "Stranded", "EndedBy": "called", "SipStatus": 200}
    ]


@pytest.mark.parametrize("step", ["hung_up", "stranded"])
def test_what_cannot_be_told_is_logged_without_its_words(step: str) -> None:
    script = Script()
    script.kamailio.cells["$var(ended)"] = None
    assert getattr(script.routes, step)(None) == 1
    ((line,),) = script.kamailio.given("err")
    assert line.startswith("hang-up not told: AttributeError ")


def test_the_reply_to_a_bye_that_lay_ready_is_the_script_s_where_it_is_no_plain_200() -> None:
    script = Script()
    _, told = answered(script)
    raw = within("BYE", told)
    script.begins(raw, ACME)  # and Kamailio sends what lay ready
    bye = sip.parse(raw)
    sent = sip.Message("BYE x SIP/2.0", (("from", "<sip:n@h>;tag=1"), ("to", "<sip:b@h>;tag=ben"),
                       ("call-id", "c"), ("cseq", "2 BYE")), b"")  # fmt: skip
    assert script.reply(reply(sent, 481))
    assert script.sent.status == 481
    for name in ("via", "from", "to", "call-id", "cseq"):
        assert script.sent.all(name) == bye.all(name)


def test_a_reply_to_what_is_no_request_of_a_call_is_kept_back() -> None:
    script = Script()
    _, told = answered(script)
    script.begins(within("BYE", told).replace(b"tag=ann", b"tag=eve"), ACME)
    assert not script.reply(reply(told, 200))
    assert not script.written
