"""The settings of an SMPP carrier: what is taken, what is refused and by which name."""

import tomllib
from pathlib import Path

import pytest
import settings_faults

from maskline import settings
from maskline.settings import Secret

CARRIER = "[[carriers]]\nname = 'a'\n[carriers.smpp]\nhost = 'smsc'\nsystem_id = 'us'\n"


def faults(more: str) -> list[str]:
    return settings_faults.faults(CARRIER + more)


def test_a_carrier_may_have_texts_alone() -> None:
    read = settings.parse(tomllib.loads(CARRIER + "password = 'hush'\ndata_codings = ['ucs2']"))
    [carrier] = read.carriers
    assert carrier.sip is None
    assert carrier.smpp is not None
    assert (carrier.smpp.port, carrier.smpp.data_codings) == (2775, ("ucs2",))
    assert carrier.smpp.password == Secret("hush")
    assert read.trunks == {}


def test_its_password_is_not_shown() -> None:
    read = settings.parse(tomllib.loads(CARRIER + "password = 'hush'"))
    assert "hush" not in f"{read} {read!r}"


def test_its_paths_begin_at_the_file(tmp_path: Path) -> None:
    path = tmp_path / "maskline.toml"
    path.write_text(CARRIER + "tls = true\ntls_ca = 'ca.pem'\npassword_file = '/etc/word'")
    smpp = settings.load(path).carriers[0].smpp
    assert smpp is not None
    assert (smpp.tls_ca, smpp.password_file) == (tmp_path / "ca.pem", Path("/etc/word"))


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ("password = 'ninechars'", "password: has more than 8 characters"),
        ("system_type = 'schlüssel'", "system_type: must be of ASCII characters"),
        ('service_type = "a\\u0000b"', "service_type: must be of ASCII characters"),
        ("tls_ca = 'x'", "tls_ca: means nothing without tls = true"),
        ("tls = true\ntls_key = 'x'", "tls_certificate: missing; certificate and key go together"),
        ("password = 'a'\npassword_file = 'b'", "password_file: there is a password, too: which"),
        ("unknown_ton = 'national'", "country_code: missing; unknown_ton = national needs it"),
        ("country_code = '+44'", "country_code: '+44' is no country code such as 44"),
        ("data_codings = []", "data_codings: names none, so nothing could be sent"),
        (
            "default_alphabet = 'latin1'\nshift_tables = ['turkish']",
            "shift_tables: need default_alphabet = gsm",
        ),
        ("shift_tables = ['klingon']", "shift_tables[0]: 'klingon' is none of turkish, spanish"),
        ("window = 0", "window: 0 is not between 1 and 1000"),
        ("busy_statuses = [0]", "busy_statuses[0]: 0 is not between 1 and 4294967295"),
        ("busy_statuses = ['x']", "busy_statuses[0]: 'x' must be a whole number"),
        ("send_by = 'submit_multi'", "send_by: 'submit_multi' is none of submit_sm, data_sm"),
    ],
)
def test_a_fault_is_named(more: str, fault: str) -> None:
    [found] = faults(more)
    assert found.startswith(f"carriers[0].smpp.{fault}")
