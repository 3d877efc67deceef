"""Carriers that are down, slow, named, suspicious or particular: real peers on the loopback."""

import asyncio
import os
import re
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nameserver
import pytest
from acceptance.peers import SDP, Peer, accept, header, ignore, refuse, reply
from acceptance.plain_phone import ALICE, BOB, Phone, within
from acceptance.service import Service, free_port, running, until
from acceptance.test_call_soak import media_sessions
from acceptance.test_leak import PROXY_NUMBER, open_session
from authority import Authority
from connectors import open_connector
from credentials import answer

from maskline_sip.digest import Account, parameters, response

pytestmark = pytest.mark.xdist_group("carriers")


def section(name: str, address: str, more: str = "", transport: str = "udp") -> str:
    return (
        f'[[carriers]]\nname = "{name}"\n[carriers.sip]\naddress = "{address}"\n'
        f'transport = "{transport}"\nsources = ["127.0.0.1/32"]\n{more}\n'
    )


@contextmanager
def masked(
    folder: Path, peer: Peer, settings: str, **choices: Any
) -> Iterator[tuple[Service, Phone]]:
    """A service whose carrier acme is the peer, with an open session, and a phone that calls."""
    for service in running(folder, carrier_port=peer.port, carrier_settings=settings, **choices):
        open_session(service)
        phone = Phone(service)
        try:
            yield service, phone
        finally:
            phone.socket.close()


def answered(phone: Phone) -> tuple[str, str]:
    """The INVITE of a call, and its answer."""
    sent = phone.invite()
    phone.send(sent)
    answer = phone.taken(10)
    phone.send(within("ACK", sent, answer, phone))
    return sent, answer


def hang_up(phone: Phone, sent: str, answer: str) -> None:
    phone.send(within("BYE", sent, answer, phone, 2))
    assert phone.final() == 200


def calls(service: Service) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = service.maskline("admin", "list-calls")["Calls"]
    return found


def record(service: Service) -> dict[str, Any]:
    """That of the newest call; empty before there is one."""
    return next(iter(calls(service)), {})


@pytest.mark.parametrize("trouble", [refuse(503), ignore])
def test_another_carrier_takes_the_call(tmp_path: Path, trouble: Any) -> None:
    """Also when the first one says nothing; the next call does not try it first."""
    first, second = Peer(trouble), Peer()
    more = 'failover_carriers = ["globex"]\n' + section("globex", second.where)
    with masked(tmp_path, first, more) as (service, phone):
        hang_up(phone, *answered(phone))
        until(lambda: "EndedTimestamp" in record(service))
        assert record(service)["OutboundCarrierName"] == "globex"
        tried = len(first.of("INVITE"))
        assert tried
        hang_up(phone, *answered(phone))
        assert len(first.of("INVITE")) == tried
        for text in second.received:
            assert ALICE[1:] not in text
    first.close()
    second.close()


REASON = "Reason: Q.850;cause=23\r\n"
REFUSALS = [(486, "", 486, "called", 17), (404, "", 404, "carrier", 1),
            (302, REASON, 480, "carrier", 23)]  # fmt: skip


def test_a_call_that_nobody_takes_is_refused_once(tmp_path: Path) -> None:
    """The record tells who is behind it, and the cause that the carrier told (RFC 6432)."""
    first, second = Peer(refuse(503, "Reason: Q.850;cause=34\r\n")), Peer()
    more = 'failover_carriers = ["globex"]\n' + section("globex", second.where)
    with masked(tmp_path, first, more) as (service, _):
        for status, reason, seen, ended_by, cause in REFUSALS:
            second.answer, phone = refuse(status, reason), Phone(service)
            phone.send(phone.invite())
            assert phone.final() == seen
            phone.socket.close()
            until(lambda wanted=status: record(service).get("SipStatus") == wanted)
            told = record(service)
            assert (told["EndedBy"], told["Cause"]) == (ended_by, cause)
            assert told["OutboundCarrierName"] == "globex"
    first.close()
    second.close()


def ring(peer: Peer, request: str) -> list[str]:
    return [reply(request, 180, peer.where)] if request.startswith("INVITE") else []


