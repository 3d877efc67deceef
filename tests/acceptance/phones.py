"""SIPp as the phones behind a carrier, and what a capture of the loopback saw them receive."""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

from acceptance.service import Service, until
from ports import free_port, process_number

SCENARIOS = Path(__file__).with_name("sipp")
CALLER_HOST, CALLED_HOST = "127.0.0.11", "127.0.0.12"
BOTH_HOSTS = '127.0.0.11/32", "127.0.0.12/32'

# Above what rtpengine has in any test, below what the system gives out; each process that tests run
# in has its own.
MEDIA = cycle(range(28_000 + process_number() * 500, 28_500 + process_number() * 500, 4))


LAST = b"the last that is captured"


@dataclass
class Calls:
    """How many calls a pair of phones plays, and how."""

    number: int = 1
    per_second: int = 20
    talk_milliseconds: int = 500
    seconds: int = 60  # for which the phones are patient


def phone(
    folder: Path, scenario: Path, name: str, host: str, port: int, calls: Calls, *more: str
) -> "subprocess.Popen[bytes]":
    command = ["sipp", "-sf", str(scenario), "-i", host, "-mi", host, "-p", str(port)]
    command += ["-mp", str(four_free(host))]
    command += ["-m", str(calls.number), "-nostdin", "-deadcall_wait", "0"]
    command += ["-timeout", f"{calls.seconds}s", "-timeout_error"]
    command += ["-trace_err", "-error_file", str(folder / f"{name}.errors"), *more]
    quiet = subprocess.DEVNULL
    return subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet, cwd=folder)


@contextmanager
def answering(folder: Path, scenario: Path, host: str, port: int, calls: Calls) -> Iterator[None]:
    """A phone that is there for calls, over UDP, and is ended afterwards."""
    process = phone(folder, scenario, "called", host, port, calls)
    try:
        until(lambda: listening(host, port, "udp"))
        yield
    finally:
        process.kill()
        process.wait()


def four_free(host: str) -> int:
    """The first of four ports for sound and pictures that are free. SIPp gives up when another
    phone has one of them, so no two phones are given the same."""
    for first in MEDIA:
        with ExitStack() as held:
            try:
                for near in range(first, first + 4):
                    udp = held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                    udp.bind((host, near))
            except OSError:
                continue
            return first
    raise AssertionError("unreachable")


def play(
    service: Service,
    folder: Path,
    caller: Path,
    called: Path | None,
    number: str,
    calls: Calls | None = None,
    *more: str,
) -> tuple[int, int | None]:
    """A phone at 127.0.0.11 calls `number`, one at the carrier's address answers. SIPp's exit
    statuses: 0 when every call went as its scenario says."""
    calls = calls or Calls()
    host, port = service.carrier_host, service.carrier_port
    stream = ["-t", "t1"] if service.transport == "tcp" else []
    answering = phone(folder, called, "called", host, port, calls, *stream) if called else None
    if answering:
        until(lambda: listening(host, port, service.transport))
    keys = ["-s", number, "-r", str(calls.per_second), "-d", str(calls.talk_milliseconds), *more]
    calling = phone(folder, caller, "caller", CALLER_HOST, free_port(), calls, service.sip, *keys)
    status = calling.wait(calls.seconds + 10)
    return status, answering.wait(calls.seconds + 10) if answering else None


def listening(host: str, port: int, transport: str) -> bool:
    """Whether somebody holds this port."""
    packed = "".join(f"{int(part):02X}" for part in reversed(host.split(".")))
    return f" {packed}:{port:04X} " in Path("/proc/net", transport).read_text()


@contextmanager
def capture(
    service: Service, file: Path, to: str = f"dst host {CALLER_HOST} or dst host {CALLED_HOST}"
) -> Iterator[None]:
    """Everything that this service sends to either phone's address, or where `to` says, in a pcap
    file. Others may play calls at the same addresses at the same time."""
    first, last = service.media_ports
    ours = f"src port {service.sip_port} or src portrange {first}-{last}"
    ours += f" or (tcp and dst port {service.carrier_port})"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last_of_all:
        last_of_all.bind(("127.0.0.1", 0))
        address = last_of_all.getsockname()
        kept = f"(({to}) and ({ours})) or (udp and dst port {address[1]})"
        command = ["dumpcap", "-q", "-i", "lo", "-f", kept, "-P", "-w", str(file)]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as dumpcap:
            until(lambda: file.exists() and file.stat().st_size > 0)
            try:
                yield
                # What it was not given yet when it ends is lost, and it is given it in order.
                until(lambda: last_of_all.sendto(LAST, address) and LAST in file.read_bytes())
            finally:
                dumpcap.terminate()


def packets(file: Path) -> list[tuple[str, bytes]]:
    """Destination address and IP payload of every captured packet (pcap, Ethernet framing)."""
    data, at, found = file.read_bytes(), 24, []
    while at + 16 <= len(data):
        length = int.from_bytes(data[at + 8 : at + 12], "little")
        packet = data[at + 16 + 14 : at + 16 + length]
        at += 16 + length
        if packet and packet[0] >> 4 == 4:
            head = (packet[0] & 15) * 4
            found.append((".".join(map(str, packet[16:20])), packet[head:]))
    return found
