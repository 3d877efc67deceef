"""Which bodies pass, and how each description passes the media engine."""

from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import KSR
import pytest
from fake_kamailio import loaded

from maskline_sip import allowed, mask, sdp, sip

KEYS = mask.Keyring({"a": bytes(range(64))}, "a")
CALLER = mask.Leg("ref", mask.CALLER, "c1", "t1", "<sip:a>", "<sip:n>", "sip:a@192.0.2.11")
CALLED = mask.Leg("ref", mask.CALLED, "c2", "t2", "<sip:b>", "<sip:m>", "sip:b@192.0.2.12")
PASSAGE = mask.Passage("a", CALLER, CALLED)
HEARD = "v=0\r\nc=IN IP4 {}\r\nm=audio {} RTP/AVP 0 8 9\r\n"
SAID = HEARD.format("192.0.2.11", 4000)
RELAYED = sdp.read(HEARD.format("127.0.0.1", 6000).encode())
SRTP = SimpleNamespace(srtp="required", codecs=["PCMA"])
PLAIN = SimpleNamespace(srtp="off", codecs=[])


class Engines:
    """What the media engine was asked; it answers with its own address."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.relayed = RELAYED
        self.known: list[tuple[str, int]] = []
        self.silent: set[str] = set()  # sides that have described nothing

    def offer(self, reference: str, sender: str, given: sdp.Description, terms: Any) -> Any:
        self.asked.append(("offer", reference, sender, given, terms))
        return self.relayed

    def answer(self, reference: str, *told: Any) -> Any:
        self.asked.append(("answer", reference, *told))
        return self.relayed

    def places(self, *_: Any) -> list[tuple[str, int]]:
        return self.known

    def knows(self, _reference: str, side: str, _terms: Any) -> bool:
        return side not in self.silent

    def delete(self, *told: Any) -> None:
        self.asked.append(("delete", *told))


class Settings:
    marked = {"srtp": SRTP, "plain": PLAIN}  # noqa: RUF012
    media_families = {"IP4", "IP6"}  # noqa: RUF012

    def may_hear(self, trunk: str, host: str, port: int) -> bool:
        return (trunk, host, port) != ("", "127.0.0.1", 22)


class Table:
    """Kamailio's memory, and its variables."""

    def __init__(self) -> None:
        self.cells: dict[tuple[str, str], str] = {}
        self.told: dict[str, Any] = {}
        self.pv = SimpleNamespace(get=self.told.get, sets=self.told.__setitem__)
        self.htable = self

    def sht_sets(self, table: str, name: str, value: str) -> None:
        self.cells[table, name] = value

    def sht_get(self, table: str, name: str) -> str | None:
        return self.cells.get((table, name))

    def sht_rm(self, table: str, name: str) -> None:
        self.cells.pop((table, name), None)


@pytest.fixture
def module() -> ModuleType:
    return loaded("bodies", Table())


@pytest.fixture
def engines() -> Engines:
    return Engines()


@pytest.fixture
def bodies(module: ModuleType, engines: Engines) -> Any:
    other = SimpleNamespace(host="192.0.2.77", port=2223)
    return module.Bodies(KEYS, engines, Settings(), SimpleNamespace(engines={"other": other}))


def request(
    method: str, body: str = SAID, *headers: tuple[str, str], kind: str = "application/sdp"
) -> sip.Message:
    told = (("content-type", kind), ("cseq", f"7 {method}"), *headers)
    return sip.Message(f"{method} sip:x SIP/2.0", told, body.encode())


def reply(status: int, method: str, *headers: tuple[str, str], body: str = SAID) -> sip.Message:
    told = (("content-type", "application/sdp"), ("cseq", f"7 {method}"), *headers)
    return sip.Message(f"SIP/2.0 {status} x", told, body.encode())


def is_relayed(body: allowed.Body) -> bool:
    """Whether it is the engine's description."""
    text = body.content.decode()
    return (
        body.type == "application/sdp" and "m=audio 6000 " in text and "c=IN IP4 127.0.0.1" in text
    )


@pytest.mark.parametrize("method", ["INVITE", "UPDATE", "PRACK"])
def test_a_description_in_a_request_is_an_offer(bodies: Any, engines: Engines, method: str) -> None:
    body = bodies.of_request(request(method, SAID, ("rack", "1 7 INVITE")), PASSAGE)
    assert is_relayed(body)
    assert body.offers
    assert [asked[:3] for asked in engines.asked] == [("offer", "ref", "caller")]
    assert engines.asked[0][3] == sdp.read(SAID.encode())


def test_a_description_in_an_ack_answers(bodies: Any, engines: Engines) -> None:
    body = bodies.of_request(request("ACK"), PASSAGE)
    assert is_relayed(body)
    assert not body.offers
    assert [asked[:4] for asked in engines.asked] == [("answer", "ref", "called", "caller")]


