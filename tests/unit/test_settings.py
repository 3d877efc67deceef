"""The settings file: what it accepts, how it refuses, and that its documentation is whole."""

import re
import tomllib
from dataclasses import MISSING, replace
from pathlib import Path

import pytest

from maskline import settings
from maskline.cli.profile import Beside
from maskline.daemon.house import open_data
from maskline.engines.ground import GroundError
from maskline.settings import SettingsError
from maskline.settings.document import default_file, guide
from maskline.settings.reader import leaves
from maskline.settings.schema import Settings
from maskline.sms.http.carriers import secrets_of

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "configuration.md"

FULL = """
data_dir = "var"
[api]
listen = "127.0.0.1:8080"
[sip]
listen = ["udp:127.0.0.1:5060", "tcp:[::1]:5060"]
[media]
address = "127.0.0.1"
ports = "30000-39999"
[store]
url = "sqlite:var/maskline.db"
[[carriers]]
name = "acme"
[carriers.sip]
address = "127.0.0.1:5080"
transport = "udp"
sources = ["127.0.0.1/32"]
"""


def faults(text: str) -> list[str]:
    with pytest.raises(SettingsError) as refusal:
        settings.parse(tomllib.loads(text))
    return refusal.value.faults


def test_a_full_file_is_read_into_values() -> None:
    read = settings.parse(tomllib.loads(FULL))
    assert str(read.sip.listen[1]) == "tcp:[::1]:5060"
    assert read.sip.listen[1].address.host == "::1"
    assert 39999 in read.media.ports
    assert 40000 not in read.media.ports
    assert read.carriers[0].sip.sources == (settings.Source("127.0.0.1/32"),)


def test_an_empty_file_means_the_defaults() -> None:
    assert settings.parse({}) == Settings()


def test_the_default_file_says_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "maskline.toml"
    settings.write_default(path)
    written = settings.parse(tomllib.loads(path.read_text()))
    assert [carrier.name for carrier in written.carriers] == ["demo"]
    assert replace(written, carriers=()) == Settings()


def test_the_default_file_never_overwrites(tmp_path: Path) -> None:
    path = tmp_path / "maskline.toml"
    path.write_text("mine")
    with pytest.raises(FileExistsError):
        settings.write_default(path)
    assert path.read_text() == "mine"


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    path = tmp_path / "maskline.toml"
    path.write_text('data_dir = "here"\n[store]\nurl = "sqlite:there/data.db"\n')
    read = settings.load(path)
    assert read.data_dir == tmp_path / "here"
    assert str(read.store.url) == f"sqlite:{tmp_path}/there/data.db"


def test_the_database_lies_in_the_data_directory(tmp_path: Path) -> None:
    path = tmp_path / "maskline.toml"
    path.write_text('data_dir = "here"\n')
    assert str(settings.load(path).store.url) == f"sqlite:{tmp_path}/here/maskline.db"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("data_dri = 'x'", "data_dri: no such setting; did you mean data_dir?"),
        ("[sip]\nlisen = []", "sip.lisen: no such setting; did you mean listen?"),
        ("zzz = 1", "zzz: no such setting"),
        ("data_dir = ''", "data_dir: must not be empty"),
        ("api = 1", "api: must be a table"),
        ("carriers = 1", "carriers: must be a list"),
        ("carriers = [1]", "carriers[0]: must be a table"),
        ("max_session_minutes = '5'", "max_session_minutes: '5' must be a whole number"),
        ("max_session_minutes = true", "max_session_minutes: True must be a whole number"),
        ("max_ring_seconds = 1", "max_ring_seconds: 1 is not between 5 and 300"),
        ("hang_up_on_delete = 1", "hang_up_on_delete: 1 must be true or false"),
        ("unknown_caller = 'ring'", "unknown_caller: 'ring' is none of reject, fallback"),
        ("[api]\nlisten = 8080", "api.listen: 8080 must be a text in quotes"),
        ("[api]\nlisten = 'here:1'", "api.listen: 'here' is not an IP address such as 192.0.2.10"),
        ("[api]\nlisten = '::1:0'", "api.listen: '0' is not a port between 1 and 65535"),
        ("[sip]\nlisten = ['tcp:127.0.0.1:1']", "sip.listen: needs at least one udp listener"),
        (
            "[sip]\nlisten = ['udp:0.0.0.0:5060']",
            "sip.listen[0]: 'udp:0.0.0.0:5060' names no address that a phone could answer to",
        ),
        (
            "[media]\nports = '30000-30000'",
            "media.ports: '30000-30000' has no room for one call, which takes two ports",
        ),
        ("[media]\naddress = '::'", "media.address: :: names no address to send sound to"),
        (
            "[store]\nurl = 'mysql://x'",
            "store.url: 'mysql://x' is not a store such as sqlite:var/maskline.db"
            " or postgresql://host/name",
        ),
        (
            "[[carriers]]\nname = 'a'",
            "carriers[0]: has none of sip, smpp, twilio and http, so it carries nothing",
        ),
        (
            "[[carriers]]\nname = 'a'\n[carriers.sip]\naddress = '127.0.0.1:1'\nsources = ['a b']",
            "carriers[0].sip.sources[0]: 'a b' is neither a network such as 192.0.2.0/24 "
            "nor a name such as sip.acme.example",
        ),
    ],
)
def test_a_fault_is_named(text: str, fault: str) -> None:
    assert faults(text) == [fault]