def test_a_target_that_speaks_too_late_is_not_taken_for_the_next(tmp_path: Path) -> None:
    """It rings, and is answered, after the call went on to another carrier: it is cancelled, who
    answered is hung up, and the call is with that one."""
    busy, first, second = Peer(refuse(503)), Peer(ignore), Peer(ring)
    more = 'failover_carriers = ["slow", "globex"]\n'
    more += section("slow", first.where) + section("globex", second.where)
    with masked(tmp_path, busy, more) as (service, phone):
        sent = phone.invite()
        phone.send(sent)
        until(lambda: second.of("INVITE"))
        late, first.answer = first.of("INVITE")[0], accept
        for status in (180, 183, 200):
            first.send(reply(late, status, first.where, SDP * (status > 180)), phone.server)
        until(lambda: first.of("CANCEL"))
        until(lambda: first.of("ACK") and first.of("BYE"))
        for name in ("From", "Call-ID"):
            told = {header(one, name) for one in (late, *first.of("ACK"), *first.of("BYE"))}
            assert len(told) == 1
        assert header(first.of("ACK")[0], "CSeq").split()[0] == header(late, "CSeq").split()[0]
        assert {header(one, "To") for one in (*first.of("ACK"), *first.of("BYE"))} == {
            header(late, "To") + ";tag=theirs"
        }
        until(lambda: "RingingTimestamp" in record(service))
        assert "AnsweredTimestamp" not in record(service)
        second.answer = accept
        second.send(reply(second.of("INVITE")[0], 200, second.where, SDP), phone.server)
        answer = phone.taken()
        phone.send(within("ACK", sent, answer, phone))
        until(lambda: second.of("ACK"))
        hang_up(phone, sent, answer)
        assert second.of("BYE")
        assert len(first.of("BYE")) == 1
        assert ends(service, 1) == ("caller", 200)
        assert record(service)["OutboundCarrierName"] == "globex"
    for peer in (busy, first, second):
        peer.close()


def test_who_answers_as_the_call_is_given_up_is_hung_up(tmp_path: Path) -> None:
    peer = Peer(ring)
    with masked(tmp_path, peer, "", more_settings="max_ring_seconds = 5\n") as (service, phone):
        phone.send(phone.invite())
        assert phone.final() == 408
        invite, peer.answer = peer.of("INVITE")[0], accept
        until(lambda: "EndedTimestamp" in record(service))
        peer.send(reply(invite, 200, peer.where, SDP), phone.server)
        until(lambda: peer.of("ACK") and peer.of("BYE"))
        assert "AnsweredTimestamp" not in record(service)
        until(lambda: not asyncio.run(media_sessions(service)))
    peer.close()


def try_on(peer: Peer, request: str) -> list[str]:
    """A carrier that looks for the phone."""
    if request.startswith("INVITE"):
        return [reply(request, 100)]
    return ring(peer, request) if request.startswith("ACK") else [reply(request, 200)]


@pytest.mark.parametrize("others", [0, 1])
def test_a_carrier_that_says_that_it_tries_has_time(tmp_path: Path, others: int) -> None:
    """More than one that says nothing. The caller hears of it when it rings."""
    first, second = Peer(try_on), Peer()
    more = 'failover_carriers = ["globex"]\n' * others + section("globex", second.where)
    with masked(tmp_path, first, more) as (service, phone):
        sent = phone.invite()
        phone.send(sent)
        until(lambda: first.of("INVITE"))
        time.sleep(3.5 if others else 6)  # what one has that says nothing, and more
        first.answer = accept
        for text in accept(first, first.of("INVITE")[0]):
            first.send(text, phone.server)
            time.sleep(0.1)  # each may be in the hands of another worker
        answer = phone.taken()
        phone.send(within("ACK", sent, answer, phone))
        until(lambda: first.of("ACK"))
        hang_up(phone, sent, answer)
        assert [text[8:11] for text in phone.received] == ["100", "180", "200", "200"]
        assert ends(service, 1) == ("caller", 200)
    assert not second.received
    for peer in (first, second):
        peer.close()


def test_a_carrier_that_tries_for_ever_is_passed_by(tmp_path: Path) -> None:
    first, second = Peer(try_on), Peer()
    more = 'failover_carriers = ["globex"]\n' + section("globex", second.where)
    choices = {"more_settings": "max_ring_seconds = 5\n"}
    with masked(tmp_path, first, more, **choices) as (_, phone):
        hang_up(phone, *answered(phone))
        until(lambda: first.of("CANCEL"))
        assert second.of("BYE")
    for peer in (first, second):
        peer.close()


WIDEBAND = 'codecs = ["G722"]'  # which the phone of these tests does not have


def ends(service: Service, number: int) -> tuple[str, int]:
    """By whom and with what status the latest of so many calls has ended."""
    until(lambda: len(calls(service)) == number and "EndedTimestamp" in record(service))
    return record(service)["EndedBy"], record(service)["SipStatus"]


