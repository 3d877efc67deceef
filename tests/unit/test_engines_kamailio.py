"""What is rendered for Kamailio: its configuration, what its script reads, who may read it."""

import json
import os
import re
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from maskline.engines import kamailio
from maskline.engines.control import ControlLine
from maskline.engines.ground import Runner
from maskline.engines.kamailio import Surroundings, script_folder
from maskline.engines.secrets import mask_keys
from maskline.engines.supervision import Program
from maskline.settings import (
    Address,
    Carrier,
    CarrierSip,
    Endpoint,
    Host,
    Listener,
    Network,
    Origin,
    Settings,
    Source,
)
from maskline.settings.schema import Media, Sip
from maskline_sip.settings import Settings as ScriptSettings

SETTINGS = Settings(
    sip=Sip(
        listen=(
            Listener("udp", Address("192.0.2.1", 5060)),
            Listener("tcp", Address("2001:db8::1", 5062)),
        ),
        advertise=(Listener("udp", Address("203.0.113.5", 5060)),),
        balancers=(Network("192.0.2.9/32"),),
        websocket_origins=(Origin("https://phone.example"),),
    ),
    media=Media(address=Host("192.0.2.1")),
    carriers=(
        Carrier(
            name="acme",
            sip=CarrierSip(
                address=Endpoint("192.0.2.20", 5080),
                transport="tcp",
                sources=(Source("192.0.2.20/32"), Source("2001:db8::/64")),
            ),
        ),
    ),
)


