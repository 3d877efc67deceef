"""The settings file: what it accepts, how it refuses, and that its documentation is whole."""

import tomllib
from dataclasses import MISSING, replace
from pathlib import Path

import pytest
from settings_faults import faults

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
        (
            "[api]\nmax_session_minutes = 5",
            "api.max_session_minutes: no such setting;"
            " max_session_minutes stands at the top of the file, before the first table",
        ),
        ("cache_mebibytes = 5", "cache_mebibytes: no such setting; there is one in [store]"),
        (
            "[sip]\nkey = 'a'",
            "sip.key: no such setting; there is one in [api.tls] and in [sip.tls]"
            " and in [store] and in [carriers.sip.tls]",
        ),
        ("priority = 1", "priority: no such setting; there is one in [[carriers.sip.targets]]"),
        ("api = 1", "api: must be a table, [api]"),
        ("sip.tls = 1", "sip.tls: must be a table, [sip.tls]"),
        ("carriers = 1", "carriers: must be a list, [[carriers]] for each"),
        ("[carriers]\nname = 'a'", "carriers: must be a list, [[carriers]] for each"),
        ("carriers = [1]", "carriers[0]: must be a table, [[carriers]]"),
        ("barred_prefixes = '+44'", "barred_prefixes: must be a list, in brackets"),
        ("max_session_minutes = '5'", "max_session_minutes: '5' must be a whole number"),
        ("max_session_minutes = true", "max_session_minutes: true must be a whole number"),
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
        (
            "[sip]\nbalancers = ['192.0.2.5/24']",
            "sip.balancers[0]: '192.0.2.5/24' is not a network such as 192.0.2.0/24;"
            " did you mean 192.0.2.0/24?",
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


def test_a_table_that_is_there_twice_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "maskline.toml"
    path.write_text('[sip.tls]\nkey = "k"\n[log]\n[sip.tls]\nkey = "k"\n')
    with pytest.raises(SettingsError) as refused:
        settings.load(path)
    assert refused.value.faults == [
        "line 4: [sip.tls] is in the file already; write below that one"
    ]


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
    assert secrets_of((), path, "twilio.auth_token_file") == ("hush",)


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
