"""The places of one carrier, as its name servers tell them, and how many calls it and a connector
take: real calls to real peers."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import nameserver
import pytest
from acceptance.carriers import answered, hang_up, open_named_session, section
from acceptance.peers import Peer, accept, refuse, reply
from acceptance.plain_phone import Phone
from acceptance.service import Service, running, until

MOST_CALLS = 3
AT_ONCE = 8
ZONE = """\
_sip._udp.acme.example. 60 IN SRV 10 65535 {heavy} sip.acme.example.
_sip._udp.acme.example. 60 IN SRV 10 0 {light} sip.acme.example.
_sip._udp.acme.example. 60 IN SRV 20 0 {last} sip.acme.example.
sip.acme.example. 60 IN A 127.0.0.1
"""


def ring(peer: Peer, request: str) -> list[str]:
    return (
        [reply(request, 180, peer.where)] if request.startswith("INVITE") else accept(peer, request)
    )


@dataclass
class Stage:
    service: Service
    heavy: Peer
    light: Peer
    last: Peer

    def __post_init__(self) -> None:
        (made,) = self.service.client().list_voice_connectors()["VoiceConnectors"]
        self.connector = {"VoiceConnectorId": made["VoiceConnectorId"]}

    @property
    def invites(self) -> list[int]:
        """How many each of the places got."""
        return [len(peer.of("INVITE")) for peer in (self.heavy, self.light, self.last)]

    def call(self) -> None:
        """A call that is answered, and over also for whoever counts calls."""
        over = self.over()
        phone = Phone(self.service)
        hang_up(phone, *answered(phone))
        phone.socket.close()
        until(lambda: self.over() > over)

    def over(self) -> int:
        return sum("EndedTimestamp" in call for call in self.service.calls())

    def call_at_once(self, answer: Any) -> Counter[int]:
        """What so many callers of the same moment hear, once each has heard something."""
        for peer in (self.heavy, self.light, self.last):
            peer.answer = answer
        phones = [Phone(self.service) for _ in range(AT_ONCE)]
        for phone in phones:
            phone.send(phone.invite())
        return Counter(heard(phone) for phone in phones)


def heard(phone: Phone) -> int:
    """The first status that tells something."""
    while (text := phone.receive()).startswith("SIP/2.0 100"):
        pass
    phone.socket.close()
    return int(text[8:11])


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    heavy, light, last = Peer(), Peer(), Peer()
    zone = ZONE.format(heavy=heavy.port, light=light.port, last=last.port)
    with nameserver.serving(zone) as (_, port):
        named = section("named", "acme.example", f"max_calls = {MOST_CALLS}")
        servers = f'name_servers = ["127.0.0.1:{port}"]'
        folder = tmp_path_factory.mktemp("places")
        for service in running(
            folder, carrier_name="spare", carrier_settings=named, sip_settings=servers
        ):
            open_named_session(service)
            yield Stage(service, heavy, light, last)
    for peer in (heavy, light, last):
        peer.close()


def test_places_are_tried_as_their_priorities_and_weights_say(stage: Stage) -> None:
    """RFC 2782; a place that fails is left for the next of its priority, then for the next one."""
    for _ in range(3):
        stage.call()
    assert stage.invites == [3, 0, 0]
    stage.heavy.answer = refuse(503)
    stage.call()
    assert stage.invites == [4, 1, 0]
    stage.light.answer = refuse(503)
    stage.call()
    assert stage.invites == [4, 2, 1]
    assert {call["OutboundCarrierName"] for call in stage.service.calls()} == {"named"}


def test_a_connector_gets_no_more_calls_a_second_than_its_rule_says(stage: Stage) -> None:
    rule(stage, "--max-calls-per-second", "2")
    over = stage.over()
    assert stage.call_at_once(refuse(486)) == {486: 2, 503: AT_ONCE - 2}
    until(lambda: stage.over() == over + AT_ONCE)  # also for whoever counts calls
    rule(stage, "--max-calls-per-second", "0")


def test_no_more_calls_at_once_go_out_than_a_carrier_has_channels(stage: Stage) -> None:
    """Though none of them is written down yet when the next is decided."""
    assert stage.call_at_once(ring) == {180: MOST_CALLS, 503: AT_ONCE - MOST_CALLS}


def rule(stage: Stage, *options: str) -> None:
    connector = stage.connector["VoiceConnectorId"]
    stage.service.maskline(
        "admin", "put-voice-connector-rules", "--voice-connector-id", connector, *options
    )
