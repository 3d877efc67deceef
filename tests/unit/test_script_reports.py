"""What cannot be told of a call, since the control plane does not read, is told later: without its
answer a call would have no longest duration, and its record would not know of it."""

import json
import socket
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fake_kamailio import ACME, CALL, OFFER, Script, answered, invite, loaded, reply

from maskline_sip.switch import Switch, SwitchDown

OPTIONS = invite(method="OPTIONS", uri="sip:192.0.2.100", to="<sip:192.0.2.100>", body=b"")


@pytest.fixture
def clock(script: Script, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the script takes for the time that has passed."""
    now = [1000.0]
    told = SimpleNamespace(monotonic=lambda: now[0], time=time.time)
    monkeypatch.setattr(loaded("reports", script.kamailio), "time", told)
    return now


def told(script: Script) -> list[str]:
    return [one["Event"] for one in script.control.events()]


def test_an_answer_that_cannot_be_told_is_told_later(script: Script, clock: list[float]) -> None:
    script.control.fault = SwitchDown("silent")
    call = answered(script)
    assert call.anns.status == 200
    script.request(*call.by("caller", "BYE"))
    assert script.relayed
    script.request(OPTIONS, ACME)
    assert told(script) == []
    script.control.fault = None
    script.request(OPTIONS, ACME)
    assert told(script) == []  # not at every message: it might have to wait each time
    clock[0] += 1.0
    script.request(OPTIONS, ACME)
    assert script.answered == [200]
    assert told(script) == ["Answered", "Ended"]
    assert len(script.control.told[0][1]["Legs"]) == 2
    clock[0] += 1.0
    script.request(OPTIONS, ACME)
    assert told(script) == ["Answered", "Ended"]


def test_a_reply_reminds_a_worker_too_and_news_come_behind(
    script: Script, clock: list[float]
) -> None:
    script.request(invite())
    sent = script.sent
    script.control.fault = SwitchDown("silent")
    script.reply(reply(sent, 180))
    script.control.fault = None
    script.reply(reply(sent, 200, body=OFFER))
    assert told(script) == []
    clock[0] += 1.0
    script.reply(reply(sent, 200, body=OFFER))
    assert told(script) == ["Ringing", "Answered"]


def test_of_too_many_that_cannot_be_told_the_latest_are_kept(
    script: Script, clock: list[float]
) -> None:
    reports = script.routes.reports
    most = loaded("reports", script.kamailio).MOST_UNTOLD
    script.control.fault = SwitchDown("silent")
    for number in range(most + 2):
        reports.report(f"{CALL}{number}", "Ringing")
    assert len(script.kamailio.given("info")) == 1  # not for each that is kept
    assert len(script.kamailio.given("err")) == 2
    script.control.fault = None
    clock[0] += 1.0
    reports.catch_up()
    assert [one["CallId"] for one in script.control.events()] == [
        f"{CALL}{number}" for number in range(2, most + 2)
    ]


def test_nothing_is_lost_of_what_is_told_to_who_does_not_read_for_a_while(
    script: Script, clock: list[float], tmp_path: Path
) -> None:
    path = str(tmp_path / "switch.sock")
    leg = {"From": "x" * 500}
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
        door.bind(path)
        door.listen()
        switch = Switch(path, timeout=60)
        reports = loaded("reports", script.kamailio).Reports(None, switch)

        def tell() -> None:
            for number in range(200):
                clock[0] += 0.1
                reports.report(f"{CALL}{number}", "Answered", Legs=[leg, leg])

        teller = threading.Thread(target=tell, daemon=True)
        teller.start()
        teller.join(20)
        assert not teller.is_alive()  # as a question would be, which is waited for
        clock[0] += 1.0
        reports.catch_up()
        switch._reports.close()
        assert len(script.kamailio.given("info")) > 1
        heard = [one["input"]["CallId"] for one in read(door)]
    assert heard == [f"{CALL}{number}" for number in range(200)]


def read(door: socket.socket) -> list[dict[str, Any]]:
    """All that was said by those who wait at a door, and are gone."""
    door.settimeout(0)
    said = []
    while True:
        try:
            connection, _ = door.accept()
        except BlockingIOError:
            return said
        connection.setblocking(True)
        with connection, connection.makefile() as lines:
            said += [json.loads(line) for line in lines]