def test_a_carrier_that_cannot_have_the_sound_is_passed_by(tmp_path: Path) -> None:
    first, second = Peer(), Peer()
    more = f'{WIDEBAND}\nfailover_carriers = ["globex"]\n' + section("globex", second.where)
    with masked(tmp_path, first, more, sources="127.0.0.9/32") as (service, phone):
        hang_up(phone, *answered(phone))
        assert ends(service, 1) == ("caller", 200)
        assert record(service)["OutboundCarrierName"] == "globex"
        assert not first.of("INVITE")
    first.close()
    second.close()


def test_a_call_whose_sound_no_carrier_can_have_is_over(tmp_path: Path) -> None:
    peer = Peer()
    more = f"{WIDEBAND}\n" + section("globex", "127.0.0.1:9")
    with masked(tmp_path, peer, more, sources="127.0.0.9/32") as (service, phone):
        phone.send(phone.invite())
        assert phone.final() == 488
        assert ends(service, 1) == ("us", 488)
        assert not peer.received
    peer.close()


def test_a_call_that_cannot_go_on_to_another_carrier_is_over(tmp_path: Path) -> None:
    """Because that one cannot have its sound, or because rtpengine is gone meanwhile."""
    first, second, stopped = Peer(), Peer(), list[int]()

    def stop_the_sound(peer: Peer, request: str) -> list[str]:
        if request.startswith("INVITE") and not stopped:
            stopped.append(service.engine_pid("rtpengine"))
            os.kill(stopped[0], signal.SIGSTOP)
        return refuse(503)(peer, request)

    more = 'failover_carriers = ["globex"]\n' + section("globex", second.where, WIDEBAND)
    with masked(tmp_path, first, more) as (service, phone):
        for number, trouble in enumerate((refuse(503), stop_the_sound), start=1):
            first.answer = trouble
            phone.send(phone.invite())
            assert phone.final() == 500
            assert ends(service, number) == ("carrier", 503)
        os.kill(stopped[0], signal.SIGCONT)
        assert not second.received
    first.close()
    second.close()


ENCRYPTED = SDP.replace("RTP/AVP", "RTP/SAVP")  # which this carrier is not asked for


@pytest.mark.parametrize("missing", ["Contact", "tag"])
def test_an_answer_that_makes_no_dialog_is_none(tmp_path: Path, missing: str) -> None:
    def answer_so(peer: Peer, request: str) -> list[str]:
        if not request.startswith("INVITE"):
            return accept(peer, request)
        answer = reply(request, 200, peer.where, SDP)
        return [re.sub(r"Contact: .*?\r\n" if missing == "Contact" else ";tag=theirs", "", answer)]

    peer = Peer(answer_so)
    with masked(tmp_path, peer, "") as (service, phone):
        phone.send(phone.invite())
        assert phone.final() == 500
        assert ends(service, 1) == ("us", 500)
    peer.close()


UNREADABLE = "X Odd: 1\r\n"  # no header


def test_a_refusal_that_cannot_be_read_is_one(tmp_path: Path) -> None:
    """Another carrier is asked where its status says so; the caller gets that."""
    first, second = Peer(refuse(503, UNREADABLE)), Peer(refuse(486, UNREADABLE))
    more = 'failover_carriers = ["globex"]\n' + section("globex", second.where)
    with masked(tmp_path, first, more) as (service, phone):
        phone.send(phone.invite())
        assert phone.final() == 486
        assert ends(service, 1) == ("called", 486)
        assert len(first.of("INVITE")) == len(second.of("INVITE")) == 1
        second.answer = refuse(503)
        phone.send(phone.invite())
        assert phone.final() == 503
        assert ends(service, 2) == ("carrier", 503)
        assert "Odd" not in "".join(phone.received)
    first.close()
    second.close()


