"""The settings of carriers over SIP and HTTP: what is taken, what is refused and by which name."""

import re
import tomllib
from pathlib import Path

import pytest
from settings_faults import faults

from maskline import settings

TWILIO = """
[api]
public_url = "https://sms.example.com/"
[[carriers]]
name = "tw"
[carriers.twilio]
account_sid = "AC1"
auth_token = "secret-token"
"""
TELNYX = """
[api]
public_url = "https://sms.example.com"
[[carriers]]
name = "tx"
[carriers.http]
provider = "telnyx"
callback_secrets = ["one", "two"]
[carriers.http.values]
api_key = "secret-key"
"""


def test_carriers_of_texts_over_http_are_read() -> None:
    (twilio,) = settings.parse(tomllib.loads(TWILIO)).carriers
    assert twilio.twilio is not None
    assert str(twilio.twilio.base_url) == "https://api.twilio.com"
    read = settings.parse(tomllib.loads(TELNYX))
    assert str(read.api.public_url) == "https://sms.example.com"
    (telnyx,) = read.carriers
    assert telnyx.http is not None
    assert telnyx.http.values == {"api_key": settings.Secret("secret-key")}
    assert telnyx.ways_of_texts == ("http",)
    assert not {"secret-token", "secret-key", "one"} & set(re.split(r"['\"]", repr((read, twilio))))


@pytest.mark.parametrize(
    ("text", "old", "new", "fault"),
    [
        (TWILIO, "[api]\npublic_url", "#", "api.public_url: missing"),
        (TWILIO, "https:", "ftp:", "api.public_url: 'ftp://sms.example.com/' is not a URL"),
        (TWILIO, ".com/", ".com/?a=b", "is not a URL"),
        (TWILIO, "//sms", "//me:word@sms", "is not a URL"),
        (TWILIO, 'auth_token = "secret-token"', "", "carriers[0].twilio.auth_token_file: needed"),
        (
            TWILIO,
            "auth_token =",
            'base_url = "http://10.0.0.1"\nauth_token =',
            "carriers[0].twilio.base_url: http://10.0.0.1 would send the token in the open",
        ),
        (TELNYX, 'provider = "telnyx"', "", "carriers[0].http.provider: needed"),
        (TELNYX, "provider", 'description = "x.toml"\nprovider', "but not both"),
        (TELNYX, "callback_secrets", 'callback_secrets_file = "x"\ncallback_secrets', "which?"),
        (TELNYX, 'api_key = "secret-key"', "api_key = 1", "carriers[0].http.values.api_key"),
        (
            TELNYX,
            "[carriers.http]",
            '[carriers.twilio]\naccount_sid = "a"\nauth_token = "b"\n[carriers.http]',
            "carriers[0]: carries texts by twilio and by http: choose one",
        ),
        (
            TELNYX,
            "[carriers.http]",
            '[carriers.sip]\naddress = "192.0.2.1:5060"\nsources = []\nmessages = true\n'
            "[carriers.http]",
            "carriers[0]: carries texts by http and by sip.messages: choose one",
        ),
    ],
)
def test_a_fault_of_a_carrier_over_http_is_named(text: str, old: str, new: str, fault: str) -> None:
    assert old in text
    assert any(fault in told for told in faults(text.replace(old, new, 1)))


BOTH = '"udp:127.0.0.1:5060", "tls:127.0.0.1:5061"'
SHOWN = "tls.certificate = 'a.pem'\ntls.key = 'a.key'"


def trunk(more: str, listen: str = '"udp:127.0.0.1:5060"', sip: str = "") -> str:
    """A document with one carrier, and what it says beside the least."""
    return (
        f"[sip]\nlisten = [{listen}]\n{sip}\n[[carriers]]\nname = 'acme'\n[carriers.sip]\n"
        f"address = '192.0.2.20:5060'\nsources = ['192.0.2.20']\n{more}\n"
    )


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        (trunk("", BOTH), "sip.tls.certificate: missing"),
        (trunk("", sip="tls.certificate = 'a.pem'"), "sip.tls.key: missing"),
        (trunk("tls.key = 'a.key'"), "carriers[0].sip.tls.certificate: missing"),
        (
            trunk("transport = 'tls'\nprobe_seconds = 0", BOTH, SHOWN),
            "carriers[0].sip.probe_seconds: 0 over tls needs tls.ca",
        ),
        (
            trunk("transport = 'auto'\nprobe_seconds = 0", BOTH, SHOWN).replace(
                "192.0.2.20:5060", "acme.example"
            ),
            "carriers[0].sip.probe_seconds: 0 over tls needs tls.ca",
        ),
        (trunk("transport = 'tls'"), "carriers[0].sip.transport: tls needs a listener"),
        (trunk("username = 'a'"), "carriers[0].sip.password: missing"),
        (trunk("register = true"), "carriers[0].sip.username: missing"),
        (trunk("inbound_username = 'a'"), "carriers[0].sip.inbound_password: missing"),
        (trunk("inbound_password_always = true"), "carriers[0].sip.inbound_username: missing"),
        (trunk("number_format = 'national'"), "carriers[0].sip.country: missing"),
        (trunk("country = 'XX'"), "carriers[0].sip.country: 'XX' is no country"),
        (trunk("transport = 'auto'"), "carriers[0].sip.transport: auto needs a name"),
        (trunk("failover_carriers = ['b']"), "carriers[0].sip.failover_carriers: 'b' is no"),
        (trunk("prefixes = ['44']"), "carriers[0].sip.prefixes: '44' is no beginning"),
        (trunk("domain = 'acme example'"), "carriers[0].sip.domain: 'acme example' is no address"),
        (
            trunk("tls.server_name = 'a, b'"),
            "carriers[0].sip.tls.server_name: 'a, b' is no address",
        ),
        ("barred_prefixes = ['+53', '53']", "barred_prefixes: '53' is no beginning such as +44"),
        ("barred_prefixes = ['+1-900']", "barred_prefixes: '+1-900' is no beginning"),
        (
            trunk("").replace("192.0.2.20:5060", "[2001:db8::1]:5060"),
            "carriers[0].sip.address: [2001:db8::1]:5060 needs a udp listener of its version of IP",
        ),
        (trunk("srtp = 'maybe'"), "carriers[0].sip.srtp: 'maybe' is none of off, optional"),
        ("[media]\naddress = '::1'\nsecond_address = '::2'", "media.second_address: ::2 is of"),
        ("[media]\nports = '1000-5000'", "media.ports: 1000-5000: those below 1024 are root's"),
        ("[api.tls]\ncertificate = 'a'", "api.tls.key: missing; certificate and key go together"),
        (
            "sip.listen = ['udp:127.0.0.1:5060', 'udp:127.0.0.1:5060']",
            "sip.listen: udp:127.0.0.1:5060 is where udp:127.0.0.1:5060 is",
        ),
        (
            "sip.listen = ['udp:127.0.0.1:5060', 'tcp:127.0.0.1:5060', 'ws:127.0.0.1:5060']",
            "sip.listen: ws:127.0.0.1:5060 is where tcp:127.0.0.1:5060 is",
        ),
        ("[media]\nports = '5000-5100'", "media.ports: 5000-5100: udp:127.0.0.1:5060 of"),
        (
            "sip.listen = ['udp:127.0.0.2:5060', 'udp:[::1]:30000']\nmedia.second_address = '::1'",
            "media.ports: 30000-39999: udp:[::1]:30000 of sip.listen",
        ),
        (
            "media.control = '0.0.0.0:30001'",
            "media.ports: 30000-39999: 0.0.0.0:30001 of media.control",
        ),
        ("media.control = '127.0.0.1:5060'", "media.control: 127.0.0.1:5060 is also an address of"),
    ],
)
def test_what_trunks_and_transports_need_is_told(document: str, fault: str) -> None:
    (told,) = faults(document)
    assert told.startswith(fault)


