"""An API service to be measured, and requests to it that are signed beforehand."""

import asyncio
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import processes
import uvloop
from acceptance.service import free_port, until
from processes import cpu_seconds
from report import middle

from maskline.cli.signer import AccessKey, sign

IN_FLIGHT = 32
LONGEST_SECONDS = 120.0
SPREAD = 1.5  # rounds that differ by more were disturbed
SETTINGS = """\
data_dir = "data"
[api]
listen = "127.0.0.1:{port}"
max_requests_per_second = 1000000
max_account_requests_per_second = 1000000
[store]
url = "{url}"
key = "{key_file}"
[log]
format = "json"
[[carriers]]
name = "acme"
[carriers.sip]
address = "127.0.0.1:5999"
sources = ["127.0.0.1/32"]
"""


@dataclass
class Reading:
    """Requests/s and CPU µs per request, one of each for every round."""

    per_second: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def add(self, requests: int, seconds: float, cpu: float) -> None:
        self.per_second.append(requests / seconds)
        self.cpu.append(cpu / requests * 1e6)

    @property
    def sound(self) -> bool:
        return max(self.cpu) <= SPREAD * min(self.cpu)

    def row(self, name: str) -> list[str]:
        return [name, f"{middle(self.per_second):.0f}", f"{middle(self.cpu):.0f}"]


class Api:
    """`maskline serve --role api` over a database of its own."""

    def __init__(self, folder: Path, url: str, key_file: Path, key: tuple[str, str]) -> None:
        self.folder = folder
        self.port = free_port()
        self.host = f"127.0.0.1:{self.port}"
        self.key = AccessKey(*key)
        folder.mkdir(exist_ok=True)
        settings = SETTINGS.format(port=self.port, url=url, key_file=key_file)
        if url.startswith("sqlite:"):  # its key is beside it
            settings = re.sub(r"key = .*\n", "", settings)
        (folder / "maskline.toml").write_text(settings)

    @contextmanager
    def running(self) -> Iterator[None]:
        command = [sys.executable, "-m", "maskline", "serve", "--role", "api", "--config"]
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [*command, str(self.folder / "maskline.toml")],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        try:
            until(lambda: b"maskline ready" in (self.folder / "log").read_bytes(), 60)
            yield
        finally:
            self.process.terminate()
            self.process.wait()

    def cpu(self) -> float:
        """Seconds of CPU that the service has used so far."""
        return cpu_seconds(processes.service(self.process.pid))

    def ask(self, method: str, target: str, content: Any = None) -> bytes:
        """A whole HTTP request, signed."""
        body = b"" if content is None else json.dumps(content).encode()
        headers = self.signed(method, target, body)
        lines = [f"{method} {target} HTTP/1.1", *(f"{n}: {v}" for n, v in headers.items())]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        return "\r\n".join([*lines, "", ""]).encode() + body

    def signed(self, method: str, target: str, body: bytes = b"") -> dict[str, str]:
        headers = {"Host": self.host}
        if body:
            headers["Content-Type"] = "application/json"
        return sign(self.key, "us-east-1", method, target, headers, body)

    def send(
        self, requests: list[bytes], reading: Reading, cpu: Callable[[], float] | None = None
    ) -> None:
        """Sends them with IN_FLIGHT at once, and notes what it took."""
        cpu = cpu or self.cpu
        before = cpu()
        seconds = uvloop.run(send_all(self.port, requests))
        reading.add(len(requests), seconds, cpu() - before)


def wrk(
    url: str,
    headers: dict[str, str],
    seconds: int,
    reading: Reading,
    cpu: Callable[[], float],
    script: Path | None = None,
    may_refuse: float = 0.0,
) -> None:
    """The same request again and again, or those of a script, as fast as they are answered; a share
    of them may be refused."""
    given = [part for name, value in headers.items() for part in ("-H", f"{name}: {value}")]
    command = ["wrk", "-t1", f"-c{IN_FLIGHT}", f"-d{seconds}s", *given, url]
    command += ["-s", str(script)] if script else []
    before = cpu()
    done = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    spent = cpu() - before
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", done)
    requests = re.search(r"(\d+) requests in", done)
    per_second = re.search(r"Requests/sec:\s*([\d.]+)", done)
    assert requests is not None, done
    assert per_second is not None
    assert int(requests[1]), done
    wrong = int(refused[1]) if refused else 0
    assert wrong <= may_refuse * int(requests[1]), f"{url}: {wrong} requests were refused"
    reading.add(int(requests[1]), int(requests[1]) / float(per_second[1]), spent)


async def send_all(port: int, requests: Sequence[bytes]) -> float:
    """Seconds until all are answered, with as many in flight as there are connections."""
    loop = asyncio.get_running_loop()
    waiting = iter(requests)
    begin = time.monotonic()
    lines = [Line(waiting, loop.create_future()) for _ in range(IN_FLIGHT)]
    async with asyncio.timeout(LONGEST_SECONDS):
        for line in lines:
            await loop.create_connection(lambda line=line: line, "127.0.0.1", port)
        await asyncio.gather(*(line.done for line in lines))
    return time.monotonic() - begin


class Line(asyncio.Protocol):
    """A connection that sends its next request when the one before is answered."""

    def __init__(self, requests: Iterator[bytes], done: "asyncio.Future[None]") -> None:
        self.done = done
        self._requests = requests
        self._answer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        self._answer += data
        head, _, body = self._answer.partition(b"\r\n\r\n")
        length = re.search(rb"\r\ncontent-length: (\d+)", head)
        if length is None or len(body) < int(length[1]):
            return
        if not head.startswith(b"HTTP/1.1 20"):
            self._end(RuntimeError(self._answer.decode()))
            return
        self._answer = b""
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self._end(exc or ConnectionError("the server closed the connection"))

    def _send(self) -> None:
        request = next(self._requests, None)
        if request is None:
            self._end(None)
        else:
            self._transport.write(request)

    def _end(self, error: Exception | None) -> None:
        if error:
            self.done.set_exception(error)
        else:
            self.done.set_result(None)
        self._transport.close()
