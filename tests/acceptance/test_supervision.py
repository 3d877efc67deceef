"""Whatever is killed comes back, nothing is left behind, no session and no record is lost."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from acceptance.service import Service, running, until
from acceptance.switch import Switch
from connectors import open_connector

ANN, BEN, PROXY = "+12065550100", "+14015550101", "+19135550199"
ENGINES = ("kamailio", "rtpengine")
ENGINES_UP = {"store": "up", "kamailio": "up", "rtpengine": "up"}


def healthy(service: Service) -> bool:
    return service.health()[0] == 200


def open_session(service: Service) -> dict[str, Any]:
    """A session between Ann and Ben; what names it in a request."""
    service.import_numbers("acme", PROXY)
    client = service.client()
    connector = open_connector(client)
    session = client.create_proxy_session(
        VoiceConnectorId=connector,
        ParticipantPhoneNumbers=[ANN, BEN],
        Capabilities=["Voice"],
    )["ProxySession"]
    return {name: session[name] for name in ("VoiceConnectorId", "ProxySessionId")}


def status(service: Service, session: dict[str, Any]) -> str:
    read = service.client().get_proxy_session(**session)["ProxySession"]
    return str(read["Status"])


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    yield from running(tmp_path_factory.mktemp("supervision"))


@pytest.fixture
def revived(shared: Service) -> Iterator[Service]:
    """A service that is well, and is again after each test that kills some of it."""
    until(lambda: healthy(shared))
    yield shared
    shared.close_sessions()


@pytest.mark.parametrize("engine", ENGINES)
def test_a_killed_engine_comes_back(revived: Service, engine: str) -> None:
    code, body = revived.health()
    assert (code, body["engines"]) == (200, ENGINES_UP)
    victim = revived.engine_pid(engine)
    group = [pid for pid in revived.processes() if os.getpgid(pid) == victim]
    os.kill(victim, signal.SIGKILL)
    code, body = until(lambda: down(revived))
    assert body["engines"][engine] != "up"
    until(lambda: healthy(revived))
    assert revived.engine_pid(engine) != victim
    assert not set(group) & set(revived.processes())


def down(service: Service) -> tuple[int, dict[str, Any]] | None:
    answer = service.health()
    return answer if answer[0] == 503 else None


@pytest.mark.parametrize("engine", ENGINES)
def test_an_engine_that_hangs_is_replaced(revived: Service, engine: str) -> None:
    victim = revived.engine_pid(engine)
    os.killpg(victim, signal.SIGSTOP)
    until(lambda: down(revived))
    until(lambda: healthy(revived), 20)
    assert revived.engine_pid(engine) != victim


def test_kamailio_loses_no_worker_alone(revived: Service) -> None:
    """Kamailio ends when one of its processes dies; then all of it is started again."""
    main = revived.engine_pid("kamailio")
    worker = int(Path(f"/proc/{main}/task/{main}/children").read_text().split()[0])
    os.kill(worker, signal.SIGKILL)
    until(lambda: revived.engine_pid("kamailio") not in (main, 0))
    until(lambda: healthy(revived))


def test_a_killed_service_comes_back(revived: Service) -> None:
    session = open_session(revived)
    for _ in range(2):
        killed = revived.pid
        os.kill(killed, signal.SIGKILL)
        until(lambda killed=killed: revived.pid not in (killed, 0), revived.soon)
        until(lambda: healthy(revived), revived.soon)
    assert status(revived, session) == "Open"


def test_nothing_outlives_a_killed_service(revived: Service) -> None:
    session = open_session(revived)
    call_id = Switch(revived.data / "run" / "switch.sock").call(ANN, PROXY)
    until(lambda: status(revived, session) == "InProgress")
    revived.kill()
    until(lambda: revived.processes() == [])
    revived.start()
    assert until(lambda: ended(revived, call_id))["EndedBy"] == "us"
    assert status(revived, session) == "Open"


def ended(service: Service, call_id: str) -> dict[str, Any] | None:
    of_id = (
        call for call in service.calls() if call["CallId"] == call_id and "EndedTimestamp" in call
    )
    return next(of_id, None)


def test_a_killed_service_can_be_started_at_once(revived: Service) -> None:
    """What its leashes have not ended yet, the next start ends."""
    for _ in range(2):
        revived.kill()
        revived.start()
    assert healthy(revived)


def test_nothing_outlives_a_killed_leash_either(revived: Service) -> None:
    """Service and leashes die at the same moment; the next start finds what is left."""
    leashes = Path(f"/proc/{revived.pid}/task").glob("*/children")
    for leash in " ".join(path.read_text() for path in leashes).split():
        os.kill(int(leash), signal.SIGKILL)
    revived.kill()
    revived.start()
    assert healthy(revived)


def test_a_call_whose_sound_is_gone_is_ended(revived: Service) -> None:
    session = open_session(revived)
    call_id = Switch(revived.data / "run" / "switch.sock").call(ANN, PROXY)
    assert until(lambda: ended(revived, call_id), 20)["EndedBy"] == "us"
    assert status(revived, session) == "Open"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_is_clean(own_service: Service, number: signal.Signals) -> None:
    own_service.process.send_signal(number)
    assert own_service.process.wait(20) == 0
    assert own_service.processes() == []
    assert "Traceback" not in own_service.log


def refused(service: Service) -> str:
    """What a service that does not start says."""
    service.launch()
    assert service.process.wait(20) == 1
    assert service.output == ""
    return service.log


@pytest.mark.parametrize(
    ("setting", "kind", "name"),
    [
        ("api.listen", socket.SOCK_STREAM, "TCP"),
        ("sip.listen", socket.SOCK_DGRAM, "UDP"),
        ("sip.listen", socket.SOCK_STREAM, "TCP"),
    ],
)
def test_a_taken_port_is_named(
    tmp_path: Path, setting: str, kind: socket.SocketKind, name: str
) -> None:
    service = Service(tmp_path)
    port = service.api_port if setting == "api.listen" else service.sip_port
    with socket.socket(socket.AF_INET, kind) as other:
        other.bind(("127.0.0.1", port))
        if kind is socket.SOCK_STREAM:
            other.listen()
        told = refused(service)
    assert f"{setting}: cannot use {name} port {port} of 127.0.0.1: " in told
    assert "Traceback" not in told


def test_two_services_do_not_share_a_data_directory(revived: Service) -> None:
    folder = revived.folder / "other"
    folder.mkdir()
    second = Service(folder)
    second.config.write_text(second.config.read_text().replace('"data"', f'"{revived.data}"'))
    assert "data_dir: another Maskline is running" in refused(second)
    assert healthy(revived)


def test_a_wrong_setting_is_named(tmp_path: Path) -> None:
    service = Service(tmp_path, more_settings="max_sesion_minutes = 5\n")
    told = refused(service)
    assert f"{service.config}: line 1: max_sesion_minutes: no such setting; did you mean" in told


def test_a_broken_database_is_named(tmp_path: Path) -> None:
    service = Service(tmp_path)
    service.data.mkdir()
    (service.data / "maskline.db").write_bytes(b"not a database at all" * 1000)
    assert "store.url: cannot use sqlite:" in refused(service)


def test_the_first_start_tells_how_to_use_it(own_service: Service) -> None:
    key, secret = own_service.credentials
    output = own_service.output
    assert str(own_service.data / "credentials") in output
    assert secret not in output
    assert key not in own_service.log
    for path in ("credentials", "mask.key", "maskline.db", "maskline.db.key"):
        assert (own_service.data / path).stat().st_mode & 0o077 == 0, path
    assert [line for line in output.splitlines() if line.startswith("maskline ready")] == [
        f"maskline ready: api {own_service.url} sip udp:{own_service.sip} tcp:{own_service.sip}"
        f" media 127.0.0.1:{media(own_service)} sms (no carrier for texts)"
    ]


def media(service: Service) -> str:
    line = next(line for line in service.config.read_text().split("\n") if line.startswith("ports"))
    return line.split('"')[1]


def test_the_next_start_keeps_the_account(own_service: Service) -> None:
    before = own_service.credentials
    assert own_service.stop() == 0
    own_service.start()
    assert own_service.credentials == before
    assert "credentials" not in own_service.output
    own_service.client().list_voice_connectors()


def test_without_a_settings_file_one_is_written(tmp_path: Path) -> None:
    config = tmp_path / "maskline.toml"
    environment = os.environ | {"PATH": str(tmp_path)}  # no engine is found, so it ends at once
    done = subprocess.run(
        [sys.executable, "-m", "maskline", "serve", "--config", config],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "has been written with the defaults" in done.stdout
    assert "[[carriers]]" in config.read_text()