@pytest.mark.parametrize("fault", ["encrypted", "a route of great length"])
def test_an_answer_that_cannot_be_passed_on_ends_the_call(tmp_path: Path, fault: str) -> None:
    """The caller is told at once, and who answered, too; nothing is left."""

    def answer_so(peer: Peer, request: str) -> list[str]:
        if not request.startswith("INVITE"):
            return accept(peer, request)
        route = f"Record-Route: <sip:{peer.where};lr;x={'r' * 2500}>\r\n" * ("route" in fault)
        return [reply(request, 200, peer.where, SDP if route else ENCRYPTED, route)]

    peer = Peer(answer_so)
    with masked(tmp_path, peer, "") as (service, phone):
        for number in (1, 2):
            sent = phone.invite()
            phone.send(sent)
            status = 500 if "route" in fault else 488
            assert phone.final() == status
            # Two of Kamailio's workers may send them, in any order.
            until(lambda wanted=number: len(peer.of("BYE")) == len(peer.of("ACK")) == wanted)
            assert ends(service, number) == ("us", status)
            assert "AnsweredTimestamp" not in record(service)
        invite, bye = peer.of("INVITE")[-1], peer.of("BYE")[-1]
        assert header(bye, "Call-ID") == header(invite, "Call-ID")
        assert ALICE[1:] not in "".join(peer.received)
        no_sound_is_left(service)
    peer.close()


def no_sound_is_left(service: Service) -> None:
    until(lambda: not asyncio.run(media_sessions(service)), what="rtpengine")


def test_an_invite_that_cannot_be_sent_leaves_no_sound(tmp_path: Path) -> None:
    peer = Peer()
    with masked(tmp_path, peer, "") as (service, phone):
        phone.send(re.sub(r"Contact: .*\r\n", "", phone.invite()))
        assert phone.final() == 400
        assert ends(service, 1) == ("us", 400)
        no_sound_is_left(service)
    assert not peer.received
    peer.close()


def test_of_a_call_that_goes_on_to_a_plain_carrier_no_sound_is_left(tmp_path: Path) -> None:
    """Between two that encrypt the engine has two calls, with a plain one it has one."""
    first, second = Peer(refuse(503)), Peer()
    more = 'srtp = "optional"\nfailover_carriers = ["globex"]\n' + section("globex", second.where)
    with masked(tmp_path, first, more) as (service, phone):
        sent, answer = answered(phone)
        assert first.of("INVITE")
        until(lambda: len(asyncio.run(media_sessions(service))) == 1)
        hang_up(phone, sent, answer)
        no_sound_is_left(service)
    first.close()
    second.close()


def challenge(peer: Peer, request: str) -> list[str]:
    """Takes calls of who knows the password."""
    if not request.startswith(("INVITE", "REGISTER")):
        return accept(peer, request)
    if "\r\nAuthorization: " in request:
        return accept(peer, request)
    asked = "".join(
        f'WWW-Authenticate: Digest realm="acme", nonce="n{name}", algorithm={name}, qop="auth"\r\n'
        for name in ("MD5", "SHA-256")
    )
    return [reply(request, 401, more=asked)]


def test_a_challenge_is_answered_with_the_next_number(tmp_path: Path) -> None:
    """RFC 3261 22.2, RFC 8760; all that follows in the call goes on from there."""
    peer = Peer(challenge)
    account = 'username = "maskline"\npassword = "secret"'
    with masked(tmp_path, peer, account) as (_, phone):
        sent, answer = answered(phone)
        assert header(answer, "CSeq") == "1 INVITE"
        until(lambda: len(peer.of("ACK")) == 2)
        hang_up(phone, sent, answer)
    first, second = peer.of("INVITE")
    given = parameters(header(second, "Authorization"))
    uri = second.split(" ")[1]
    assert given["algorithm"] == "SHA-256"
    assert given["uri"] == uri
    assert given["response"] == response(given, "secret", "INVITE")
    assert [header(one, "CSeq") for one in (first, second)] == ["1 INVITE", "2 INVITE"]
    assert header(peer.of("ACK")[-1], "CSeq") == "2 ACK"
    assert header(peer.of("ACK")[-1], "Authorization") == header(second, "Authorization")
    assert header(peer.of("BYE")[0], "CSeq") == "3 BYE"
    assert header(first, "Call-ID") == header(second, "Call-ID")
    peer.close()


def test_a_wrong_password_ends_the_call(tmp_path: Path) -> None:
    peer = Peer(refuse(401))
    with masked(tmp_path, peer, 'username = "maskline"\npassword = "wrong"') as (service, phone):
        phone.send(phone.invite())
        assert phone.final() == 480
        until(lambda: record(service).get("SipStatus") == 401)
        assert (record(service)["EndedBy"], record(service)["Cause"]) == ("us", 21)
    peer.close()


def test_who_does_not_take_our_password_is_passed_by(tmp_path: Path) -> None:
    first, second = Peer(refuse(407)), Peer()
    more = 'username = "maskline"\npassword = "wrong"\nfailover_carriers = ["globex"]\n'
    with masked(tmp_path, first, more + section("globex", second.where)) as (service, phone):
        hang_up(phone, *answered(phone))
        assert ends(service, 1) == ("caller", 200)
        assert record(service)["OutboundCarrierName"] == "globex"
        assert len(first.of("INVITE")) == 1
        assert "carrier acme takes no call" in service.log
    first.close()
    second.close()


