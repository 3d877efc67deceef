"""Strangers who connect and never say anything whole, as the script sees them every few seconds."""

import json
from typing import Any

import KSR
import pytest
from fake_kamailio import ACME, OURS, STRANGER, Script, carrier

from maskline_sip import routes


def connection(number: int, **more: Any) -> dict[str, Any]:
    """One that a stranger made to us, as Kamailio lists it."""
    made = {"src_ip": STRANGER, "src_port": 4000, "dst_ip": OURS, "dst_port": 5060}
    return {"id": number, "type": "TLS", "state": "CONN_OK", "lifetime": 5, **made, **more}


def swept(
    script: Script, now: float, *listed: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> list[int]:
    """The connections that are closed then."""
    KSR.kamailio = script.kamailio
    script.kamailio.done.clear()
    script.kamailio.cells["$jsonrpl(body)"] = json.dumps({"result": [*listed]})
    monkeypatch.setattr(routes.time, "monotonic", lambda: now)
    assert script.routes.sweep(None) == 1
    assert "core.tcp_list" in script.kamailio.given("exec")[0][0]
    assert not script.kamailio.given("err")
    return [number for (number,) in script.kamailio.given("tcp_close_connection_id")]


def test_who_is_not_known_in_time_is_turned_out(monkeypatch: pytest.MonkeyPatch) -> None:
    script, known = Script(), {"monkeypatch": monkeypatch}
    first, second = connection(1), connection(2)
    assert swept(script, 100, **known) == []
    assert swept(script, 103, first, **known) == []
    assert swept(script, 112.9, first, second, **known) == []
    assert swept(script, 113, first, second, **known) == [1]
    assert swept(script, 122.9, second, connection(1, lifetime=600), **known) == [2]
    assert swept(script, 126, **known) == []
    assert swept(script, 140, second, **known) == []  # another one, of which nothing was kept


@pytest.mark.parametrize(
    "more",
    [
        {"lifetime": 77}, {"dst_port": 43210}, {"src_ip": ACME}, {"src_ip": "192.0.2.77"},
    ],
)  # fmt: skip
def test_others_stay(more: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever was heard, is reached by us, is a carrier by its address, or a balancer."""
    script = Script(balancers=["192.0.2.77/32"], carriers=[carrier("acme", ACME)])
    for now in (0, 50, 100):
        assert swept(script, now, connection(1, **more), monkeypatch=monkeypatch) == []


def test_a_list_that_cannot_be_read_is_told_without_its_words(script: Script) -> None:
    script.kamailio.cells["$jsonrpl(body)"] = "x"
    assert script.routes.sweep(None) == 1
    ((line,),) = script.kamailio.given("err")
    assert line.startswith("not swept: JSONDecodeError ")
