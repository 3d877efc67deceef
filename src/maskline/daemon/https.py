"""What the HTTP door shows where it speaks TLS."""

import ssl
from pathlib import Path

from maskline.engines.tls import CIPHERS, check_pair
from maskline.settings.schema import ApiTls

SETTING = "api.tls"


class Certificate:
    """The door's certificate; `context` shows the one that was read last."""

    def __init__(self, certificate: Path, key: Path) -> None:
        """Raises GroundError for files that are none."""
        self._files = certificate, key
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.set_ciphers(CIPHERS)
        self.context.set_alpn_protocols(["http/1.1"])
        self.renew()

    def renew(self) -> None:
        """Reads the files anew; raises GroundError for those that cannot be used, and keeps what it
        has. Connections that are there are not touched."""
        check_pair(*self._files, SETTING)  # first: half of a pair would stay
        self.context.load_cert_chain(*self._files)


def certificate_of(tls: ApiTls) -> Certificate | None:
    """The certificate, where the settings have one."""
    return Certificate(tls.certificate, tls.key) if tls.certificate and tls.key else None
