"""Requests of our own to carriers: what they say, what the control plane is told of the reply, and
how long a registration holds."""

from types import SimpleNamespace

import pytest
from fake_kamailio import (
    ACME,
    CHALLENGE,
    CONTROL,
    GLOBEX,
    INITECH,
    OURS,
    STRANGER,
    Script,
    carrier,
    invite,
    proves,
    reply,
)

from maskline.engines import control
from maskline_sip import errands, settings, sip, ways

BINDING = "sip:4015550100@192.0.2.1:5060"


def granted(*lines: str) -> str:
    head = (
        "SIP/2.0 200 OK", "Via: SIP/2.0/UDP h;branch=z9hG4bK1", "From: <sip:a@h>;tag=1",
        "To: <sip:a@h>;tag=2", "Call-ID: x", "CSeq: 1 REGISTER", *lines, "Content-Length: 0",
    )  # fmt: skip
    told = sip.parse("\r\n".join((*head, "", "")).encode("latin-1"))
    text: str = errands.granted(told, BINDING)
    return text


ANOTHER = "<sip:pbx@198.51.100.7:5060>;expires=3540"
BESIDE_IT = "<sip:4015550100@198.51.100.7:5060>;expires=7200"
OF_OURS = "<sip:4015550177@192.0.2.1:5060>;expires=1800"  # by another name


@pytest.mark.parametrize(
    "ours",
    [
        "<sip:4015550100@192.0.2.1:5060>;expires=600",
        "sip:4015550100@192.0.2.1:5060;q=0.5;EXPIRES = 600",
        '"a;expires=1" <sip:4015550100@192.0.2.1;expires=7>;expires=600',
    ],
)
def test_our_binding_is_found_among_others(ours: str) -> None:
    assert granted(f"Contact: {ANOTHER}, {OF_OURS}", f"Contact: {BESIDE_IT}, {ours}") == "600"


def test_of_others_bindings_none_is_followed() -> None:
    """Nor of anything that is no number: the Expires of the whole reply is, if there is one."""
    others = f"Contact: {ANOTHER}, {BESIDE_IT}, {OF_OURS}"
    assert granted(others, "Expires: 300") == "300"
    assert granted(others) == ""
    for seconds in ("\xb2", "", "-1", "4294967295"):
        assert granted(f"Contact: <{BINDING}>;expires={seconds}", "Expires: 300") == "300"
        assert granted(f"Contact: <{BINDING}>", f"Expires: {seconds}") == ""


@pytest.mark.parametrize("seconds", ["0", "5", "999999"])
def test_a_registration_may_be_short_or_long(seconds: str) -> None:
    assert granted(f"Contact: <{BINDING}>;expires={seconds}") == seconds


def test_the_only_binding_is_ours_whatever_was_made_of_it() -> None:
    assert granted("Contact: <sip:4015550100@10.0.0.1:1024>;expires=60") == "60"


def test_a_user_name_is_written_as_a_uri_has_it() -> None:
    """Some are addresses themselves. Calls to the Contact are known by it again."""
    name = "zoë@acme.example".encode().decode("latin-1")
    written = errands.user(SimpleNamespace(username=name))
    assert written == "zo%C3%AB%40acme.example"
    assert sip.user(f"sip:{written}@192.0.2.1") == name
    assert errands.user(SimpleNamespace(username="+4015550100")) == "+4015550100"
    assert errands.user(SimpleNamespace(username=None)) == ""


def test_what_sip_reads_as_octets_is_held_so() -> None:
    carrier = {"username": "zoë", "password": None, "name": "zoë"}
    assert settings.value_of(carrier, "username") == "zo\xc3\xab"
    assert settings.value_of(carrier, "password") is None
    assert settings.value_of(carrier, "name") == "zoë"


def errand(method: str, at: str = "globex", hop: str = f"sip:{GLOBEX}", number: int = 7) -> bytes:
    """What the control plane has us ask."""
    told = ("X-Carrier", at), ("Expires", "600")
    return invite(*told, body=b"", method=method, uri=hop, number=number)


