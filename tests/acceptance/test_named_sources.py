"""A carrier that calls from a host known by name."""

import os
import signal
from pathlib import Path

import nameserver
from acceptance.carriers import Stranger, answered, hang_up, masked
from acceptance.peers import Peer
from acceptance.service import until

ZONE = "calls.acme.example. 60 IN A 127.0.0.66\n"


def test_calls_from_a_named_host_are_taken(tmp_path: Path) -> None:
    """Also after Kamailio was killed; those from any other get silence."""
    peer = Peer()
    with nameserver.serving(ZONE) as (_, port):
        servers = f'name_servers = ["127.0.0.1:{port}"]'
        with masked(tmp_path, peer, "", sources="calls.acme.example", sip_settings=servers) as (
            service,
            other,
        ):
            phone = Stranger(service)
            hang_up(phone, *answered(phone))
            other.send(other.invite())
            assert other.silent()
            killed = service.engine_pid("kamailio")
            os.kill(killed, signal.SIGKILL)
            until(lambda: service.engine_pid("kamailio") not in (0, killed), 30)
            until(lambda: service.health()[0] == 200, 30)
            until(lambda: taken(phone), 30)
            phone.socket.close()
    peer.close()


def taken(phone: Stranger) -> bool:
    """Whether a call is answered at all."""
    phone.send(phone.invite(number="+19135550111"))
    return not phone.silent()