@pytest.mark.parametrize(("recorded", "ways"), [("", 2), ("1", 1)])
def test_a_recorded_browser_is_told_one_way(
    bodies: Any, engines: Engines, monkeypatch: pytest.MonkeyPatch, recorded: str, ways: int
) -> None:
    relayed = HEARD.format("127.0.0.1", 6000).replace("RTP/AVP", "UDP/TLS/RTP/SAVPF") + (
        "a=rtcp-mux\r\na=setup:actpass\r\na=ice-ufrag:abcd\r\n"
        f"a=ice-pwd:{'p' * 22}\r\na=fingerprint:sha-256 {':'.join(['AB'] * 32)}\r\n"
        "a=candidate:1 1 UDP 5 127.0.0.1 6000 typ host\r\n"
        "a=candidate:2 1 UDP 4 ::1 6002 typ host\r\n"
    )
    monkeypatch.setattr(engines, "offer", lambda *_: sdp.read(relayed.encode()))
    legs = (leg._replace(recorded=recorded) for leg in (CALLER, CALLED))
    body = bodies.of_request(request("INVITE"), mask.Passage("a", *legs))
    assert body.content.count(b"a=candidate:") == ways


def test_where_a_browser_wants_its_sound_is_neither_looked_at_nor_told(
    bodies: Any, engines: Engines
) -> None:
    """Its checks show it: a page could name any place, and homes have addresses of their own."""
    said = HEARD.format("127.0.0.1", 22).replace("RTP/AVP", "UDP/TLS/RTP/SAVPF") + (
        "a=rtcp-mux\r\na=setup:actpass\r\na=ice-ufrag:abcd\r\n"
        f"a=ice-pwd:{'p' * 22}\r\na=fingerprint:sha-256 {':'.join(['AB'] * 32)}\r\n"
        "a=candidate:1 1 UDP 5 127.0.0.1 22 typ host\r\n"
    )
    assert is_relayed(bodies.of_request(request("INVITE", said), PASSAGE))
    (stream,) = engines.asked[0][3].streams
    assert (stream.address, stream.port, stream.dtls.candidates) == ("IP4 0.0.0.0", 9, ())
    with pytest.raises(sdp.Unacceptable, match="a place of this machine"):
        bodies.of_request(request("INVITE", HEARD.format("127.0.0.1", 22)), PASSAGE)


@pytest.mark.parametrize("method", ["BYE", "CANCEL", "INFO", "OPTIONS"])
def test_no_other_request_holds_one(bodies: Any, engines: Engines, method: str) -> None:
    assert bodies.of_request(request(method), PASSAGE) == allowed.NO_BODY
    assert engines.asked == []


def test_what_is_no_description_does_not_pass(bodies: Any, engines: Engines) -> None:
    for kind in ("text/plain", "application/dtmf", "application/dtmf-relay"):
        assert bodies.of_request(request("INVITE", "5", kind=kind), PASSAGE) == allowed.NO_BODY
    assert bodies.of_request(request("INVITE", ""), PASSAGE) == allowed.NO_BODY
    assert bodies.of_reply(reply(200, "INVITE", body=""), PASSAGE, offered=True) == allowed.NO_BODY
    assert engines.asked == []


def test_a_pressed_key_passes_in_an_info(bodies: Any) -> None:
    pressed = request("INFO", "5", kind=" Application/DTMF ; x=y")
    assert bodies.of_request(pressed, PASSAGE) == allowed.Body("application/dtmf", b"5")


@pytest.mark.parametrize(
    ("status", "method", "offered", "step"),
    [
        (200, "INVITE", True, "answer"), (183, "INVITE", True, "answer"),
        (200, "UPDATE", True, "answer"), (200, "PRACK", True, "answer"),
        (299, "INVITE", False, "offer"), (200, "UPDATE", False, None), (200, "PRACK", False, None),
        (200, "INFO", True, None), (200, "BYE", True, None), (200, "OPTIONS", True, None),
        (300, "INVITE", True, None), (488, "INVITE", True, None), (606, "INVITE", False, None),
    ],
)  # fmt: skip
def test_which_replies_hold_a_description(
    bodies: Any, engines: Engines, status: int, method: str, offered: bool, step: str | None
) -> None:
    body = bodies.of_reply(reply(status, method), PASSAGE, offered=offered)
    sides = {"answer": ("caller", "called"), "offer": ("called",), None: ()}[step]
    assert is_relayed(body) is (step is not None)
    assert not body.offers
    assert [asked[: 2 + len(sides)] for asked in engines.asked] == (
        [(step, "ref", *sides)] if step else []
    )