def until_state(service: Service, wanted: str) -> None:
    until(lambda: state(service, "named") == wanted, 30)


def state(service: Service, name: str) -> str:
    for carrier in service.maskline("admin", "list-carriers")["Carriers"]:
        if carrier["Name"] == name and carrier["Nodes"]:
            return str(carrier["Nodes"][0]["State"])
    return "unknown"


def test_a_carrier_by_name_is_found_watched_and_given_up(tmp_path: Path) -> None:
    peer = Peer()
    zone = (
        f"_sip._udp.acme.example. 60 IN SRV 1 1 {peer.port} sip.acme.example.\n"
        "sip.acme.example. 60 IN A 127.0.0.1\n"
    )
    with nameserver.serving(zone) as (_, port):
        named = section("named", "acme.example", "probe_seconds = 1")
        servers = f'name_servers = ["127.0.0.1:{port}"]'
        for service in running(
            tmp_path, carrier_name="spare", carrier_settings=named, sip_settings=servers
        ):
            open_named_session(service)
            phone = Phone(service)
            hang_up(phone, *answered(phone))
            (invite,) = peer.of("INVITE")
            assert invite.startswith(f"INVITE sip:{BOB}@acme.example SIP/2.0")
            assert peer.of("OPTIONS")
            until_state(service, "up")
            peer.answer = lambda *_: []
            until_state(service, "down")
            began = len(peer.of("INVITE"))
            phone.send(phone.invite())
            assert phone.final() == 503
            assert len(peer.of("INVITE")) == began
            route = service.maskline(
                "admin", "evaluate-route", "--caller", ALICE, "--called", PROXY_NUMBER
            )
            assert route["Reason"] == "no-carrier"
            phone.socket.close()
    peer.close()


def open_named_session(service: Service) -> None:
    service.maskline(
        "admin", "import-phone-numbers", "--carrier-name", "named", "--shared",
        "--e164-phone-numbers", PROXY_NUMBER,
    )  # fmt: skip
    chime = service.client()
    ids = {"VoiceConnectorId": open_connector(chime)}
    chime.create_proxy_session(**ids, ParticipantPhoneNumbers=[ALICE, BOB], Capabilities=["Voice"])


@pytest.mark.parametrize("name", ["127.0.0.1", "127.0.0.9"])
def test_calls_go_to_the_right_certificate_alone(tmp_path: Path, name: str) -> None:
    """One that the right authority signed for another name sees nothing but an OPTIONS."""
    authority = Authority(tmp_path)
    us, them = authority.issue("us", "127.0.0.1"), authority.issue("them", name)
    peer = Peer(tls=them.server())
    with masked(
        tmp_path, peer, f'[carriers.sip.tls]\nca = "{authority.ca}"', transport="tls",
        listen=(f"tls:127.0.0.1:{free_port()}",),
        sip_settings=us.for_sip,
    ) as (service, phone):  # fmt: skip
        if name == "127.0.0.1":
            hang_up(phone, *answered(phone))
            assert peer.of("INVITE")
        else:
            phone.send(phone.invite())
            assert phone.final() == 503
            assert not peer.of("INVITE")
            assert "is for another name" in service.log
        assert peer.of("OPTIONS")
    peer.close()


def test_who_cannot_be_told_of_the_end_is_hung_up_later(tmp_path: Path) -> None:
    """The carrier's server has dropped its connections, and the new one is not verified yet."""
    authority = Authority(tmp_path)
    us, them = authority.issue("us", "127.0.0.1"), authority.issue("them", "127.0.0.1")
    peer = Peer(tls=them.server())
    with masked(
        tmp_path, peer, f'probe_seconds = 4\n[carriers.sip.tls]\nca = "{authority.ca}"',
        transport="tls", listen=(f"tls:127.0.0.1:{free_port()}",),
        sip_settings=us.for_sip,
    ) as (service, phone):  # fmt: skip
        sent, answer = answered(phone)
        until(lambda: peer.of("ACK"))
        peer.close()
        again = Peer(tls=them.server(), port=peer.port)
        phone.send(within("BYE", sent, answer, phone, 2))
        assert phone.final() == 503
        until(lambda: again.of("BYE"), 30)
        until(lambda: "EndedTimestamp" in record(service))
    again.close()