def test_all_faults_are_told_at_once() -> None:
    assert len(faults("a = 1\nb = 2\n[api]\nlisten = 1\n[media]\nports = 2")) == 4


def test_two_carriers_cannot_share_a_name() -> None:
    one = '[[carriers]]\nname = "a"\n[carriers.sip]\naddress = "127.0.0.1:1"\nsources = ["::1"]\n'
    assert faults(one * 2) == ["carriers[1].name: 'a' is the name of another carrier"]


def test_a_file_that_is_no_toml_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "maskline.toml"
    path.write_text("[api\n")
    with pytest.raises(SettingsError, match="not a TOML document"):
        settings.load(path)


LINES = (
    """\
# The first line.
max_call_minutes = 0

[sip]
listen = [
  "udp:127.0.0.1:5060",
  "sctp:127.0.0.1:5060",
]
[store]
key = "a\\u0000b"
[[carriers]]
name = "acme"
sip.address = "192.0.2.1:5060"
sip.sources = ["192.0.2.1"]
sip.transport = "udp"
[[carriers]]
name = """
    + '"""\nother"""\n'
    + """\
[carriers.sip]
sources = ["192.0.2.2"]
[carriers.twilio]
sid = 1
"""
)


def test_each_fault_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "maskline.toml"
    path.write_text(LINES)
    with pytest.raises(SettingsError) as refused:
        settings.load(path)
    told = {": ".join(fault.split(": ")[:2]) for fault in refused.value.faults}
    assert told >= {
        "line 2: max_call_minutes",
        "line 5: sip.listen[1]",
        "line 10: store.key",
        "line 19: carriers[1].sip.address",
        "line 22: carriers[1].twilio.sid",
    }


def test_what_carriers_say_about_each_other_has_the_line_of_who_says_it(tmp_path: Path) -> None:
    trunk = '[[carriers]]\nname = "{}"\nsip.address = "192.0.2.1"\n{}\n'
    user = 'sip.inbound_username = "ann"\nsip.inbound_password = "hush"'
    more = 'sip.sources = ["192.0.2.1"]\nsip.failover_carriers = ["gamma"]'
    path = tmp_path / "maskline.toml"
    path.write_text(
        trunk.format("acme", user) + trunk.format("gl.obex", user) + trunk.format("beta", more)
    )
    with pytest.raises(SettingsError) as refused:
        settings.load(path)
    assert refused.value.faults == [
        "line 4: carriers[0].sip.inbound_username: 'ann' is another carrier's",
        "line 9: carriers[1].sip.inbound_username: 'ann' is another carrier's",
        "line 15: carriers[2].sip.failover_carriers: 'gamma' is no other carrier with a SIP trunk",
    ]