def test_whether_a_carrier_works_is_asked_in_words_of_our_own() -> None:
    node = Script()
    node.request(errand("OPTIONS"), CONTROL)
    sent, cells = node.sent, node.kamailio.cells
    assert sent.start == f"OPTIONS sip:{GLOBEX} SIP/2.0"
    assert sent.address("from").uri == f"sip:maskline@{OURS}:5060"
    assert sent.first("to") == f"<sip:{GLOBEX}>"
    assert (sent.cseq, sent.first("max-forwards")) == ((7, "OPTIONS"), "70")
    assert not {"contact", "expires", "x-carrier"} & {name for name, _ in sent.headers}
    assert "anns-call" not in str(sent)
    assert len(sent.address("from").tag) == 12
    assert (cells["$ru"], cells["$du"]) == (f"sip:{GLOBEX}", f"sip:{GLOBEX}")
    assert node.kamailio.given("t_set_fr") == [(2500, 2500)]
    assert node.kamailio.given("t_on_reply") == [("back",)]
    assert node.kamailio.given("t_on_failure") == [("failed",)]
    assert node.relayed
    assert not node.answered


def test_the_control_plane_is_told_the_status_and_nothing_else() -> None:
    node = Script()
    raw = errand("OPTIONS")
    node.request(raw, CONTROL)
    assert node.reply(reply(node.sent, 404, ("Server", "Their-Switch/1")))
    told, asked = node.sent, sip.parse(raw)
    assert told.start == "SIP/2.0 404 Not Found"
    for name in ("from", "call-id", "cseq"):
        assert told.all(name) == asked.all(name)
    assert told.first("via") == f"{asked.first('via')};received=127.0.0.1"
    assert told.first("to").startswith(f"{asked.first('to')};tag=")
    assert {name for name, _ in told.headers} == {
        "via", "from", "to", "call-id", "cseq", "content-length"
    }  # fmt: skip


def test_an_errand_is_done_once() -> None:
    node = Script()
    node.kamailio.says["t_newtran"] = 0
    node.request(errand("OPTIONS"), CONTROL)
    assert not node.relayed
    assert not node.answered


def test_an_errand_that_cannot_be_sent_is_told_so() -> None:
    node = Script()
    node.kamailio.says["t_relay"] = -1
    node.request(errand("OPTIONS"), CONTROL)
    assert node.answered == [503]


def registered(transport: str = "udp", **more: object) -> Script:
    known = {"username": "4015550100", "password": "secret", "register": True, **more}
    carriers = [carrier("acme", ACME), carrier("initech", INITECH, **known)]
    node = Script(carriers=carriers)
    parameter = "" if transport == "udp" else f";transport={transport}"
    node.request(errand("REGISTER", "initech", f"sip:{INITECH}:5060{parameter}"), CONTROL)
    return node


@pytest.mark.parametrize(
    ("domain", "uri", "own"),
    [
        ("initech.example", "sip:initech.example", "<sip:4015550100@initech.example>"),
        (None, f"sip:{INITECH}:5060", f"<sip:4015550100@{INITECH}:5060>"),
    ],
)
def test_we_register_at_the_domain(domain: str | None, uri: str, own: str) -> None:
    """RFC 3261 10.2: its URI is the request's, wherever that goes."""
    node = registered(domain=domain)
    sent = node.sent
    assert sent.uri == uri
    assert node.kamailio.cells["$du"] == f"sip:{INITECH}:5060"
    assert sent.first("from").startswith(f"{own};tag=")
    assert sent.first("to") == own
    assert sent.first("contact") == f"<sip:4015550100@{OURS}:5060>"
    assert sent.first("expires") == "600"


def test_a_registrar_has_time_to_look_us_up() -> None:
    """More than a place that is asked whether it works; what it wants to know is no exception."""
    node = registered()
    assert node.kamailio.given("t_set_fr") == [(10_000, 10_000)]
    node.reply(reply(node.sent, 401, CHALLENGE), INITECH)
    node.fails(401)
    assert node.relayed
    assert not node.kamailio.given("t_set_fr")


def test_a_domain_is_not_where_we_ask_whether_a_place_works() -> None:
    """Of several places each is asked for itself."""
    named = carrier("globex", "globex.example", domain="globex.example")
    node = Script(carriers=[carrier("acme", ACME), {**named, "sources": []}])
    node.request(errand("OPTIONS"), CONTROL)
    assert node.sent.uri == f"sip:{GLOBEX}"
    assert node.sent.first("to") == "<sip:globex.example>"


def test_we_are_called_back_by_the_transport_that_we_registered_by() -> None:
    contact = registered("tcp").sent.first("contact")
    assert contact == f"<sip:4015550100@{OURS}:5060;transport=tcp>"