def test_a_carrier_gets_calls_in_its_own_words(tmp_path: Path) -> None:
    """Numbers as its country writes them, its own host, the headers it reads, its codecs."""
    peer = Peer()
    words = (
        'number_format = "national"\ncountry = "US"\ndomain = "acme.example"\ncodecs = ["PCMU"]\n'
        'identity = ["p-asserted-identity", "remote-party-id"]\n'
    )
    with masked(tmp_path, peer, words) as (_, phone):
        body = (
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            "m=audio 17000 RTP/AVP 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\n"
        )
        phone.send(phone.invite(body=body, caller=ALICE[2:]))
        assert phone.final() == 200
    invite = peer.of("INVITE")[0]
    assert invite.startswith(f"INVITE sip:{BOB[2:]}@acme.example SIP/2.0")
    shown = f"<sip:{PROXY_NUMBER[2:]}@acme.example>"
    assert header(invite, "From").startswith(shown)
    assert header(invite, "P-Asserted-Identity") == shown
    assert header(invite, "Remote-Party-ID").startswith(f"{shown};party=calling")
    assert re.search(r"m=audio \d+ RTP/AVP 0 101\r", invite)
    assert ALICE[2:] not in invite
    peer.close()


class Stranger(Phone):
    """A phone at an address that is no carrier's."""

    host = "127.0.0.66"

    def __init__(self, service: Service) -> None:
        super().__init__(service)
        self.socket.close()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((self.host, 0))
        self.where = f"{self.host}:{self.socket.getsockname()[1]}"


def authorized(invite: str, challenge: str, password: str) -> str:
    """The INVITE again, with the answer to a challenge."""
    uri = invite.split(" ")[1]
    challenges = re.findall(r"^WWW-Authenticate: (.*?)\r$", challenge, re.MULTILINE)
    told = answer(challenges, Account("acme", password), "INVITE", uri)
    again = invite.replace("CSeq: 1 ", "CSeq: 2 ").replace("branch=z9hG4bK", "branch=z9hG4bKb")
    return again.replace("Max-Forwards", f"Authorization: {told}\r\nMax-Forwards")


def test_a_carrier_may_call_from_anywhere_with_its_password(tmp_path: Path) -> None:
    peer = Peer()
    account = 'inbound_username = "acme"\ninbound_password = "secret"'
    with masked(tmp_path, peer, account) as (service, _):
        phone = Stranger(service)
        sent = phone.invite()
        phone.send(sent)
        challenged = phone.receive()
        assert challenged.startswith("SIP/2.0 401 ")
        phone.send(authorized(sent, challenged, "wrong"))
        assert phone.final() == 401
        assert not peer.received
        right = authorized(sent, challenged, "secret").replace("branch=z9hG4bKb", "branch=z9hG4bKc")
        phone.send(right)
        taken = phone.taken(10)
        phone.send(within("ACK", right, taken, phone, 2))
        until(lambda: peer.of("ACK"))
        while not phone.silent(0.2):  # a 180 that was overtaken, say
            pass
        bye = within("BYE", right, taken, phone, 3)
        phone.send(bye.replace(header(bye, "To"), "<sip:x@y>;tag=guess"))
        phone.send(phone.invite().replace("INVITE", "OPTIONS"))
        assert phone.silent()
        phone.send(bye)
        assert phone.final() == 200
        phone.socket.close()
    peer.close()


def acknowledged(invite: str, refusal: str) -> str:
    """The ACK of a refused INVITE (RFC 3261 17.1.1.3)."""
    names = ("Via", "From", "Call-ID", "Max-Forwards")
    lines = invite.partition("\r\n\r\n")[0].split("\r\n")
    kept = [line for line in lines if line.partition(":")[0] in names]
    to, number = header(refusal, "To"), header(refusal, "CSeq").split(" ")[0]
    start = lines[0].replace("INVITE", "ACK")
    tail = [f"To: {to}", f"CSeq: {number} ACK", "Content-Length: 0", "", ""]
    return "\r\n".join([start, *kept, *tail])


REFUSED = [(ALICE, 486), ("+12065550999", 404)]


@pytest.mark.parametrize(("caller", "status"), REFUSED, ids=["by the phone", "by us"])
def test_who_calls_from_anywhere_is_refused_once(tmp_path: Path, caller: str, status: int) -> None:
    peer = Peer(refuse(486))
    account = 'inbound_username = "acme"\ninbound_password = "secret"'
    with masked(tmp_path, peer, account) as (service, _):
        phone = Stranger(service)
        sent = phone.invite(caller=caller)
        phone.send(sent)
        right = authorized(sent, phone.receive(), "secret")
        phone.send(right)
        assert phone.final() == status
        phone.send(acknowledged(right, phone.received[-1]))
        assert phone.silent(1.5)
        phone.socket.close()
    peer.close()


