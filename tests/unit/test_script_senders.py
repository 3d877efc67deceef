"""Who a request is from: by address, by name, by the call that it belongs to, or by a password; and
the way back to them."""

import time
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from credentials import answer
from fake_kamailio import loaded

from maskline_sip import digest, mask, sip
from maskline_sip.refuse import Refuse

KEYS = mask.Keyring({"a": bytes(range(64))}, "a")
ACME = SimpleNamespace(
    name="acme", mark="aaa", inbound_username="acme-in", inbound_password_always=True
)
KNOWN = SimpleNamespace(
    name="known", mark="bbb", inbound_username=None, inbound_password_always=False
)


class Kamailio:
    """The message at hand, and how long its connection may be silent."""

    def __init__(self) -> None:
        self.at_hand: dict[str, Any] = {"$si": "192.0.2.9", "$sp": 5070, "$proto": "udp"}
        self.lifetimes: list[int] = []
        self.pv = SimpleNamespace(get=self.at_hand.get)
        self.tcpops = SimpleNamespace(tcp_set_connection_lifetime=self.lifetimes.append)


class Settings:
    """Of a node that knows one carrier at 192.0.2.1, and one that calls from anywhere."""

    carriers = {"acme": ACME, "known": KNOWN}  # noqa: RUF012
    marked = {"aaa": ACME, "bbb": KNOWN}  # noqa: RUF012
    inbound_accounts = {"acme": digest.Account("acme-in", "secret")}  # noqa: RUF012
    keys, current_key = {"a": bytes(range(64))}, "a"
    known_seconds, named_sources = 77, True
    websocket_origins: tuple[str, ...] = ()

    def origin(self, address: str, _port: int, transport: str) -> str | None:
        return self.carrier_at(address, transport)

    def carrier_at(self, address: str, _transport: str) -> str | None:
        return "known" if address == "192.0.2.1" else None


@pytest.fixture
def kamailio() -> Kamailio:
    return Kamailio()


@pytest.fixture
def friends() -> list[str]:
    return []


