"""The same load on a neighbour: moto's server, which also answers AWS's clients from one process of
Python, for operations of its own that are like ours: a record made, a record read by its name (a
thing of AWS IoT, REST with JSON). It checks no signature and keeps all in memory."""

import http.client
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from acceptance.service import free_port, until
from load import IN_FLIGHT, Reading, wrk
from processes import whole_seconds
from report import Report

ROOT = Path(__file__).parents[1]
VENV = "moto-5.2.5"
# moto finds the service of a request by its signature's scope.
AUTHORIZATION = (
    "AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/iot/aws4_request,"
    " SignedHeaders=host, Signature=0"
)

# What wrk is to send: a record of another name each time.
CREATIONS = """
local made = 0
function request()
    made = made + 1
    return wrk.format("POST", wrk.path .. made, wrk.headers, "{}")
end
"""

MAY_REFUSE = 0.01  # a development server does so now and then on a busy machine


def measure(folder: Path, short: bool, report: Report) -> None:
    seconds, rounds = (2, 1) if short else (3, 3)
    subprocess.run([ROOT / "tools" / "client-venvs", VENV], check=True, capture_output=True)
    script = folder / "create.lua"
    script.write_text(CREATIONS)
    with server(folder) as (port, pid):
        made, read = Reading(), Reading()

        def cpu() -> float:
            return whole_seconds(pid)

        warm(port)
        for place in range(rounds):
            url = f"http://127.0.0.1:{port}/things/"
            headers = {"Authorization": AUTHORIZATION}
            wrk(f"{url}thing-{place}-", headers, seconds, made, cpu, script, MAY_REFUSE)
            wrk(f"{url}first", headers, seconds, read, cpu, may_refuse=MAY_REFUSE)
    report.heading(f"A neighbour: moto's server, {IN_FLIGHT} connections")
    report.table(
        ["", "requests/s", "server CPU µs per request"],
        [made.row("CreateThing"), read.row("DescribeThing")],
    )


def warm(port: int) -> None:
    """The first request loads half of moto."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST", "/things/first", b"{}", {"Authorization": AUTHORIZATION})
    assert connection.getresponse().status == 200
    connection.close()


@contextmanager
def server(folder: Path) -> Iterator[tuple[int, int]]:
    """moto's server on a free port, and its process id."""
    port = free_port()
    program = ROOT / "build" / "clients" / VENV / "bin" / "moto_server"
    output = folder / "moto"
    with output.open("wb") as log:
        process = subprocess.Popen([program, "-p", str(port)], stdout=log, stderr=log)
    try:
        until(lambda: b"Running on" in output.read_bytes(), 60)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait()