def test_a_carriers_address_may_not_be_enough(tmp_path: Path) -> None:
    """Where it can be forged: the first request must bring the password, too."""
    peer = Peer()
    account = 'inbound_username = "acme"\ninbound_password = "secret"\n'
    with masked(tmp_path, peer, account + "inbound_password_always = true") as (service, phone):
        sent = phone.invite()
        phone.send(sent)
        challenged = phone.receive()
        assert challenged.startswith("SIP/2.0 401 ")
        phone.send(authorized(sent, challenged, "wrong"))
        assert phone.final() == 401
        assert not peer.received
        right = authorized(sent, challenged, "secret").replace("branch=z9hG4bKb", "branch=z9hG4bKc")
        phone.send(right)
        taken = phone.taken(10)
        phone.send(within("ACK", right, taken, phone, 2))
        phone.send(within("BYE", right, taken, phone, 3))
        assert phone.final() == 200
        assert len(peer.of("INVITE")) == 1
        until(lambda: record(service).get("EndedBy") == "caller")
    peer.close()


def challenge_for_long(peer: Peer, request: str) -> list[str]:
    """Registers nobody for less than two hours."""
    brief = request.startswith("REGISTER") and int(header(request, "Expires")) in range(1, 7200)
    if brief and "\r\nAuthorization: " in request:
        return [reply(request, 423, more="Min-Expires: 7200\r\n")]
    return challenge(peer, request)


def test_a_carrier_gets_our_registration(tmp_path: Path) -> None:
    """For as long as we want, or as it wants at least (RFC 3261 10.2.8)."""
    peer = Peer(challenge_for_long)
    account = (
        'username = "4015550100"\npassword = "secret"\nregister = true\ndomain = "acme.example"'
    )
    with masked(tmp_path, peer, account) as (service, _):
        until(lambda: len(peer.of("REGISTER")) == 4)
        first, second, *longer = peer.of("REGISTER")
        assert [header(one, "Expires") for one in longer] == ["7200"] * 2
        assert second.startswith("REGISTER sip:acme.example SIP/2.0")
        assert header(second, "To") == "<sip:4015550100@acme.example>"
        assert header(second, "Contact") == f"<sip:4015550100@{service.sip}>"
        assert header(second, "Expires") == "3600"
        assert header(first, "Call-ID") == header(second, "Call-ID")
        assert parameters(header(second, "Authorization"))["uri"] == "sip:acme.example"

        def registration() -> str | None:
            (carrier,) = service.maskline("admin", "list-carriers")["Carriers"]
            found: str | None = carrier["Nodes"] and carrier["Nodes"][0].get("Registration")
            return found

        until(lambda: registration() == "registered", 20)
    last = peer.of("REGISTER")[-1]  # the service has stopped
    assert header(last, "Expires") == "0"
    assert header(last, "Contact") == header(second, "Contact")
    assert parameters(header(last, "Authorization"))["uri"] == "sip:acme.example"
    peer.close()


def know(peer: Peer, request: str) -> list[str]:
    """Registers whoever has the right password."""
    if not request.startswith("REGISTER") or "\r\nAuthorization: " not in request:
        return challenge(peer, request)
    given = parameters(header(request, "Authorization"))
    right = response(given, "secret", "REGISTER")
    return accept(peer, request) if given["response"] == right else [reply(request, 403)]


def test_who_is_not_registered_is_told_why_and_a_new_password_is_tried_at_once(
    tmp_path: Path,
) -> None:
    peer, password = Peer(know), tmp_path / "acme.password"
    password.write_text("wrong")
    account = f'username = "4015550100"\npassword_file = "{password}"\nregister = true'
    with masked(tmp_path, peer, account) as (service, _):

        def stands(state: str) -> bool:
            status, told = service.health()
            return status == 200 and told["engines"].get("registration:acme") == state

        until(lambda: stands("away: refused 403 Forbidden"))
        assert len(peer.of("REGISTER")) == 2
        password.write_text("secret")
        service.process.send_signal(signal.SIGUSR2)
        until(lambda: stands("up"))
    peer.close()


