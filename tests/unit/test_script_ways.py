"""Where a next hop leads to, as the script reads it, however it is written."""

import importlib
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from maskline_sip.settings import Settings

MODULES = ("maskline_sip.tables", "maskline_sip.ways")


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setitem(sys.modules, "KSR", SimpleNamespace())  # type: ignore[arg-type]
    for name in MODULES:
        monkeypatch.delitem(sys.modules, name, raising=False)
    module = importlib.import_module("maskline_sip.ways")
    for name in MODULES:
        monkeypatch.delitem(sys.modules, name)
    return module


class Listening:
    """Settings of a node, whose carrier is at an address without a port."""

    listeners = (("udp", "192.0.2.1:5060"), ("tls", "[2001:db8::1]:5061"), ("ws", "192.0.2.1:80"))
    marked: dict[str, Any] = {}  # noqa: RUF012
    may_be_at = Settings.may_be_at


@pytest.mark.parametrize(
    "hop",
    [
        "sip:192.0.2.1", "sip:ann@192.0.2.1:05060", "sip:192.0.2.1?Subject=x",
        "sip:[::ffff:192.0.2.1]",
        "sip:[2001:DB8:0:0::1];transport=tls", "sips:[2001:db8::1]", "sip:192.0.2.1;transport=ws",
        "sip:192.0.2.1:80;transport=TCP",
    ],
)  # fmt: skip
def test_our_own_addresses_are_known_however_they_are_written(ways: ModuleType, hop: str) -> None:
    with pytest.raises(ways.NoWay, match="our own"):
        ways.Ways(Listening()).check(hop, "")


def test_others_are_none_of_ours(ways: ModuleType) -> None:
    for hop in ("sip:192.0.2.1:5062", "sip:192.0.2.1;transport=tls", "sip:[2001:db8::2]"):
        ways.Ways(Listening()).check(hop, "")


@pytest.mark.parametrize("host", ["127.0.0.1", "::ffff:127.0.0.1", "127.1"])
def test_who_is_nearby_is_spoken_to_where_it_spoke_from_alone(ways: ModuleType, host: str) -> None:
    hop = f"sip:[{host}]" if ":" in host else f"sip:{host}"
    with pytest.raises(ways.NoWay, match="this machine"):
        ways.Ways(Listening()).check(hop, "")
    ways.Ways(Listening()).check(hop, "", flow=hop)