def test_the_answer_to_a_reliable_provisional_reply_comes_in_its_prack(
    bodies: Any, engines: Engines
) -> None:
    """RFC 3262 5: once, for the reply that it names, from the party that got it."""
    offering = reply(183, "INVITE", ("rseq", "31"), ("to", "<sip:b>;tag=t2"))
    ahead = PASSAGE._replace(far=CALLED._replace(cseq="2"))
    bodies.of_reply(offering, ahead, offered=False)
    ahead = PASSAGE._replace(far=CALLED._replace(cseq="3"))  # something was challenged since
    steps = {}
    for rack in ("31 5 INVITE", "32 5 INVITE", "31 6 INVITE", "31", "31 x INVITE", "31 \xb2", ""):
        engines.asked.clear()
        bodies.of_request(request("PRACK", SAID, ("rack", rack)), ahead)
        steps[rack] = engines.asked[0][0]
    assert steps.pop("31 5 INVITE") == "answer"
    assert set(steps.values()) == {"offer"}
    engines.asked.clear()
    fork = ahead._replace(far=ahead.far._replace(tag="t3"))
    bodies.of_request(request("PRACK", SAID, ("rack", "31 5 INVITE")), fork)
    assert engines.asked[0][0] == "offer"


def test_who_has_described_nothing_can_but_answer_in_a_prack(bodies: Any, engines: Engines) -> None:
    """Also where another node saw what it answers, or this one was started meanwhile."""
    engines.silent = {"caller"}
    bodies.of_request(request("PRACK", SAID, ("rack", "31 5 INVITE")), PASSAGE)
    assert [asked[:4] for asked in engines.asked] == [("answer", "ref", "called", "caller")]


def test_where_sound_may_go_is_looked_at_both_ways(bodies: Any, engines: Engines) -> None:
    for host, port in (("127.0.0.1", 22), ("192.0.2.77", 2223)):
        there = HEARD.format(host, port)
        calls: list[Callable[[], object]] = [
            lambda text=there: bodies.first_offer(PASSAGE, sdp.read(text.encode()), "sip:h"),
            lambda text=there: bodies.of_request(request("INVITE", text), PASSAGE),
            lambda text=there: bodies.of_reply(reply(200, "INVITE", body=text), PASSAGE, True),
        ]
        for call in calls:
            with pytest.raises(sdp.Unacceptable, match="this machine"):
                call()
    assert engines.asked == []
    beside = HEARD.format("192.0.2.77", 2224) + "m=audio 0 RTP/AVP 0\r\nc=IN IP4 127.0.0.1\r\n"
    assert is_relayed(bodies.of_request(request("INVITE", beside), PASSAGE))
    assert is_relayed(bodies.of_request(request("INVITE", HEARD.format("0.0.0.0", 22)), PASSAGE))


def test_a_first_request_may_offer_nothing(bodies: Any, engines: Engines) -> None:
    assert bodies.first_offer(PASSAGE, None, "sip:h") == allowed.NO_BODY
    body = bodies.first_offer(PASSAGE, sdp.read(SAID.encode()), "sip:h")
    assert is_relayed(body)
    assert body.offers
    assert engines.asked[0][:3] == ("offer", "ref", "caller")


@pytest.mark.parametrize(
    ("families", "hop", "family"),
    [
        ({"IP4", "IP6"}, "sip:192.0.2.12", "IP4"), ({"IP4", "IP6"}, "sip:[2001:db8::1]", "IP6"),
        ({"IP4"}, "sip:[2001:db8::1]", ""), ({"IP6"}, "sip:192.0.2.12", ""),
    ],
)  # fmt: skip
def test_the_family_of_addresses_is_that_of_the_next_hop(
    bodies: Any, engines: Engines, families: set[str], hop: str, family: str
) -> None:
    """Told once, to an engine that does not know the receiver yet."""
    bodies._settings.media_families = families
    bodies.first_offer(PASSAGE, sdp.read(SAID.encode()), hop)
    bodies.of_request(request("INVITE"), PASSAGE)
    bodies.of_reply(reply(200, "INVITE"), PASSAGE, offered=False)
    assert [asked[-1].family for asked in engines.asked] == [family, "", ""]


@pytest.mark.parametrize(
    ("flow", "family"),
    [("sip:[2001:db8::9]:9;transport=ws", "IP6"), ("sip:192.0.2.9:9;transport=ws", "IP4")],
)
def test_an_offer_in_an_answer_has_the_family_of_where_a_browser_spoke_from(
    bodies: Any, engines: Engines, flow: str, family: str
) -> None:
    """It tells a name as its place (RFC 7118 5)."""
    near = CALLER._replace(target="sip:a@x.invalid;transport=ws", flow=flow)
    bodies._settings.media_families = {"IP4", "IP6"}
    passage = mask.Passage("a", near, CALLED._replace(tag=""))
    bodies.of_reply(reply(200, "INVITE"), passage, offered=False)
    assert engines.asked[0][-1].family == family