@pytest.mark.parametrize("listen", ["udp:127.0.0.2:30000", "udp:127.0.0.1:29999"])
def test_ports_of_sound_may_be_those_of_another_address_or_transport(listen: str) -> None:
    more = f"sip.listen = ['{listen}', 'tcp:127.0.0.1:30000']"
    assert settings.parse(tomllib.loads(more)).media.ports.first == 30000


@pytest.mark.parametrize(
    "more", ["transport = 'tls'", "transport = 'tls'\nprobe_seconds = 0\ntls.ca = 'ca.pem'"]
)
def test_a_trunk_over_tls_is_probed_or_has_authorities_of_its_own(more: str) -> None:
    read = settings.parse(tomllib.loads(trunk(more, BOTH, SHOWN)))
    assert read.trunks["acme"].transport == "tls"


@pytest.mark.parametrize(
    ("srtp", "encrypted"), [("off", False), ("optional", False), ("required", True), ("dtls", True)]
)
def test_a_trunk_is_encrypted_where_nothing_of_it_is_plain(srtp: str, encrypted: bool) -> None:
    for transport in ("tls", "udp"):
        more = f"transport = '{transport}'\nsrtp = '{srtp}'"
        read = settings.parse(tomllib.loads(trunk(more, BOTH, SHOWN)))
        assert read.trunks["acme"].encrypted == (encrypted and transport == "tls")


def test_the_files_of_tls_are_found_beside_the_settings(tmp_path: Path) -> None:
    path = tmp_path / "maskline.toml"
    more = "transport = 'tls'\ntls.ca = 'ca.pem'"
    listen = '"udp:127.0.0.1:5060", "tls:127.0.0.1:5061"'
    path.write_text(trunk(more, listen, "tls.certificate = 'a.pem'\ntls.key = 'a.key'"))
    read = settings.load(path)
    assert read.sip.tls.key == tmp_path / "a.key"
    assert read.trunks["acme"].tls.ca == tmp_path / "ca.pem"


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("192.0.2.20:5060", "192.0.2.20", 5060),
        ("192.0.2.20", "192.0.2.20", None),
        ("[2001:db8::1]:5061", "2001:db8::1", 5061),
        ("2001:db8::1", "2001:db8::1", None),
        ("[2001:db8::1]", "2001:db8::1", None),
        ("SIP.acme.example.", "sip.acme.example", None),
        ("sip.acme.example:5080", "sip.acme.example", 5080),
    ],
)
def test_a_carrier_is_at_an_address_or_a_name(text: str, host: str, port: int | None) -> None:
    assert settings.Endpoint.parse(text) == settings.Endpoint(host, port)


@pytest.mark.parametrize(
    "text", ["", "a b", "1.2.3", "256.1.1.1", "acme:0", "acme:x", "-a", "[::1"]
)
def test_what_is_neither_address_nor_name_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no"):
        settings.Endpoint.parse(text)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("https://Phone.example", "https://phone.example"),
        ("https://phone.example:443", "https://phone.example"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://[2001:db8::1]:80", "http://[2001:db8::1]"),
        ("capacitor://localhost", "capacitor://localhost"),
    ],
)
def test_an_origin_is_read_as_browsers_tell_it(text: str, read: str) -> None:
    assert str(settings.Origin.parse(text)) == read


@pytest.mark.parametrize(
    "text", ["phone.example", "https://phone.example/", "null", "*", "https://"]
)
def test_what_is_no_origin_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not an origin such as"):
        settings.Origin.parse(text)