def grant(peer: Peer, request: str) -> list[str]:
    """Registers us for two seconds, beside another device that is registered for an hour."""
    if not request.startswith("REGISTER"):
        return accept(peer, request)
    others = "<sip:4015550100@198.51.100.7:5060>;expires=3600"
    ours = f"{header(request, 'Contact')};expires=2"
    return [reply(request, 200, more=f"Contact: {others}\r\nContact: {ours}\r\n")]


def test_a_registration_is_renewed_by_its_own_time(tmp_path: Path) -> None:
    peer = Peer(grant)
    account = 'username = "4015550100"\npassword = "secret"\nregister = true'
    with masked(tmp_path, peer, account):
        until(lambda: len(peer.of("REGISTER")) == 3)
    peer.close()


def test_a_registration_is_renewed_when_its_connection_is_closed(tmp_path: Path) -> None:
    """RFC 5626: the carrier may have no other way to us."""
    account = 'username = "4015550100"\npassword = "secret"\nregister = true'
    with socket.create_server(("127.0.0.1", 0)) as place:
        place.settimeout(20)
        port, asked = place.getsockname()[1], list[str]()
        for _ in running(tmp_path, carrier_port=port, carrier_settings=account, transport="tcp"):
            for _ in range(2):
                line, _ = place.accept()
                with line:
                    line.settimeout(10)
                    asked.append(line.recv(65536).decode())
                    line.sendall(reply(asked[-1], 200).encode())
                    time.sleep(0.2)  # until that is read
            place.close()
    assert [one.partition(" ")[0] for one in asked] == ["REGISTER"] * 2


def test_a_node_that_finishes_its_calls_is_registered_no_more(tmp_path: Path) -> None:
    """Else its carrier would bring it calls that it refuses."""
    peer = Peer()
    account = 'username = "4015550100"\npassword = "secret"\nregister = true'
    with masked(tmp_path, peer, account) as (service, phone):
        sent, answer = answered(phone)
        assert until(lambda: peer.of("REGISTER"))
        service.process.send_signal(signal.SIGUSR1)
        until(lambda: header(peer.of("REGISTER")[-1], "Expires") == "0")
        until(lambda: "registration:acme" not in service.health()[1]["engines"])
        hang_up(phone, sent, answer)
    peer.close()


@pytest.mark.parametrize("told", ["To", "P-Called-Party-ID"])
def test_a_registered_number_in_the_request_uri_is_not_the_dialled_one(
    tmp_path: Path, told: str
) -> None:
    """A carrier sends the calls to all our numbers to the Contact that we registered."""
    peer = Peer(grant)
    account = 'username = "4015550100"\npassword = "secret"\nregister = true'
    with masked(tmp_path, peer, account) as (service, phone):
        contact = header(until(lambda: peer.of("REGISTER"))[0], "Contact").strip("<>")
        sent = phone.invite()
        sent = sent.replace(sent.split(" ")[1], contact, 1)
        if told != "To":
            other = f"To: <{contact}>\r\n{told}: {header(sent, 'To')}"
            sent = sent.replace(f"To: {header(sent, 'To')}", other)
        phone.send(sent)
        answer = phone.taken(10)
        phone.send(within("ACK", sent, answer, phone))
        hang_up(phone, sent, answer)
        assert ends(service, 1) == ("caller", 200)
        assert record(service)["DialledPhoneNumber"] == PROXY_NUMBER
    peer.close()


SCANS = ["OPTIONS sip:100@{host} SIP/2.0", "REGISTER sip:{host} SIP/2.0",
         "INVITE sip:900441632960000@{host} SIP/2.0"]  # fmt: skip


def test_scanners_get_silence_and_a_flood_of_theirs_hurts_no_carrier(tmp_path: Path) -> None:
    peer = Peer()
    with masked(tmp_path, peer, "") as (service, phone):
        scanner = Stranger(service)
        for count in range(2000):
            start = SCANS[count % len(SCANS)].format(host=service.sip)
            method = start.partition(" ")[0]
            scanner.send(
                f"{start}\r\nVia: SIP/2.0/UDP {scanner.where};branch=z9hG4bK{count}\r\n"
                f'From: "sipvicious" <sip:100@1.1.1.1>;tag={count}\r\nTo: <sip:100@1.1.1.1>\r\n'
                f"Call-ID: {count}\r\nCSeq: 1 {method}\r\nUser-Agent: friendly-scanner\r\n"
                "Contact: <sip:100@1.1.1.1>\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
            )
        assert scanner.silent()
        hang_up(phone, *answered(phone))
        assert service.health()[0] == 200
        scanner.socket.close()
    peer.close()
