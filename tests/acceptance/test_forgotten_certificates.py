"""A Kamailio that was started again knows no certificates any more: calls and texts wait for it to
see them anew."""

import os
import signal
from pathlib import Path

import pytest
from acceptance.carriers import answered, answered_at_last, hang_up, masked
from acceptance.peers import Peer
from acceptance.service import Service, free_port, until
from authority import Authority

RENEW, CRASH = signal.SIGUSR2, signal.SIGKILL


def start_again(service: Service, how: signal.Signals) -> None:
    before = service.engine_pid("kamailio")
    os.kill(service.process.pid if how is RENEW else before, how)
    until(lambda: service.engine_pid("kamailio") not in (0, before), 20)
    until(lambda: service.health()[0] == 200, 20)


@pytest.mark.parametrize("how", [RENEW, CRASH])
@pytest.mark.parametrize("name", ["127.0.0.1", "127.0.0.9"])
def test_a_place_is_looked_at_anew(tmp_path: Path, name: str, how: signal.Signals) -> None:
    """At once, and not only when its time has come; whoever is there meanwhile with a certificate
    for another name gets no call, not even the first."""
    authority = Authority(tmp_path)
    us, them = authority.issue("us", "127.0.0.1"), authority.issue("them", "127.0.0.1")
    peer, other = Peer(tls=them.server()), authority.issue("other", name)
    choices = {"transport": "tls", "listen": (f"tls:127.0.0.1:{free_port()}",)}
    with masked(
        tmp_path, peer, f'[carriers.sip.tls]\nca = "{authority.ca}"',
        sip_settings=us.for_sip, **choices,
    ) as (service, phone):  # fmt: skip
        hang_up(phone, *answered(phone))
        peer.close()
        peer = Peer(tls=other.server(), port=peer.port)
        start_again(service, how)
        if name != "127.0.0.1":
            phone.send(phone.invite())
            assert phone.final() == 503
            until(lambda: "is for another name" in service.log)
        else:
            until(lambda: peer.of("OPTIONS"), 10)  # before its time
            hang_up(phone, *answered_at_last(phone))
        assert bool(peer.of("INVITE")) is (name == "127.0.0.1")
    peer.close()
