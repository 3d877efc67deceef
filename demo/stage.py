"""The stage of the demo: a running Maskline and its command line."""

import json
import os
import random
import shlex
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maskline.settings import Address, Carrier, Settings, SettingsError, load

MASKLINE = Path(sys.executable).with_name("maskline")
READY_SECONDS = 30.0
OWN_SETTINGS = """\
data_dir = "data"
[api]
listen = "127.0.0.1:{api}"
[sip]
listen = ["udp:127.0.0.1:{sip}"]
[media]
ports = "28000-28999"
[[carriers]]
name = "demo"
[carriers.sip]
address = "127.0.0.1:{carrier}"
sources = ["127.0.0.1/32"]
"""


class Refused(Exception):
    """A command that the service would not carry out, and what it said."""


@dataclass(frozen=True)
class Stage:
    """A service that is ready, and the carrier of its settings that the demo plays."""

    settings: Settings
    carrier: Carrier

    @property
    def sip(self) -> Address:
        return next(one.address for one in self.settings.sip.listen if one.transport == "udp")

    def run(self, *arguments: str) -> Any:
        """What the command line prints, read as JSON."""
        return json.loads(self.output(*arguments) or "null")

    def show(self, *arguments: str) -> Any:
        """The same, with command and output for the audience to see."""
        output = self.output(*arguments)
        print(f"\n$ maskline {shlex.join(arguments)}\n{output}", end="")
        return json.loads(output)

    def output(self, *arguments: str) -> str:
        done = subprocess.run(
            [MASKLINE, *arguments],
            env=os.environ | self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise Refused(f"maskline {shlex.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AWS_SHARED_CREDENTIALS_FILE": str(self.settings.data_dir / "credentials"),
            "AWS_PROFILE": "default",
            "AWS_ENDPOINT_URL": f"http://{self.settings.api.listen}",
            "AWS_DEFAULT_REGION": "us-east-1",
        }


def running_stage(config: Path) -> Stage | None:
    """The service of these settings, if it runs here and has a carrier that the demo can play."""
    try:
        settings = load(config)
        with urllib.request.urlopen(f"http://{settings.api.listen}/health", timeout=2):
            pass
    except (OSError, SettingsError):
        return None
    playable = (one for one in settings.carriers if one.name == "demo" and one.sip is not None)
    carrier = next(playable, None)
    return Stage(settings, carrier) if carrier else None


@contextmanager
def own_stage(folder: Path) -> Iterator[Stage]:
    """A service of the demo's own, on free ports, gone afterwards."""
    config = folder / "maskline.toml"
    config.write_text(OWN_SETTINGS.format(api=free_port(), sip=free_port(), carrier=free_port()))
    with (folder / "output").open("wb") as output, (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [MASKLINE, "serve", "--config", config], stdout=output, stderr=log
        )
    try:
        wait_until_ready(folder, process)
        settings = load(config)
        yield Stage(settings, settings.carriers[0])
    finally:
        process.terminate()
        process.wait()


def wait_until_ready(folder: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while "maskline ready" not in (folder / "output").read_text():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("the service did not start:\n" + (folder / "log").read_text())
        time.sleep(0.05)


def free_port() -> int:
    """A port that is free for TCP and for UDP, above those that Linux gives to connections: one of
    them might be given away before it is used."""
    while True:
        port = random.randrange(61_000, 65_536)
        with (
            socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        ):
            try:
                tcp.bind(("127.0.0.1", port))
                udp.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
