"""A place that asks for a password and cannot be answered any more."""

import socket
import ssl
import threading
from pathlib import Path

from acceptance.carriers import answered, ends, hang_up, masked, section
from acceptance.peers import Peer, accept, reply
from acceptance.service import free_port
from acceptance.test_challenged_dialogs import ACCOUNT, challenge
from authority import Authority


class Fickle(Peer):
    """Closes the connection by which a call came, and with it goes the certificate that it showed;
    it asks for a password by a connection of its own to the port `told`."""

    told = 0
    telling: threading.Thread | None = None

    def ask_elsewhere(self, request: str) -> list[str]:
        if not request.startswith("INVITE"):
            return accept(self, request)
        asked = reply(request, 407, more=challenge())
        self.telling = threading.Timer(0.3, self.tell, [asked])
        self.telling.start()
        raise ConnectionError

    def tell(self, text: str) -> None:
        trusting = ssl.create_default_context()
        trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
        own = socket.create_connection(("127.0.0.1", self.told))
        with trusting.wrap_socket(own) as line:
            line.send(text.encode())
            line.recv(1)  # the ACK


def test_another_place_takes_the_call(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    us, them = authority.issue("us", "127.0.0.1"), authority.issue("them", "127.0.0.1")
    first, second = Fickle(Fickle.ask_elsewhere, tls=them.server()), Peer()  # type: ignore[arg-type]
    first.told = free_port()
    more = f'{ACCOUNT}\nprobe_seconds = 60\nfailover_carriers = ["globex"]\n'
    more += f'[carriers.sip.tls]\nca = "{authority.ca}"\n' + section("globex", second.where)
    with masked(
        tmp_path, first, more, transport="tls", listen=(f"tls:127.0.0.1:{first.told}",),
        sip_settings=us.for_sip,
    ) as (service, phone):  # fmt: skip
        hang_up(phone, *answered(phone))
        assert ends(service, 1) == ("caller", 200)
        assert service.newest_call()["OutboundCarrierName"] == "globex"
        assert len(first.of("INVITE")) == 1
    assert first.telling
    first.telling.join()
    first.close()
    second.close()