@pytest.fixture(autouse=True)
def ourselves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rendering does not depend on the users of this system."""
    runner = Runner("me", os.geteuid(), os.getegid())
    monkeypatch.setattr(kamailio.Runner, "named", lambda *_: runner)


def rendered(run: Path, settings: Settings = SETTINGS) -> Program:
    around = Surroundings(
        directory=run / "kamailio",
        switch_socket=run / "switch.sock",
        control=Address("127.0.0.1", 4000),
        rtpengine=Address("127.0.0.1", 5000),
        mask_keys=mask_keys(run / "mask.key"),
        node="0123abcd",
        others=run / "nodes.json",
    )
    return kamailio.program(settings, around, ControlLine(Address("192.0.2.1", 5060)))


def known(run: Path) -> dict[str, object]:
    read: dict[str, object] = json.loads((run / "kamailio" / "settings.json").read_text())
    return read


def test_an_address_of_two_carriers_is_that_of_the_narrower_network(tmp_path: Path) -> None:
    """Whichever stands first in the file."""
    wide, narrow = (Source("192.0.2.0/24"),), (Source("192.0.2.20/32"), Source("198.51.100.1/32"))
    for order in ((wide, narrow), (narrow, wide)):
        carriers = tuple(
            Carrier(
                name="narrow" if sources is narrow else "wide",
                sip=CarrierSip(
                    address=Endpoint("192.0.2.20", 5080), transport="tcp", sources=sources
                ),
            )
            for sources in order
        )
        rendered(tmp_path, replace(SETTINGS, carriers=carriers))
        script = ScriptSettings.load(str(tmp_path / "kamailio" / "settings.json"))
        assert script.carrier_at("192.0.2.20", "tcp") == "narrow"
        assert script.carrier_at("192.0.2.20", "udp") == "narrow"
        assert script.carrier_at("192.0.2.21", "tcp") == "wide"


def test_the_configuration_listens_where_the_settings_say(tmp_path: Path) -> None:
    program = rendered(tmp_path)
    text = (tmp_path / "kamailio" / "kamailio.cfg").read_text()
    assert "\nlisten=udp:192.0.2.1:5060\nlisten=tcp:[2001:db8::1]:5062\n" in text
    assert str(tmp_path / "kamailio" / "script" / "script.py") in text
    assert "${" not in text
    assert str(tmp_path / "kamailio" / "kamailio.cfg") in program.command


def test_the_script_reads_what_it_must_know(tmp_path: Path) -> None:
    program = rendered(tmp_path)
    assert program.environment["MASKLINE_SIP_SETTINGS"] == str(
        tmp_path / "kamailio" / "settings.json"
    )
    read = known(tmp_path)
    marks = [str(read.pop(name)) for name in ("secret", "local", "salt")]
    assert len(set(marks)) == 3
    text = (tmp_path / "kamailio" / "kamailio.cfg").read_text()
    assert all(mark in text for mark in marks)
    del read["keys"]
    assert read == {
        "own_hosts": ["192.0.2.1:5060", "[2001:db8::1]:5062", "192.0.2.1"],
        "current_key": "a",
        "switch_socket": str(tmp_path / "switch.sock"),
        "listen": ["udp:192.0.2.1:5060", "tcp:[2001:db8::1]:5062"],
        "advertise": ["udp:203.0.113.5:5060"],
        "balancers": ["192.0.2.9/32"],
        "websocket_origins": ["https://phone.example"],
        "node": "0123abcd",
        "known_seconds": 600,
        "stranger_seconds": 5,
        "most_strange": 60,
        "others": str(tmp_path / "nodes.json"),
        "reserve": 2**30 // 3,
        "control": "127.0.0.1:4000",
        "media_control": "127.0.0.1:5000",
        "named_sources": False,
        "media_addresses": ["192.0.2.1"],
        "carriers": [
            {
                "name": "acme",
                "address": "192.0.2.20:5080",
                "transports": ["tcp"],
                "messages": False,
                "sources": ["192.0.2.20/32", "2001:db8::/64"],
                "srtp": "off",
                "tls_profile": "default",
                "tls_names": [],
                "domain": None,
                "register": False,
                "username": None,
                "realm": None,
                "password": None,
                "inbound_username": None,
                "inbound_password": None,
                "inbound_password_always": False,
                "identity": [],
                "codecs": [],
            }
        ],
    }


def test_who_is_known_is_known_without_the_script() -> None:
    control = Address("127.0.0.1", 4000)
    known = '"" + $si + ":" + $sp == "127.0.0.1:4000" || src_ip == 192.0.2.9/32'
    known += " || src_ip == 192.0.2.20/32 || src_ip == 2001:db8::/64"
    assert kamailio.known_sources(SETTINGS, control) == known
    named = replace(SETTINGS.trunks["acme"], sources=(Source.parse("calls.acme.example"),))
    by_name = replace(SETTINGS, carriers=(Carrier(name="acme", sip=named),))
    known = '"" + $si + ":" + $sp == "127.0.0.1:4000" || src_ip == 192.0.2.9/32'
    known += " || $sht(sources=>$si) != $null"
    assert kamailio.known_sources(by_name, control) == known


def test_connections_that_are_made_to_us_are_told_by_our_ports() -> None:
    assert kamailio.accepted(SETTINGS) == "dst_port == 5060 || dst_port == 5062"


def test_the_secret_is_new_at_each_start_and_the_mask_keys_stay(tmp_path: Path) -> None:
    rendered(tmp_path)
    first = known(tmp_path)
    rendered(tmp_path)
    second = known(tmp_path)
    assert first["secret"] != second["secret"]
    assert first["keys"] == second["keys"]


def test_nobody_else_can_read_any_of_it(tmp_path: Path) -> None:
    rendered(tmp_path)
    for path in [tmp_path / "kamailio", *(tmp_path / "kamailio").rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_the_script_is_copied_whole(tmp_path: Path) -> None:
    rendered(tmp_path)
    script = tmp_path / "kamailio" / "script"
    names = {path.relative_to(script_folder()) for path in script_folder().rglob("*.py")}
    assert names
    assert {path.relative_to(script) for path in script.rglob("*.py")} == names


def test_a_version_that_is_installed_meanwhile_changes_no_script(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kamailio that is started again still runs that of the process that started it."""
    rendered(tmp_path)
    before = kamailio.script_in(tmp_path / "kamailio" / "script")
    later = tmp_path / "later"
    later.mkdir()
    (later / "script.py").write_text("raise SystemExit")
    (later / "kamailio.cfg.template").write_text("")
    monkeypatch.setattr(kamailio, "script_folder", lambda: later)
    rendered(tmp_path)
    assert kamailio.script_in(tmp_path / "kamailio" / "script") == before


def test_a_websockets_pings_do_not_tell_what_we_are() -> None:
    """As they would by default."""
    spoken = replace(SETTINGS, sip=Sip(listen=(Listener("ws", Address("192.0.2.1", 80)),)))
    assert 'modparam("websocket", "ping_application_data", "ping")' in kamailio.more_lines(spoken)


@pytest.mark.parametrize("mebibytes", [32, 256, 1024])
def test_connections_leave_memory_to_calls(tmp_path: Path, mebibytes: int) -> None:
    """Each has a buffer of its own there."""
    rendered(tmp_path, replace(SETTINGS, sip=replace(SETTINGS.sip, memory_mebibytes=mebibytes)))
    text = (tmp_path / "kamailio" / "kamailio.cfg").read_text()
    found = dict(re.findall(r"^(tcp_rd_buf_size|tcp_max_connections)=(\d+)$", text, re.MULTILINE))
    taken = int(found["tcp_max_connections"]) * int(found["tcp_rd_buf_size"])
    assert mebibytes * 2**20 / 5 < taken < mebibytes * 2**20 / 3