@pytest.mark.parametrize(("status", "told"), [(200, ["initech"]), (403, [])])
def test_that_the_connection_of_a_registration_was_closed_is_told(
    status: int, told: list[str]
) -> None:
    node = registered("tcp")
    node.kamailio.cells["$conid"] = 3
    node.reply(reply(node.sent, status), INITECH, "tcp")
    node.kamailio.says["tcp_conid_alive"] = -1
    node.receives(b"", f"{INITECH}:5060", "tcp")
    node.routes.closed(None)
    assert [given["CarrierName"] for _, given in node.control.told] == told
    assert all(given["Disconnected"] for _, given in node.control.told)


@pytest.mark.parametrize(("said", "told"), [(("Expires", "120"), "120"), (("Subject", "x"), "600")])
def test_how_long_we_are_registered_is_told(said: tuple[str, str], told: str) -> None:
    node = registered()
    own = ("Contact", f"<sip:4015550100@{OURS}:5060>")
    assert node.reply(reply(node.sent, 200, said, own), INITECH)
    assert node.sent.all("expires") == [told]


def test_a_registrar_that_asks_for_our_password_gets_it_once() -> None:
    node = registered(domain="initech.example")
    first = node.sent
    assert node.reply(reply(first, 401, CHALLENGE), INITECH)
    assert "n1" not in str(node.sent)
    node.fails(401)
    again = node.sent
    assert 'uri="sip:initech.example"' in again.first("authorization")
    assert (again.call_id, again.cseq) == (first.call_id, (8, "REGISTER"))
    assert again.first("from") == first.first("from")
    assert proves(again)
    assert node.relayed
    assert node.reply(reply(again, 401, CHALLENGE), INITECH)
    node.fails(401)
    assert not node.relayed


def test_who_wants_us_to_register_for_longer_gets_it_once() -> None:
    """RFC 3261 10.2.8."""
    node = registered()
    first = node.sent
    brief = reply(first, 423, ("Min-Expires", "1200"))
    assert node.reply(brief, INITECH)
    node.fails(423)
    again = node.sent
    assert (again.first("expires"), again.cseq[0]) == ("1200", 8)
    assert again.call_id == first.call_id
    node.reply(reply(again, 423, ("Min-Expires", "3600")), INITECH)
    node.fails(423)
    assert not node.relayed


def test_who_wants_longer_may_ask_for_our_password_before_and_after() -> None:
    node = registered()
    for status, more in ((401, CHALLENGE), (423, ("Min-Expires", "1200")), (401, CHALLENGE)):
        node.reply(reply(node.sent, status, more), INITECH)
        node.fails(status)
        assert node.relayed
        assert bool(node.sent.first("authorization")) is (status == 401)


def test_a_registration_is_taken_back_whatever_the_least_is() -> None:
    known = {"username": "4015550100", "password": "secret", "register": True}
    node = Script(carriers=[carrier("acme", ACME), carrier("initech", INITECH, **known)])
    raw = errand("REGISTER", "initech", f"sip:{INITECH}")
    node.request(raw.replace(b"Expires: 600", b"Expires: 0"), CONTROL)
    node.reply(reply(node.sent, 423, ("Min-Expires", "60")), INITECH)
    node.fails(423)
    assert not node.relayed


@pytest.mark.parametrize("least", ["600", "60", "", "x", "12345678"])
def test_nobody_gets_us_to_register_for_less(least: str) -> None:
    node = registered()
    node.reply(reply(node.sent, 423, ("Min-Expires", least)), INITECH)
    node.fails(423)
    assert not node.relayed
    assert not node.kamailio.given("err")


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("30", "30"), ("30;duration=9", "30"), ("30 (at lunch);duration=9", "30"), ("soon", ""),
        ("30x", ""), ("1234567", ""),
    ],
)  # fmt: skip
def test_when_to_ask_again_is_told(said: str, told: str) -> None:
    node = registered()
    assert node.reply(reply(node.sent, 503, ("Retry-After", said)), INITECH)
    assert node.sent.first("retry-after") == told


def test_what_asks_for_no_password_gets_none() -> None:
    node = registered()
    node.reply(reply(node.sent, 401, CHALLENGE), INITECH)
    node.fails(401, t_branch_timeout=1)
    assert not node.relayed
    node = registered()
    node.reply(reply(node.sent, 403), INITECH)
    node.fails(403)
    assert not node.relayed
    assert not node.kamailio.given("err")
    node = Script()  # at a carrier that knows us by none
    node.request(errand("OPTIONS"), CONTROL)
    node.reply(reply(node.sent, 401, CHALLENGE))
    node.fails(401)
    assert not node.relayed


