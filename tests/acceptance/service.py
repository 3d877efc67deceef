"""A whole Maskline on free loopback ports, in a directory of its own: the real service, the real
Kamailio, the real rtpengine."""

import configparser
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from ports import free_port, process_number

from maskline.cli.client import Client
from maskline.cli.signer import AccessKey
from maskline.cli.wire import Request

READY_SECONDS = 60.0
PATIENCE = 30.0  # seconds for what must come, on a machine that may be slow and has more to do
MEDIA_PORTS = 2000  # for each service; 500 calls

SETTINGS = """\
data_dir = "data"
[api]
listen = "{api}"
public_url = "http://{api}"
max_requests_per_second = 100000
max_account_requests_per_second = 100000
[sip]
listen = ["udp:{sip}", "tcp:{sip}"{listen}]
{sip_settings}
[media]
address = "127.0.0.1"
second_address = "::1"
ports = "{first}-{last}"
[log]
format = "json"
level = "{log_level}"
[[carriers]]
name = "{name}"
[carriers.sip]
address = "{carrier}"
transport = "{transport}"
sources = ["{sources}"]
{carrier_settings}
"""


def media_ports() -> tuple[int, int]:
    """A range of its own for each of the processes that tests run in, below ephemeral ports."""
    first = 12_000 + process_number() * MEDIA_PORTS
    return first, first + MEDIA_PORTS - 1


def until(true: Callable[[], Any], seconds: float = PATIENCE, what: str = "") -> Any:
    """Waits for a truth and gives it; when it does not come, an AssertionError says for what."""
    deadline = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < deadline, f"waited in vain {what and 'for ' + what}"
        time.sleep(0.02)
    return found