@pytest.fixture
def senders(kamailio: Kamailio, friends: list[str], monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module, named = loaded("senders", kamailio), {"192.0.2.2": "known"}
    looked_up = SimpleNamespace(carrier_at=named.get, befriend=friends.append)
    monkeypatch.setattr(module, "sources", looked_up)
    return module


def request(method: str, *headers: tuple[str, str], to: str = "<sip:n@h>") -> sip.Message:
    fixed = [("via", "SIP/2.0/UDP a"), ("from", "<sip:a@h>;tag=1"), ("to", to), ("call-id", "c")]
    told = (*fixed, ("cseq", f"1 {method}"), *headers)
    return sip.Message(f"{method} sip:+19135550199@h SIP/2.0", told, b"")


def answered(module: ModuleType, who: Any, asked: sip.Message, password: str) -> sip.Message:
    """The request again, with the answer to the challenge that it got."""
    source = module.Source("192.0.2.9", 5070, "udp")
    with pytest.raises(Refuse) as refused:
        who.by_password(asked, source)
    assert refused.value.status == 401
    challenges = [header.partition(": ")[2] for header in refused.value.headers]
    account = digest.Account("acme-in", password)
    told = answer(challenges, account, asked.method, asked.uri)
    assert told
    return request(asked.method, ("authorization", told))


@pytest.mark.parametrize("method", ["INVITE", "MESSAGE"])
def test_a_stranger_is_the_carrier_whose_password_it_has(
    senders: ModuleType, friends: list[str], kamailio: Kamailio, method: str
) -> None:
    who = senders.Senders(Settings(), KEYS)
    source = senders.Source("192.0.2.9", 5070, "udp")
    assert who.by_password(answered(senders, who, request(method), "secret"), source) == "acme"
    assert friends == ["192.0.2.9"]
    assert kamailio.lifetimes == []
    with pytest.raises(Refuse):
        who.by_password(answered(senders, who, request(method), "wrong"), source)
    assert friends == ["192.0.2.9"]


def test_credentials_for_another_realm_hide_none(senders: ModuleType) -> None:
    """A proxy before us may have asked, too (RFC 3261 22.3)."""
    who = senders.Senders(Settings(), KEYS)
    told = answered(senders, who, request("INVITE"), "secret").first("authorization")
    source = senders.Source("192.0.2.9", 5070, "udp")
    others = [("authorization", 'Digest realm="pbx", username="acme-in"'), ("authorization", "X")]
    for given in ([*others, ("authorization", told)], [("authorization", told), *others]):
        assert who.by_password(request("INVITE", *given), source) == "acme"
    with pytest.raises(Refuse):
        who.by_password(request("INVITE", *others), source)


def test_the_connection_of_a_carrier_may_be_silent_for_longer(
    senders: ModuleType, kamailio: Kamailio
) -> None:
    kamailio.at_hand["$proto"] = "tls"
    who = senders.Senders(Settings(), KEYS)
    source = senders.Source("192.0.2.9", 5070, "tls")
    who.by_password(answered(senders, who, request("INVITE"), "secret"), source)
    assert kamailio.lifetimes == [77]


def test_an_old_challenge_is_given_anew(
    senders: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    who = senders.Senders(Settings(), KEYS)
    good = answered(senders, who, request("INVITE"), "secret")
    later = time.time() + digest.NONCE_SECONDS + 2
    monkeypatch.setattr(senders.time, "time", lambda: later)
    with pytest.raises(Refuse) as refused:
        who.by_password(good, senders.Source("192.0.2.9", 5070, "udp"))
    assert all("stale=true" in header for header in refused.value.headers)


@pytest.mark.parametrize("method", ["BYE", "OPTIONS", "REGISTER", "CANCEL", "ACK"])
def test_nobody_else_is_asked_for_a_password(senders: ModuleType, method: str) -> None:
    who = senders.Senders(Settings(), KEYS)
    source = senders.Source("192.0.2.9", 5070, "udp")
    assert who.by_password(request(method), source) is None
    assert who.by_password(request("INVITE", to="<sip:n@h>;tag=x"), source) is None


def within(trunk: str, method: str = "BYE") -> sip.Message:
    """A request of the called party, whose leg is a carrier's, within a call."""
    caller = mask.Leg(
        "r", mask.CALLER, "c1", "t1", "<sip:a>", "<sip:n>", "sip:a@h", peer_trunk=trunk
    )
    headers = (
        ("from", "<sip:b>;tag=b"), ("to", f"<sip:n>;tag={KEYS.alias('a', 'tag', 'c1', 't1')}"),
        ("call-id", KEYS.alias("a", "call", "c1", "t1")), ("cseq", f"2 {method}"),
    )  # fmt: skip
    return sip.Message(f"{method} sip:{KEYS.seal('a', caller)}@h SIP/2.0", headers, b"")


@pytest.mark.parametrize("method", ["BYE", "ACK", "INVITE"])
def test_within_a_call_its_token_tells_the_carrier(
    senders: ModuleType, friends: list[str], method: str
) -> None:
    who = senders.Senders(Settings(), KEYS)
    source = senders.Source("192.0.2.9", 5070, "udp")
    assert who.by_password(within("aaa", method), source) == "acme"
    assert friends == ["192.0.2.9"]
    for unknown in ("bbb", "ccc"):  # of one that has no password, and of one that is no more
        assert who.by_password(within(unknown, method), source) is None


def test_without_passwords_a_stranger_is_a_stranger(senders: ModuleType) -> None:
    settings = Settings()
    settings.inbound_accounts = {}
    who = senders.Senders(settings, KEYS)
    assert who.guard is None
    assert who.by_password(request("INVITE"), senders.Source("192.0.2.9", 1, "udp")) is None


def test_who_must_always_prove_it_must_at_its_own_address_too(senders: ModuleType) -> None:
    who = senders.Senders(Settings(), KEYS)
    source = senders.Source("192.0.2.9", 5070, "udp")
    for method in ("INVITE", "MESSAGE"):
        with pytest.raises(Refuse):
            who.proven("acme", request(method), source)
        good = answered(senders, who, request(method), "secret")
        assert who.proven("acme", good, source) == "acme"
    assert who.proven("acme", request("OPTIONS"), source) == "acme"
    assert who.proven("acme", request("INVITE", to="<sip:n@h>;tag=x"), source) == "acme"
    for trusted in ("known", "\ncontrol"):
        assert who.proven(trusted, request("INVITE"), source) == trusted


@pytest.mark.parametrize(
    ("address", "named", "who"),
    [("192.0.2.1", True, "known"), ("192.0.2.2", True, "known"), ("192.0.2.2", False, None),
     ("192.0.2.9", True, None)],
)  # fmt: skip
def test_a_carrier_is_known_by_its_address_or_its_name(
    senders: ModuleType, kamailio: Kamailio, address: str, named: bool, who: str | None
) -> None:
    settings = Settings()
    settings.named_sources = named
    known = senders.Senders(settings, KEYS)
    assert known.origin(senders.Source(address, 5060, "udp")) == who
    kamailio.at_hand["$si"] = address
    assert known.carrier() is (KNOWN if who else None)


@pytest.mark.parametrize(("address", "who"), [("192.0.2.1", "known"), ("192.0.2.2", "known")])
def test_who_is_behind_a_balancer(senders: ModuleType, address: str, who: str) -> None:
    passed_on = request("INVITE", ("via", f"SIP/2.0/UDP b;received={address};rport=7"))
    behind = senders.Senders(Settings(), KEYS).behind(passed_on, draining=False)
    assert behind == (senders.Source(address, 7, "udp"), who)


@pytest.mark.parametrize(("draining", "status"), [(False, 200), (True, 503)])
def test_a_balancer_is_told_whether_we_take_calls(
    senders: ModuleType, draining: bool, status: int
) -> None:
    who = senders.Senders(Settings(), KEYS)
    with pytest.raises(Refuse) as refused:
        who.behind(request("OPTIONS"), draining=draining)
    assert refused.value.status == status
    assert who.behind(request("INVITE"), draining=draining) is None


@pytest.mark.parametrize(
    ("source", "hop", "way"),
    [
        (("192.0.2.1", 9, "ws"), "", "sip:192.0.2.1:9;transport=ws"),
        (("192.0.2.1", 9, "wss"), "sip:x", "sip:192.0.2.1:9;transport=wss"),
        (("192.0.2.9", 9, "udp"), "", "sip:192.0.2.9:9;transport=udp"),
        (("2001:db8::9", 9, "tcp"), "", "sip:[2001:db8::9]:9;transport=tcp"),
        (("192.0.2.1", 9, "udp"), "", ""), (("192.0.2.1", 9, "udp"), "sip:a@10.0.0.1", ""),
        (("192.0.2.1", 9, "udp"), "sip:a@host.example", "sip:192.0.2.1:5060;transport=udp"),
        (("192.0.2.1", 9, "tls"), "sip:host.example:5099;transport=tls",
         "sip:192.0.2.1:5099;transport=tls"),
    ],
)  # fmt: skip
def test_the_way_back_to_a_sender(
    senders: ModuleType, source: tuple[str, int, str], hop: str, way: str
) -> None:
    assert senders.Senders(Settings(), KEYS).way_back(senders.Source(*source), hop) == way


@pytest.mark.parametrize(
    ("hop", "way"),
    [
        ("sip:a@10.0.0.1", mask.ENCRYPTED), ("sip:a@10.0.0.1:5070;transport=TCP", mask.ENCRYPTED),
        ("sip:a@10.0.0.1;transport=tls", ""), ("sips:a@10.0.0.1", ""),
        ("sip:host.example", "sip:192.0.2.1:5061;transport=tls"),
        ("sip:host.example:5099;transport=udp", "sip:192.0.2.1:5099;transport=tls"),
    ],
)  # fmt: skip
def test_who_speaks_over_tls_hears_nothing_in_the_open(
    senders: ModuleType, kamailio: Kamailio, hop: str, way: str
) -> None:
    """But a balancer that passes it on otherwise is spoken to so."""
    who, source = senders.Senders(Settings(), KEYS), senders.Source("192.0.2.1", 9, "tls")
    kamailio.at_hand |= {"$si": "192.0.2.1", "$sp": 9, "$proto": "tls"}
    assert who.way_back(source, hop) == way
    kamailio.at_hand["$proto"] = "udp"
    assert who.way_back(source, "sip:192.0.2.7") == ""


PAGE = "https://phone.example"


@pytest.mark.parametrize(
    ("page", "listed", "origin", "may"),
    [
        (None, [PAGE], "known", True), (None, [], "known", True), (None, [PAGE], None, True),
        (PAGE, [], "known", False), (PAGE, [], "\nbalancer", False), ("", [], "known", False),
        (PAGE, [], "acme", True), (PAGE, [], None, True),
        (PAGE.upper(), [PAGE], "known", True), (PAGE + ":8443", [PAGE], "known", False),
        ("null", [PAGE], None, False), ("null", [PAGE], "acme", False),
    ],
)  # fmt: skip
def test_web_pages_that_may_have_a_websocket(
    senders: ModuleType, page: str | None, listed: list[str], origin: str | None, may: bool
) -> None:
    """Without a list, those that have more to show than an address, as a password is."""
    settings = Settings()
    settings.websocket_origins = tuple(listed)
    assert senders.Senders(settings, KEYS).may_be_from(page, origin) is may


def test_requests_go_to_a_senders_proxy_or_to_itself(senders: ModuleType) -> None:
    contact, proxies = ("contact", "<sip:a@c>"), ("record-route", "<sip:p;lr>, <sip:q;lr>")
    assert senders.hop_of(request("INVITE", contact)) == "sip:a@c"
    assert senders.hop_of(request("INVITE", contact, proxies)) == "sip:p;lr"
    assert senders.hop_of(request("INVITE")) == ""


FAR = mask.Leg("r", mask.CALLED, "c", "t", "<sip:b>", "<sip:n>", "sip:b@10.0.0.1", trunk="bbb")
NEAR = FAR._replace(side=mask.CALLER, trunk="")


@pytest.mark.parametrize(
    ("came", "contact", "leg", "flow"),
    [
        ("192.0.2.1 udp", "sip:b@10.0.0.2", FAR._replace(flow="old"), ""),
        ("192.0.2.1 udp", "sip:b@host.example", FAR, "sip:192.0.2.1:5060;transport=udp"),
        ("192.0.2.1 ws", "sip:b@10.0.0.2", FAR._replace(flow="kept"), "kept"),
        ("192.0.2.1 wss", "sip:b@x.invalid;transport=ws", FAR._replace(flow="kept"), "kept"),
        (
            "192.0.2.9 udp",
            "sip:b@host.example",
            FAR._replace(trunk="aaa", flow="kept"),
            "kept",
        ),
        (
            "192.0.2.9 udp",
            "sip:b@host.example:7",
            FAR._replace(trunk="aaa"),
            "sip:192.0.2.9:7;transport=udp",
        ),
        ("192.0.2.9 tcp", "sip:b@10.0.0.2", FAR._replace(trunk="aaa", flow="kept"), "kept"),
        ("192.0.2.1 tcp", "sip:b@10.0.0.2", FAR._replace(trunk="aaa", flow="old"), ""),
        ("192.0.2.9 tcp", "sip:b@10.0.0.2", FAR._replace(flow="old"), ""),
        ("192.0.2.1 tls", "sip:b@10.0.0.2", FAR, mask.ENCRYPTED),
        ("192.0.2.1 tls", "sip:b@10.0.0.2;transport=tls", FAR._replace(flow=mask.ENCRYPTED), ""),
        ("192.0.2.9 tcp", "sip:b@10.0.0.2", FAR._replace(trunk="gone", flow="old"), ""),
    ],
)
def test_the_way_to_who_answers(
    senders: ModuleType, kamailio: Kamailio, came: str, contact: str, leg: mask.Leg, flow: str
) -> None:
    kamailio.at_hand["$si"], kamailio.at_hand["$proto"] = came.split(" ")
    headers = (("cseq", "1 INVITE"), ("to", "<sip:b>;tag=t"), ("contact", f"<{contact}>"))
    reply = sip.Message("SIP/2.0 200 OK", headers, b"")
    far = senders.Senders(Settings(), KEYS).answered_leg(mask.Passage("a", NEAR, leg), reply)
    assert far == leg._replace(target=contact, flow=flow)
