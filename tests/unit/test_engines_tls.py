"""What is rendered for Kamailio's tls module, and how files that cannot be used are told."""

from dataclasses import replace
from pathlib import Path

import pytest
from authority import Authority

from maskline.engines import tls
from maskline.engines.ground import GroundError
from maskline.settings import Address, Carrier, CarrierSip, CarrierTls, Endpoint, Listener, Settings
from maskline.settings.sip import Sip, SipTls

PLACE = Endpoint("192.0.2.20", 5061)
ADDRESS = Address("192.0.2.1", 5061)


def carrier(name: str, **choices: Path | str) -> Carrier:
    trunk = CarrierSip(
        address=PLACE,
        transport="tls",
        sources=(),
        tls=CarrierTls(**choices),  # type: ignore[arg-type]
    )
    return Carrier(name=name, sip=trunk)


@pytest.fixture
def house(tmp_path: Path) -> Settings:
    """A service with a certificate, and two carriers: one of its own authority, one of the
    system's."""
    authority = Authority(tmp_path)
    pair = authority.issue("us", "192.0.2.1")
    own = carrier(
        "own ca", ca=pair.ca, server_name="sip.example", certificate=pair.certificate, key=pair.key
    )
    return Settings(
        sip=Sip(
            listen=(Listener("udp", Address("192.0.2.1", 5060)), Listener("tls", ADDRESS)),
            tls=SipTls(certificate=pair.certificate, key=pair.key, client_ca=pair.ca),
        ),
        carriers=(own, carrier("system")),
    )


def sections(text: str) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for line in text.splitlines():
        if line.startswith("["):
            name = line.strip("[]")
            found[name] = {}
        elif line:
            key, _, value = line.partition(" = ")
            found[name][key] = value
    return found


def test_every_side_is_new_enough_and_every_server_is_verified(
    house: Settings, tmp_path: Path
) -> None:
    found = sections(tls.write(house, tmp_path / "tls").read_text())
    assert set(found) == {"server:default", "client:default", "client:any"}
    for section in found.values():
        assert section["method"] == "TLSv1.2+"
        assert section["cipher_list"].startswith("ECDHE+")
        assert section["require_certificate"] == section["verify_certificate"] == "yes"
    assert found["client:any"]["server_name"] == "sip.example"
    assert found["client:default"]["ca_list"] == tls.SYSTEM


def test_kamailio_gets_copies_of_its_own(house: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "tls"
    found = sections(tls.write(house, folder).read_text())
    for section in found.values():
        for key in ("certificate", "private_key", "ca_list"):
            if section.get(key, tls.SYSTEM) != tls.SYSTEM:
                assert Path(section[key]).parent == folder
                assert Path(section[key]).read_text().startswith("-----BEGIN")


def test_without_client_ca_nobody_is_asked(house: Settings, tmp_path: Path) -> None:
    open_door = replace(house, sip=replace(house.sip, tls=replace(house.sip.tls, client_ca=None)))
    found = sections(tls.write(open_door, tmp_path / "tls").read_text())
    assert found["server:default"]["require_certificate"] == "no"


def test_a_key_of_another_certificate_is_told(house: Settings, tmp_path: Path) -> None:
    other = Authority(tmp_path, "other").issue("other", "192.0.2.1")
    wrong = replace(house, sip=replace(house.sip, tls=replace(house.sip.tls, key=other.key)))
    with pytest.raises(GroundError, match=r"^sip\.tls: cannot use"):
        tls.check(wrong)


def test_authorities_that_are_none_are_told(house: Settings, tmp_path: Path) -> None:
    nothing = tmp_path / "nothing.pem"
    nothing.write_text("no certificate")
    wrong = replace(house, carriers=(carrier("acme", ca=nothing),))
    with pytest.raises(GroundError, match=r"^carriers\.acme\.sip\.tls\.ca: cannot use"):
        tls.check(wrong)
    tls.check(house)