TRUNK = '[[carriers]]\nname = "a"\nsip.address = "192.0.2.1"\nsip.sources = ["192.0.2.1"]\n'


@pytest.mark.parametrize(
    "text",
    [
        '[store]\nurl = "postgres://ann:hush@db.example/maskline"',  # as others spell it
        '[store]\nurl = "postgresql:ann:hush@db.example/maskline"',
        '[store]\nurl = "mysql://db.example/maskline?password=hush"',
        '[store]\nurl = ["postgresql://ann:hush@db.example/maskline"]',
        '[api]\npublic_url = "https://ann:hush@sms.example"',
        TRUNK + 'sip.username = "ann"\nsip.password = ["hush"]',
        TRUNK + 'sip.inbound_username = "ann"\nsip.inbound_password = ["hush"]',
    ],
)
def test_no_fault_tells_a_password(text: str) -> None:
    with pytest.raises(SettingsError) as refused:
        settings.parse(tomllib.loads(text))
    assert "hush" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ann:hush%zz@127.0.0.1:1/maskline",
        "postgresql://ann:hush@[::1/maskline",
        "postgresql://ann:hu/hush@127.0.0.1:1/maskline",
        "postgresql://ann:hu:hush@127.0.0.1:1/maskline",
        "postgresql://ann:hush sh@127.0.0.1:1/maskline",
        "postgresql://127.0.0.1:1/maskline?password=hush%zz",
    ],
)
def test_nothing_that_is_said_of_a_database_tells_its_password(url: str) -> None:
    with pytest.raises(GroundError) as refused:
        open_data(settings.parse({"store": {"url": url, "key": "/nowhere/key"}}))
    assert "hush" not in str(refused.value)
    assert "***" in str(refused.value)


def test_a_file_of_an_editor_on_windows(tmp_path: Path) -> None:
    path = tmp_path / "maskline.toml"
    path.write_bytes(b'\xef\xbb\xbfdata_dir = "d"\r\n[api]\r\nlisten = "127.0.0.1:1"\r\n')
    assert settings.load(path).data_dir == tmp_path / "d"
    assert Beside(tmp_path).endpoint() == "http://127.0.0.1:1"


def test_a_password_of_an_editor_on_windows(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_bytes(b"\xef\xbb\xbfhush\r\n")
    trunk = settings.parse(tomllib.loads(TRUNK)).trunks["a"]
    assert replace(trunk, username="ann", password_file=path).secret == "hush"
    assert secrets_of((), path) == ("hush",)


def test_every_setting_is_documented() -> None:
    text = guide()
    for key, one, _ in leaves(Settings):
        assert one.metadata["about"].endswith("."), key
        assert f"### `{key.rpartition('.')[2]}`" in text, key


def test_the_guide_is_what_the_settings_say() -> None:
    assert GUIDE.read_text() == guide(), (
        "python -m maskline.settings > docs/guides/configuration.md"
    )


def test_the_default_file_names_every_setting() -> None:
    text = default_file()
    for key, one, _ in leaves(Settings):
        if key.startswith(("carriers[].smpp.", "carriers[].twilio.", "carriers[].http.")):
            continue  # its carrier has none of them; they stand in the guide
        if key.startswith("carriers[].sip.") and one.default is not MISSING:
            continue  # its carrier is the plainest there is
        assert f"{key.rpartition('.')[2]} = " in text, key


def test_a_database_of_postgresql_is_shown_without_its_password(tmp_path: Path) -> None:
    path = tmp_path / "maskline.toml"
    path.write_text('[store]\nurl = "postgresql://ann:secret@db:5432/maskline?password=secret"\n')
    url = settings.load(path).store.url
    assert url is not None
    assert url.text.count("secret") == 2
    assert str(url) == "postgresql://ann:***@db:5432/maskline?password=***"
    url = settings.StoreUrl.parse("postgresql://ann:se:cret@db-1:5432,db-2:5432/maskline")
    assert str(url) == "postgresql://ann:***@db-1:5432,db-2:5432/maskline"


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
