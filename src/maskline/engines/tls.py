"""Kamailio's side of TLS: the file that its tls module reads, and copies of what it names.

Kamailio's user may not be able to read the operator's files, so it gets copies in its own
directory. Each file is read here first: a certificate without its key is told by its setting.
"""

import ssl
from pathlib import Path

from maskline.engines.ground import GroundError
from maskline.settings import CarrierSip, Settings

SYSTEM = "/etc/ssl/certs/ca-certificates.crt"
DEFAULT = "default"
VERIFIED = {"verify_certificate": "yes", "require_certificate": "yes"}
# Forward secrecy and authenticated encryption alone; TLS 1.3 has nothing else.
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
METHOD = "TLSv1.2+"
PORT = 5061


def speaks_tls(settings: Settings) -> bool:
    return any(listener.encrypted for listener in settings.sip.listen)


def check(settings: Settings) -> None:
    """Raises GroundError for a file that cannot be what its setting says."""
    own = settings.sip.tls
    check_pair(own.certificate, own.key, "sip.tls")
    check_authorities(own.client_ca, "sip.tls.client_ca")
    for name, trunk in settings.trunks.items():
        theirs, place = trunk.tls, f"carriers.{name}.sip.tls"
        check_pair(theirs.certificate, theirs.key, place)
        check_authorities(theirs.ca, f"{place}.ca")


def check_pair(certificate: Path | None, key: Path | None, setting: str) -> None:
    if certificate is None or key is None:
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, no_password)
    except (OSError, ValueError) as error:
        raise GroundError(f"{setting}: cannot use {certificate} with {key}: {error}") from None


def no_password() -> str:
    raise ValueError("the key has a password")


def check_authorities(file: Path | None, setting: str) -> None:
    if file is None:
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(file)
    except OSError as error:
        raise GroundError(f"{setting}: cannot use {file}: {error}") from None


def write(settings: Settings, directory: Path) -> Path:
    """Writes the tls module's file into a new directory; its path."""
    directory.mkdir()
    # Loading the system's authorities costs every process of Kamailio time and memory.
    trusts = any(trunk.tls.ca is None for trunk in settings.trunks.values())
    default = section("client:default", **VERIFIED, ca_list=SYSTEM if trusts else None)
    sections = [server(settings, directory), default]
    for place, trunk in enumerate(settings.trunks.values()):
        if profile(place, trunk) != DEFAULT:
            sections.append(client(profile(place, trunk), trunk, directory))
    file = directory / "tls.cfg"
    file.write_text("\n".join(sections), encoding="utf-8")
    return file


def server(settings: Settings, directory: Path) -> str:
    tls = settings.sip.tls
    return section(
        "server:default",
        verify_certificate=yes_or_no(tls.client_ca),
        require_certificate=yes_or_no(tls.client_ca),
        certificate=copied(tls.certificate, directory / "certificate.pem"),
        private_key=copied(tls.key, directory / "key.pem"),
        ca_list=copied(tls.client_ca, directory / "clients.pem"),
    )


def profile(place: int, trunk: CarrierSip) -> str:
    """The client profile for a trunk, by its place among all."""
    own = trunk.tls.ca is not None or trunk.tls.certificate is not None
    return f"carrier{place}" if own else DEFAULT


def client(name: str, trunk: CarrierSip, directory: Path) -> str:
    tls, file = trunk.tls, directory / name
    told = tls.server_name or (None if trunk.address.literal else trunk.address.host)
    return section(
        # A section for any address must have a name, and an address is no name (RFC 6066 3).
        f"client:{trunk.address.at(PORT)}" if told is None else "client:any",
        **VERIFIED,
        server_id=name,
        server_name=told,
        ca_list=copied(tls.ca, file.with_suffix(".ca")) or SYSTEM,
        certificate=copied(tls.certificate, file.with_suffix(".pem")),
        private_key=copied(tls.key, file.with_suffix(".key")),
    )


def names(trunk: CarrierSip) -> list[str]:
    """The names of which one must stand in the carrier's certificate."""
    if trunk.tls.server_name:
        return [trunk.tls.server_name]
    return [address.host for address, _, _, _ in trunk.places]


def section(name: str, **lines: str | None) -> str:
    given = [f"{key} = {text}" for key, text in lines.items() if text is not None]
    return "\n".join([f"[{name}]", f"method = {METHOD}", f"cipher_list = {CIPHERS}", *given, ""])


def copied(source: Path | None, target: Path) -> str | None:
    if source is None:
        return None
    target.write_bytes(source.read_bytes())
    return str(target)


def yes_or_no(value: object) -> str:
    return "yes" if value else "no"
