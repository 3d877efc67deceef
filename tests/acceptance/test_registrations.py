"""Our registrations with carriers: for how long, when anew, and when no more."""

import signal
import socket
import time
from pathlib import Path

import pytest
from acceptance.carriers import answered, challenge, ends, hang_up, masked
from acceptance.peers import Peer, accept, header, reply
from acceptance.plain_phone import within
from acceptance.service import running, until
from acceptance.test_leak import PROXY_NUMBER

from maskline_sip.digest import parameters, response


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
            (carrier,) = service.carriers()
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
        until(lambda: stands("up"), 10)  # before its next turn
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
        answer = phone.taken()
        phone.send(within("ACK", sent, answer, phone))
        hang_up(phone, sent, answer)
        assert ends(service, 1) == ("caller", 200)
        assert service.newest_call()["DialledPhoneNumber"] == PROXY_NUMBER
    peer.close()
