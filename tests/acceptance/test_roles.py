"""Processes with a role each over one PostgreSQL database, on one machine."""

import json
import os
import re
import signal
import subprocess
import sys
import tomllib
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
from acceptance.phones import BOTH_HOSTS, CALLED_HOST, SCENARIOS, Calls, play
from acceptance.service import READY_SECONDS, Service, free_port, running, until
from acceptance.test_leak import PROXY_NUMBER, open_session
from cluster import Cluster

from maskline.store.postgresql import PREPARING

ALICE = "+12065550100"


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, cluster: Cluster) -> str:
    """What the processes have in common."""
    key = tmp_path_factory.mktemp("key") / "store.key"
    return f'store.url = "{cluster.new_database()}"\nstore.key = "{key}"\n'


@pytest.fixture(scope="module")
def processes(
    settings: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Service, Service]]:
    """One that answers the API and one that carries calls, with a door for its health."""
    health = f'[health]\nlisten = "127.0.0.1:{free_port()}"\n'
    with ExitStack() as stack:
        started = []
        for role in ("api", "sip"):
            service = running(
                tmp_path_factory.mktemp(role),
                carrier_host=CALLED_HOST,
                sources=BOTH_HOSTS,
                more_settings=settings,
                sip_settings=health if role == "sip" else "",
                role=role,
            )
            started.append(next(service))
            stack.callback(next, service, None)
        yield started[0], started[1]


def test_each_does_its_own_part(processes: tuple[Service, Service]) -> None:
    api, sip = processes
    assert api.output.splitlines()[-1] == f"maskline ready: api {api.url}"
    assert api.processes() == []
    assert api.health() == (200, {"status": "up", "engines": {"store": "up"}})
    assert f" sip udp:{sip.sip}" in sip.output
    assert sip.health() == (0, {})  # not where the API would be
    place = re.search(r'\[health\]\nlisten = "(.+)"', sip.config.read_text())
    assert place
    with urllib.request.urlopen(f"http://{place[1]}/health") as answer:
        told = json.load(answer)
    engines = {"store": "up", "kamailio": "up", "rtpengine": "up"}
    assert told == {"status": "up", "engines": engines}
    assert not (sip.data / "credentials").exists()


def test_deleting_a_session_in_one_process_hangs_up_the_call_in_another(
    processes: tuple[Service, Service], tmp_path: Path
) -> None:
    api, sip = processes
    open_session(api)
    chime = api.client()
    with ThreadPoolExecutor() as threads:
        call = threads.submit(
            play, sip, tmp_path, SCENARIOS / "caller-hung-up.xml", SCENARIOS / "called.xml",
            PROXY_NUMBER, Calls(talk_milliseconds=0), "-key", "caller", ALICE,
        )  # fmt: skip
        until(lambda: [r for r in api.calls() if "AnsweredTimestamp" in r])
        (connector,) = chime.list_voice_connectors()["VoiceConnectors"]
        connector_id = connector["VoiceConnectorId"]
        (session,) = chime.list_proxy_sessions(VoiceConnectorId=connector_id)["ProxySessions"]
        assert session["Status"] == "InProgress"
        chime.delete_proxy_session(
            VoiceConnectorId=connector_id, ProxySessionId=session["ProxySessionId"]
        )
        assert call.result() == (0, 0), (tmp_path / "caller.errors").read_text()
    (record,) = until(lambda: [r for r in api.calls() if "EndedTimestamp" in r])
    assert record["EndedBy"] == "us"


def test_a_database_that_is_away_is_told(tmp_path: Path) -> None:
    cluster = Cluster()
    store = f'store.url = "{cluster.new_database()}"\nstore.key = "{tmp_path}/key"\n'
    service = Service(tmp_path, more_settings=store, role="api")
    try:
        service.start()
        assert service.health()[0] == 200
        cluster.stop()
        until(lambda: service.health()[0] == 503, 60)
        assert service.health()[1] == {"status": "down", "engines": {"store": "down"}}
    finally:
        cluster.stop()
        service.stop()


def test_a_start_that_waits_for_the_database_can_be_stopped(settings: str, tmp_path: Path) -> None:
    """Another process, or the server, stands still in the midst of a change of the schema."""
    service = Service(tmp_path, more_settings=settings, role="api")
    with psycopg.connect(tomllib.loads(settings)["store"]["url"], autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(%s)", (PREPARING,))
        service.launch()
        until(lambda: other.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchone())
        service.process.terminate()
        assert service.process.wait(READY_SECONDS) == 128 + signal.SIGTERM


def test_a_role_without_work_says_so(settings: str, tmp_path: Path) -> None:
    for service in running(tmp_path, more_settings=settings, role="sms"):
        assert service.output == "maskline ready: sms (no carrier for texts)\n"


def test_a_second_process_on_one_sqlite_file_is_refused(tmp_path: Path) -> None:
    shared = f'store.url = "sqlite:{tmp_path / "one.db"}"\n'
    folders = [tmp_path / name for name in ("first", "second")]
    for folder in folders:
        folder.mkdir()
    for _ in running(folders[0], more_settings=shared, role="api"):
        second = Service(folders[1], more_settings=shared, role="api")
        done = subprocess.run(
            [sys.executable, "-m", "maskline", "serve", "--config", second.config],
            env=os.environ, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 1
        assert "one process at a time" in done.stderr
        assert "PostgreSQL" in done.stderr