def test_each_sides_carrier_has_its_terms(bodies: Any, engines: Engines) -> None:
    near, far = CALLER._replace(trunk="srtp"), CALLED._replace(trunk="plain")
    bodies.of_request(request("INVITE"), mask.Passage("a", near, far))
    bodies.of_reply(reply(200, "INVITE"), mask.Passage("a", near, far), offered=True)
    terms = [asked[-1] for asked in engines.asked]
    assert [(one.sender, one.receiver) for one in terms] == [
        ("required", "off"),
        ("off", "required"),
    ]
    assert [one.sender_codecs for one in terms] == [("PCMA",), ()]
    assert [one.receiver_codecs for one in terms] == [(), ("PCMA",)]


@pytest.mark.parametrize(
    ("near", "far", "halves"),
    [("srtp", "srtp", 2), ("srtp", "plain", 1), ("plain", "srtp", 1), ("", "", 1)],
)
def test_how_much_the_engine_has_of_a_call_is_ended(
    bodies: Any, engines: Engines, near: str, far: str, halves: int
) -> None:
    bodies.end(mask.Passage("a", CALLER._replace(trunk=near), CALLED._replace(trunk=far)))
    assert engines.asked == [("delete", "ref", halves)]


@pytest.mark.parametrize(("recorded", "payloads"), [("1", [8, 0]), ("", [0, 8, 9])])
def test_a_recorded_call_has_sound_that_the_recorder_understands(
    bodies: Any, engines: Engines, recorded: str, payloads: list[int]
) -> None:
    passage = PASSAGE._replace(near=CALLER._replace(recorded=recorded))
    bodies.first_offer(passage, sdp.read(SAID.encode()), "sip:h")
    bodies.of_request(request("INVITE"), passage)
    bodies.of_reply(reply(200, "INVITE"), passage, offered=True)
    given = [
        next(one for one in asked if isinstance(one, sdp.Description)) for asked in engines.asked
    ]
    assert [one.streams[0].payloads for one in given] == [payloads] * 3


def test_who_moved_its_sound_can_move_it_back(bodies: Any, engines: Engines) -> None:
    engines.known = [("192.0.2.11", 4000)]
    bodies.of_request(request("INVITE"), PASSAGE)
    engines.asked.clear()
    bodies.move_back(PASSAGE)
    assert not engines.asked  # it moved nothing
    engines.known = [("192.0.2.99", 5000)]
    body = bodies.of_request(request("INVITE"), PASSAGE)
    assert is_relayed(body)
    assert body.offers
    engines.asked.clear()
    bodies.move_back(PASSAGE)
    command, reference, side, given, _ = engines.asked[0]
    assert (command, reference, side) == ("offer", "ref", "caller")
    places = [(given.place(stream), stream.port) for stream in given.streams]
    assert places == [("IP4 192.0.2.99", 5000)]


def test_a_move_back_that_fails_is_no_fault(
    bodies: Any, engines: Engines, module: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    engines.known = [("192.0.2.99", 5000)]
    bodies.of_request(request("INVITE"), PASSAGE)
    for fault in (module.MediaDown("x"), sdp.Unacceptable("x")):
        monkeypatch.setattr(engines, "offer", lambda *_, fault=fault: (_ for _ in ()).throw(fault))
        bodies.move_back(PASSAGE)


def test_to_each_receiver_descriptions_are_of_one_session_that_tells_nothing(
    bodies: Any, engines: Engines, module: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 3264 8: one number for the session, another for each description, the next one where it
    has changed."""
    moment = 1_000_000.001
    monkeypatch.setattr(module.time, "time", lambda: moment)
    bodies._others.engines.clear()

    def origins() -> list[tuple[str, int]]:
        to_called = bodies.of_request(request("INVITE"), PASSAGE)
        to_caller = bodies.of_reply(reply(200, "INVITE"), PASSAGE, offered=True)
        lines = [body.content.decode().split("\r\n")[1] for body in (to_called, to_caller)]
        return [(line.split(" ")[1], int(line.split(" ")[2])) for line in lines]

    (called, version), (caller, _) = first = origins()
    assert called != caller
    assert 0 <= version < 2**31
    moment += 1
    assert origins() == first
    engines.relayed = sdp.read(HEARD.format("127.0.0.1", 6002).encode())
    assert origins() == [(called, version + 1), (caller, version + 1)]
    assert origins() == [(called, version + 1), (caller, version + 1)]
    engines.relayed = RELAYED
    assert origins() == [(called, version + 2), (caller, version + 2)]
    bodies.end(PASSAGE)  # or another node, which knows of none
    assert origins() == [(called, version + 1000), (caller, version + 1000)]
    for passage in (PASSAGE, mask.Passage("a", CALLED, CALLER)):
        bodies.end(passage)
        assert not [name for table, name in KSR.kamailio.cells if table == "described"]
