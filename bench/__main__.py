"""What Maskline costs on this machine, beside the least that would do.

Usage: python bench [--short] [--only api,calls] [--write docs/performance.md]

It starts services of its own on free ports of the loopback and stops all that it starts. With
--short the figures mean little, but every part of the bench has run.
"""

import argparse
import os
import platform
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "tests"))

import api  # noqa: E402  the acceptance tests' service had to be found first
import calls  # noqa: E402
import neighbour  # noqa: E402
import scale  # noqa: E402
import texts  # noqa: E402
from acceptance.phones import BOTH_HOSTS, CALLED_HOST  # noqa: E402
from acceptance.service import Service, media_ports  # noqa: E402
from cluster import Cluster  # noqa: E402
from relay import MediaPorts  # noqa: E402
from report import Report  # noqa: E402

WIDE_MEDIA_PORTS = 12_000, 31_999
BEGIN, END = "<!-- figures: written by the bench -->\n", "<!-- end of figures -->\n"
# Debian's: what Kamailio runs the script in.
SYSTEM_PYTHON = "/usr/bin/python3"
Part = Callable[[Path, bool, Report], None]  # a folder, whether short, and where to print


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="small counts: a minute or two")
    parser.add_argument("--only", help=f"some parts, with commas between: {', '.join(PARTS)}")
    parser.add_argument("--write", type=Path, help="put the figures into this page, too")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that all is stopped
    report = Report()
    machine(report)
    for name in chosen(parser, arguments.only):
        with tempfile.TemporaryDirectory(prefix="bench") as folder:
            Path(folder).chmod(0o755)  # the engines run as users of their own
            PARTS[name](Path(folder), arguments.short, report)
    report.say("", f"Load average at the end, this bench included: {os.getloadavg()[0]:.1f}")
    if arguments.write:
        write(arguments.write, report)


def chosen(parser: argparse.ArgumentParser, only: str | None) -> list[str]:
    """The parts to run, in the order of the list."""
    names = only.split(",") if only else list(PARTS)
    if unknown := [name for name in names if name not in PARTS]:
        parser.error(f"there is no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    return [name for name in PARTS if name in names]


def machine(report: Report) -> None:
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    versions = {
        "Linux": platform.release(),
        "Python": platform.python_version(),
        "SQLite": sqlite3.sqlite_version,
        "Kamailio": version("kamailio", "-v"),
        "rtpengine": version("rtpengine", "--version"),
        "SIPp": version("sipp", "-v"),
        "wrk": version("wrk", "-v"),
        "Kannel": version("bearerbox", "--version"),
    }
    report.say(
        f"- command: python {' '.join(sys.argv)}",
        f"- at: {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, load average {os.getloadavg()[0]:.1f}",
        f"- machine: {model[1] if model else platform.machine()}, {os.cpu_count()} cores",
        f"- versions: {', '.join(f'{name} {text}' for name, text in versions.items())}",
    )


def version(program: str, option: str) -> str:
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"])
    done = subprocess.run(
        [program, option], capture_output=True, text=True, env=os.environ | {"PATH": path},
        check=False,
    )  # fmt: skip
    found = re.search(r"\d+\.\d+(\.\d+)*", done.stdout + done.stderr)
    return found[0] if found else "?"


def of_calls(folder: Path, short: bool, report: Report) -> None:
    ours, bare = halves(media_ports() if short else WIDE_MEDIA_PORTS)
    with ExitStack() as running:
        cluster = Cluster(durable=True)
        running.callback(cluster.stop)
        stores = {"sqlite": "", "postgresql": f'store.url = "{cluster.new_database()}"\n'}
        services = [of_store(folder / name, ours, store) for name, store in stores.items()]
        for service in services:
            service.start()
            running.callback(service.stop)
        scale = calls.SHORT if short else calls.FULL
        calls.measure(*services, cluster, folder, bare, scale, report)


def of_store(folder: Path, ports: MediaPorts, store: str) -> Service:
    """A service that is still to be started; `store` are its settings of the store. Those on
    PostgreSQL relay no sound, so all may be given the same ports for it."""
    folder.mkdir(mode=0o755)
    hosts = {"carrier_host": CALLED_HOST, "sources": BOTH_HOSTS}
    service = Service(folder, more_settings=store, **hosts)
    service.config.write_text(adapted(service.config.read_text(), ports))
    return service


def adapted(settings: str, ports: MediaPorts) -> str:
    """More ports for sound."""
    return re.sub(r'ports = ".*"', f'ports = "{ports[0]}-{ports[1]}"', settings)


def halves(ports: MediaPorts) -> tuple[MediaPorts, MediaPorts]:
    first, last = ports
    middle = (first + last) // 2
    return (first, middle), (middle + 1, last)


def program(
    name: str, *given: str, less: Sequence[str] = (), interpreter: str = sys.executable
) -> Part:
    """One of the bench's other programs, whose output is taken; `less` is for a short bench."""

    def part(_folder: Path, short: bool, report: Report) -> None:
        run(report, interpreter, name, *(less if short and less else given))

    return part


def run(report: Report, interpreter: str, name: str, *given: str) -> None:
    done = subprocess.run(
        [interpreter, str(Path(__file__).with_name(name)), *given],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        sys.exit(done.stderr)
    report.heading(f"bench/{name}")
    output = done.stdout.rstrip("\n")
    report.say(output if output.startswith("|") else f"```\n{output}\n```")


def write(page: Path, report: Report) -> None:
    """Puts the figures between the page's two marks."""
    before, begin, rest = page.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        sys.exit(f"{page} has no place for figures: the lines {BEGIN}{END}")
    page.write_text(f"{before}{begin}\n{report.text}\n{end}{after}")


PARTS: dict[str, Part] = {
    "api": api.measure,
    "scale": scale.measure,
    "neighbour": neighbour.measure,
    "calls": of_calls,
    "texts": texts.measure,
    "mask": program("mask.py", interpreter=SYSTEM_PYTHON),
    "selection": program("selection.py", "--sessions", "1000", "--pools", "100"),
    "pool-numbers": program("pool_numbers.py", "--people", "30", "--sessions", "150"),
    "commands": program("commands.py", "--rounds", "9", less=("--rounds", "1")),
    "smpp": program("smpp.py"),
}

if __name__ == "__main__":
    main()
