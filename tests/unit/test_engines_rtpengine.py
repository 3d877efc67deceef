"""What rtpengine is told: it ends no call before the control plane would."""

import os
from pathlib import Path

import pytest

from maskline.engines import rtpengine
from maskline.engines.ground import Runner
from maskline.engines.ng import NgClient
from maskline.model import load
from maskline.settings import Address, parse


def test_it_waits_as_long_as_any_connector_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connector's rules may allow more than the service's settings do."""
    ourselves = Runner("me", os.geteuid(), os.getegid())
    monkeypatch.setattr(rtpengine.Runner, "named", lambda *_: ourselves)
    settings = parse({"max_ring_seconds": 5, "max_call_minutes": 1})
    control = Address("127.0.0.1", 9)
    own, spool = tmp_path / "own", tmp_path / "spool"
    program = rtpengine.program(settings, own, spool, control, NgClient(control))
    told = dict(one.split("=", 1) for one in program.command if one.startswith("--") and "=" in one)
    rules = load("maskline").operations["PutVoiceConnectorRules"].input.members
    for name, rule in (
        ("--offer-timeout", rules["MaxRingSeconds"]),
        ("--timeout", rules["MaxRingSeconds"]),
        ("--final-timeout", rules["MaxCallSeconds"]),
        ("--silent-timeout", rules["MaxCallSeconds"]),
    ):
        assert rule.max
        assert rule.max < int(told[name]) <= rule.max + 60
    assert told["--software-id"] == "maskline"  # its version is nobody's business