HOP = f"sip:{GLOBEX}:5061;transport=tls"


@pytest.fixture
def secure() -> Script:
    """Its carrier is reached over TLS, and must show a certificate for its name."""
    named = carrier("globex", GLOBEX, tls_names=["sip.globex.example"])
    return Script(carriers=[carrier("acme", ACME), named], listen=[f"tls:{OURS}:5061"])


def shows(node: Script, name: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """What the control plane is told of a place that shows a certificate for this name."""
    monkeypatch.setattr(ways.certificates, "names", lambda _: {name})
    node.request(errand("OPTIONS", hop=HOP), CONTROL)
    node.kamailio.cells["$conid"] = 3
    assert node.reply(reply(node.sent, 200), GLOBEX, "tls")
    return node.sent.status


def test_who_shows_another_ones_certificate_does_not_work(
    secure: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is told our name before: the first OPTIONS goes to whoever is there, all else by the
    connection of the right one."""
    secure.request(errand("REGISTER", hop=HOP), CONTROL)
    assert secure.answered == [503]
    assert shows(secure, "sip.eve.example", monkeypatch) == 503
    ((line,),) = secure.kamailio.given("err")
    assert line == "the certificate of carrier globex is for another name\n"
    secure.request(errand("REGISTER", hop=HOP), CONTROL)
    assert secure.answered == [503]
    assert shows(secure, "sip.globex.example", monkeypatch) == 200
    secure.request(errand("REGISTER", hop=HOP), CONTROL)
    assert secure.relayed


def test_that_a_carrier_closed_its_connection_is_told(
    secure: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert shows(secure, "sip.globex.example", monkeypatch) == 200
    cells, says = secure.kamailio.cells, secure.kamailio.says
    for port, alive in ((4000, -1), (5061, 1), (5061, -1)):
        assert not secure.control.told  # of another one, or while there is a newer one
        cells["$sp"], says["tcp_conid_alive"] = port, alive
        assert secure.routes.closed(None) == 1
    ((operation, told),) = secure.control.told
    assert operation == "ReportTrunk"
    assert (told["CarrierName"], told["Address"]) == ("globex", f"{GLOBEX}:5061")
    assert told["Disconnected"] is True
    assert not secure.kamailio.given("err")


def test_a_strangers_errand_is_nobodys() -> None:
    node = Script()
    node.request(errand("REGISTER"), STRANGER)
    assert not node.kamailio.done


@pytest.mark.parametrize(("timed_out", "closed"), [(1, [(3,)]), (0, [])])
def test_who_does_not_answer_any_more_is_asked_by_another_connection(
    secure: Script, monkeypatch: pytest.MonkeyPatch, timed_out: int, closed: list[tuple[int]]
) -> None:
    """The one over which it has answered until now may be cut, and TCP tells that late."""
    secure.request(errand("OPTIONS", hop=HOP), CONTROL)
    secure.fails(408, t_branch_timeout=1)
    assert not secure.kamailio.given("tcp_close_connection_id")  # nobody has answered yet
    assert shows(secure, "sip.globex.example", monkeypatch) == 200
    secure.request(errand("OPTIONS", hop=HOP), CONTROL)
    secure.fails(408, t_branch_timeout=timed_out)
    assert secure.kamailio.given("tcp_close_connection_id") == closed


@pytest.mark.parametrize(
    ("status", "more", "told"),
    [
        (403, (), "refused 403 Forbidden"),
        (423, (("Min-Expires", "60"),), "refused 423"),
        (401, (CHALLENGE,), "refused 401 Unauthorized: the user name or the password is wrong"),
        (
            407,
            (("Proxy-Authenticate", 'Digest realm="x", nonce="n", algorithm=TIGER'),),
            "refused 407: its challenge is for another realm, or of a kind that we do not answer",
        ),
    ],
)
def test_why_we_are_not_registered_is_told(
    status: int, more: tuple[tuple[str, str], ...], told: str
) -> None:
    """In words of our own: the carrier's may hold names."""
    node = registered()
    assert node.reply(reply(node.sent, status, *more), INITECH)
    assert node.sent.all("x-told") == [told]
    assert control.told(str_of(node)) == told


def str_of(node: Script) -> bytes:
    """What leaves, as it is on the line."""
    return sip.write(node.sent.start, [(name.title(), value) for name, value in node.sent.headers])
