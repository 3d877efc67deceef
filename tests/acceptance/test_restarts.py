"""`kill -9` of each part while calls run: it comes back, no session is lost, no call hangs, every
record is completed."""

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from acceptance.phones import BOTH_HOSTS, CALLED_HOST, SCENARIOS, Calls, play
from acceptance.service import Service, running, until
from acceptance.test_leak import PROXY_NUMBER, open_session

ALICE = "+12065550100"
CALLS = 50
CALLER, CALLED, HUNG_UP = (
    SCENARIOS / f"{name}.xml" for name in ("caller", "called", "caller-hung-up")
)

pytestmark = pytest.mark.xdist_group("restarts")


@pytest.fixture
def masked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("restarts")
    for service in running(folder, carrier_host=CALLED_HOST, sources=BOTH_HOSTS):
        open_session(service)
        yield service


def records(service: Service) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = service.maskline("admin", "list-calls")["Calls"]
    return found


def count(service: Service, name: str) -> int:
    return sum(f"{name}Timestamp" in record for record in records(service))


def running_calls(
    threads: ThreadPoolExecutor, service: Service, folder: Path, scenario: Path, seconds: int
) -> "Future[tuple[int, int | None]]":
    """Fifty calls, all of them answered when this returns."""
    load = Calls(CALLS, per_second=50, talk_milliseconds=1000 * seconds, seconds=60)
    future = threads.submit(
        play, service, folder, scenario, CALLED, PROXY_NUMBER, load, "-key", "caller", ALICE
    )
    until(lambda: count(service, "Answered") == CALLS, 20)
    time.sleep(0.5)  # the last ACK
    return future


def sessions(service: Service) -> list[str]:
    chime = service.client()
    (connector,) = chime.list_voice_connectors()["VoiceConnectors"]
    found = chime.list_proxy_sessions(VoiceConnectorId=connector["VoiceConnectorId"])
    return [session["ProxySessionId"] for session in found["ProxySessions"]]


def back_within_five_seconds(service: Service, dead: str) -> None:
    until(lambda: service.health()[0] == 200 and service.engine_pid(dead) != 0, 5)


def test_calls_outlive_kamailio(masked: Service, tmp_path: Path) -> None:
    before = sessions(masked)
    with ThreadPoolExecutor() as threads:
        calls = running_calls(threads, masked, tmp_path, CALLER, 6)
        killed = masked.engine_pid("kamailio")
        os.kill(killed, signal.SIGKILL)
        until(lambda: masked.engine_pid("kamailio") != killed, 5)
        back_within_five_seconds(masked, "kamailio")
        assert calls.result() == (0, 0), (tmp_path / "caller.errors").read_text()
    until(lambda: count(masked, "Ended") == CALLS)
    assert {record["EndedBy"] for record in records(masked)} == {"caller"}
    assert sessions(masked) == before


def test_calls_without_sound_are_ended_for_both(masked: Service, tmp_path: Path) -> None:
    before = sessions(masked)
    with ThreadPoolExecutor() as threads:
        calls = running_calls(threads, masked, tmp_path, HUNG_UP, 0)
        killed = masked.engine_pid("rtpengine")
        os.kill(killed, signal.SIGKILL)
        until(lambda: masked.engine_pid("rtpengine") != killed, 5)
        back_within_five_seconds(masked, "rtpengine")
        assert calls.result() == (0, 0), (tmp_path / "caller.errors").read_text()
    until(lambda: count(masked, "Ended") == CALLS)
    assert {record["EndedBy"] for record in records(masked)} == {"us"}
    assert sessions(masked) == before


def test_a_killed_service_ends_what_it_left(masked: Service, tmp_path: Path) -> None:
    before = sessions(masked)
    with ThreadPoolExecutor() as threads:
        calls = running_calls(threads, masked, tmp_path, HUNG_UP, 0)
        masked.kill()
        masked.start()
        assert calls.result() == (0, 0), (tmp_path / "caller.errors").read_text()
    until(lambda: count(masked, "Ended") == CALLS)
    assert sessions(masked) == before
