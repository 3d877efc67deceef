"""A control plane that stands still: what it could not be told of calls, it is told later."""

import os
import signal
import time
from pathlib import Path

from acceptance.carriers import masked
from acceptance.peers import SDP, Peer, header, reply
from acceptance.plain_phone import Phone, within
from acceptance.service import PATIENCE, Service, until

# More reports than workers send before they wait for some to be read (MOST_UNREAD).
CALLS = 130


def trying(_peer: Peer, request: str) -> list[str]:
    if request.startswith("INVITE"):
        return [reply(request, 100)]
    return [] if request.startswith("ACK") else [reply(request, 200)]


def heard_of(peer: Peer, method: str) -> set[str]:
    return {header(request, "Call-ID") for request in peer.of(method)}


def heard(phone: Phone) -> str:
    try:
        return phone.receive(0.5)
    except TimeoutError:
        return ""


def unanswered(service: Service) -> list[str]:
    """Calls that nobody has answered, as far as the records know."""
    found: list[str] = []
    token: dict[str, str] = {}
    while True:
        page = service.ask("GET", "/admin/calls", **token)
        found += [call["CallId"] for call in page["Calls"] if "AnsweredTimestamp" not in call]
        if "NextToken" not in page:
            return found
        token = {"next-token": page["NextToken"]}


def answer_all(peer: Peer, phone: Phone, sent: dict[str, str]) -> None:
    """Whoever is called rings and answers, again and again until every caller has heard it."""
    asked = {header(request, "Call-ID"): request for request in peer.of("INVITE")}
    for request in asked.values():
        peer.send(reply(request, 180, peer.where), phone.server)
        time.sleep(0.005)
    missing, deadline = dict(sent), time.monotonic() + PATIENCE
    while missing and time.monotonic() < deadline:
        for call in asked.keys() - heard_of(peer, "ACK"):
            peer.send(reply(asked[call], 200, peer.where, SDP), phone.server)
            time.sleep(0.005)
        while text := heard(phone):
            call = header(text, "Call-ID")
            if text.startswith("SIP/2.0 200") and call in missing:
                phone.send(within("ACK", missing.pop(call), text, phone))
    assert not missing


def test_every_call_that_was_answered_meanwhile_is_hung_up_with_its_session(tmp_path: Path) -> None:
    peer = Peer(trying)
    with masked(tmp_path, peer, "") as (service, phone):
        sent = {}
        for _ in range(CALLS):
            invite = phone.invite()
            sent[header(invite, "Call-ID")] = invite
            phone.send(invite)
            time.sleep(0.02)
        until(lambda: len(heard_of(peer, "INVITE")) == CALLS)
        os.kill(service.pid, signal.SIGSTOP)
        try:
            answer_all(peer, phone, sent)
        finally:
            os.kill(service.pid, signal.SIGCONT)

        def told() -> bool:
            for _ in range(20):  # whatever comes to a worker reminds it
                phone.send(phone.invite(body="").replace("INVITE", "OPTIONS"))
            return not unanswered(service)

        until(told)
        service.close_sessions()
        until(lambda: heard_of(peer, "BYE") == heard_of(peer, "INVITE"))
    peer.close()