@dataclass
class Service:
    """`carrier` is where the service sends calls and expects them from: the test's to bind."""

    folder: Path
    transport: str = "udp"
    carrier_name: str = "acme"
    carrier_host: str = "127.0.0.1"
    sources: str = "127.0.0.1/32"
    api_port: int = field(default_factory=free_port)
    sip_port: int = field(default_factory=free_port)
    carrier_port: int = field(default_factory=free_port)
    more_settings: str = ""
    media_ports: tuple[int, int] = field(default_factory=media_ports)
    listen: tuple[str, ...] = ()
    sip_settings: str = ""
    carrier_settings: str = ""
    log_level: str = "info"
    role: str = "all"
    more_environment: dict[str, str] = field(default_factory=dict)
    start_seconds: float = 0.0  # that its first start took

    def __post_init__(self) -> None:
        first, last = self.media_ports
        text = SETTINGS.format(
            api=f"127.0.0.1:{self.api_port}",
            sip=self.sip,
            name=self.carrier_name,
            carrier=self.carrier,
            transport=self.transport,
            sources=self.sources,
            first=first,
            last=last,
            listen="".join(f', "{listener}"' for listener in self.listen),
            sip_settings=self.sip_settings,
            carrier_settings=self.carrier_settings,
            log_level=self.log_level,
        )
        self.config.write_text(self.more_settings + text)

    @property
    def config(self) -> Path:
        return self.folder / "maskline.toml"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.api_port}"

    @property
    def sip(self) -> str:
        return f"127.0.0.1:{self.sip_port}"

    @property
    def carrier(self) -> str:
        host = f"[{self.carrier_host}]" if ":" in self.carrier_host else self.carrier_host
        return f"{host}:{self.carrier_port}"

    @property
    def output(self) -> str:
        """What the service printed since its last start."""
        return (self.folder / "output").read_text()

    @property
    def log(self) -> str:
        """What all its starts have logged."""
        return (self.folder / "log").read_text()

    def launch(self) -> None:
        """Starts the service without waiting for it."""
        with (self.folder / "output").open("wb") as output, (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "maskline", "serve"),
                    *("--role", self.role, "--config", str(self.config)),
                ],
                env=os.environ | self.more_environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=log,
            )

    def start(self) -> None:
        """Starts the service and waits until it is ready."""
        began = time.monotonic()
        self.launch()
        until(lambda: self.ready or self.process.poll() is not None, READY_SECONDS)
        assert self.process.poll() is None, self.log
        self.start_seconds = self.start_seconds or time.monotonic() - began

    @property
    def soon(self) -> float:
        """Seconds within which what was killed is back: five, or more where a start takes long."""
        return max(5.0, 2 * self.start_seconds)

    @property
    def ready(self) -> bool:
        return any(line.startswith("maskline ready") for line in self.output.splitlines())

    def stop(self) -> int:
        """Stops the service as a system does; its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(READY_SECONDS)

    def kill(self) -> None:
        """`kill -9` of the service and of the guard that would start it again."""
        served = self.pid
        self.process.kill()
        self.process.wait()
        until(lambda: not Path(f"/proc/{served}").exists())

    @property
    def pid(self) -> int:
        """The process that serves, below its guard."""
        guard = self.process.pid
        return int(Path(f"/proc/{guard}/task/{guard}/children").read_text() or 0)

    def engine_pid(self, engine: str) -> int:
        """The main process of an engine, 0 while it is being started."""
        try:
            return int((self.data / "run" / engine / "pid").read_text() or 0)
        except FileNotFoundError:
            return 0

    def processes(self) -> list[int]:
        """Every process of its engines, by the mark that all of them carry."""
        mark = f"MASKLINE_RUN={(self.data / 'run').resolve()}/".encode()
        return [int(path.name) for path in Path("/proc").glob("[0-9]*") if carries(path, mark)]

    def health(self) -> tuple[int, dict[str, Any]]:
        """Status and body of GET /health; (0, {}) when nobody answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.api_port, timeout=10)
        try:
            connection.request("GET", "/health")
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        except OSError:
            return 0, {}
        finally:
            connection.close()

    @property
    def credentials(self) -> tuple[str, str]:
        """Access key id and secret of the first start."""
        file = configparser.ConfigParser(interpolation=None)
        file.read(self.data / "credentials")
        profile = file["default"]
        return profile["aws_access_key_id"], profile["aws_secret_access_key"]

    @property
    def environment(self) -> dict[str, str]:
        """What makes every AWS client, and ours, talk to this service."""
        kept = {name: text for name, text in os.environ.items() if not name.startswith("AWS_")}
        return kept | {
            "AWS_SHARED_CREDENTIALS_FILE": str(self.data / "credentials"),
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    def maskline(self, *arguments: str) -> Any:
        """What the command line prints, read as JSON; it must succeed."""
        done = subprocess.run(
            [sys.executable, "-m", "maskline", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None

    def ask(self, method: str, path: str, content: Any = None, **query: str) -> Any:
        """What the operator is answered. Tests ask many things until they are so, and a program of
        its own for each question would take the processor from what they wait for."""
        target = f"{path}?{urlencode(query, quote_via=quote)}" if query else path
        body = b"" if content is None else json.dumps(content).encode()
        kind = {"Content-Type": "application/json"} if body else {}
        client = Client(self.url, "us-east-1", AccessKey(*self.credentials))
        answer = client.send(Request(method, target, kind, body))
        assert answer.status in (200, 201), answer.body
        return json.loads(answer.body)

    def import_numbers(self, carrier: str, *numbers: str, shared: bool = True) -> None:
        content = {"CarrierName": carrier, "E164PhoneNumbers": numbers, "Shared": shared}
        answer = self.ask("POST", "/admin/phone-numbers/import", content)
        assert answer == {"PhoneNumberErrors": []}

    def calls(self) -> list[dict[str, Any]]:
        """The records of calls, the newest first."""
        found: list[dict[str, Any]] = self.ask("GET", "/admin/calls")["Calls"]
        return found

    def messages(self) -> list[dict[str, Any]]:
        """The records of texts, the newest first."""
        found: list[dict[str, Any]] = self.ask("GET", "/admin/messages")["Messages"]
        return found

    def carriers(self) -> list[dict[str, Any]]:
        """The carriers and how they are."""
        found: list[dict[str, Any]] = self.ask("GET", "/admin/carriers")["Carriers"]
        return found

    def newest_call(self) -> dict[str, Any]:
        """The first of these; empty before there is one."""
        return next(iter(self.calls()), {})

    def close_sessions(self) -> None:
        """Deletes every proxy session."""
        chime = self.client()
        for connector in chime.list_voice_connectors()["VoiceConnectors"]:
            ids = {"VoiceConnectorId": connector["VoiceConnectorId"]}
            for session in chime.list_proxy_sessions(**ids)["ProxySessions"]:
                chime.delete_proxy_session(**ids, ProxySessionId=session["ProxySessionId"])

    def client(self, service: str = "chime-sdk-voice") -> Any:
        """A boto3 client of this service."""
        import boto3

        key, secret = self.credentials
        return boto3.client(
            service,
            region_name="us-east-1",
            endpoint_url=self.url,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
        )


def carries(process: Path, mark: bytes) -> bool:
    try:
        variables = (process / "environ").read_bytes().split(b"\0")
    except OSError:
        return False
    return any(variable.startswith(mark) for variable in variables)


def running(folder: Path, **choices: Any) -> Iterator[Service]:
    """A service that is ready, stopped afterwards; for fixtures."""
    yield from at_work(Service(folder, **choices))


def at_work(service: Service) -> Iterator[Service]:
    try:
        service.start()
    except BaseException:
        service.stop()
        raise
    try:
        yield service
    finally:
        assert service.stop() == 0
        assert service.processes() == []
