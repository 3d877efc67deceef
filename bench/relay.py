"""What masked calls are measured against: a bare Kamailio, alone or with a bare rtpengine."""

import os
import string
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from acceptance.phones import listening
from acceptance.service import free_port, until
from processes import Groups, named, on_leash

from maskline.engines.ground import Runner
from maskline.engines.kamailio import (
    FEWEST_WORKERS,
    PROCESS_MEGABYTES,
    RECEIVE_BUFFER,
)
from maskline.engines.rtpengine import DELETE_SECONDS, ERRORS, SILENCE_SECONDS, WARNINGS

LOOPBACK = "127.0.0.1"
TEMPLATE = Path(__file__).with_name("relay.cfg.template")
# What an ordinary deployment asks rtpengine for, whatever our own script asks.
OPTIONS = "trust-address replace-origin ICE=remove RTP/AVP generate-RTCP rtcp-mux-demux"

MediaPorts = tuple[int, int]


class Relay:
    """A bare relay on a free port that sends every call to `carrier`."""

    def __init__(self, folder: Path, carrier: str, media_ports: MediaPorts | None) -> None:
        self.sip_port, self._engine_port = free_port(), free_port()
        self._folder = folder
        self._carrier = carrier
        self._media_ports = media_ports

    @property
    def sip(self) -> str:
        return f"{LOOPBACK}:{self.sip_port}"

    def processes(self) -> Groups:
        return {
            "Kamailio": named(self._folder, "kamailio"),
            "rtpengine": named(self._folder, "rtpengine"),
        }

    @contextmanager
    def running(self) -> Iterator["Relay"]:
        runner = Runner.named("kamailio", "sip.user")
        configuration = self._folder / "relay.cfg"
        configuration.write_text(self._configuration())
        runner.take(self._folder)
        with ExitStack() as running:
            if self._media_ports:
                running.enter_context(on_leash(self._rtpengine(runner), self._folder))
                until(lambda: listening(LOOPBACK, self._engine_port, "udp"))
            running.enter_context(on_leash(self._kamailio(runner, configuration), self._folder))
            until(lambda: listening(LOOPBACK, self.sip_port, "udp"))
            yield self

    def _configuration(self) -> str:
        return string.Template(TEMPLATE.read_text()).substitute(
            workers=max(FEWEST_WORKERS, os.cpu_count() or 1),
            receive_buffer=RECEIVE_BUFFER,
            listen=self.sip,
            carrier=self._carrier,
            engine=f"{LOOPBACK}:{self._engine_port}",
            options=OPTIONS,
        )

    def _kamailio(self, runner: Runner, configuration: Path) -> list[str]:
        own = str(self._folder)
        return runner.command(
            "kamailio",
            *("-f", str(configuration), "-DD", "-E"),
            *("-m", "256", "-M", str(PROCESS_MEGABYTES)),
            *("-x", "fm", "-X", "fm", "-w", own, "-Y", own, "-P", str(self._folder / "pid")),
            *(("-A", "MEDIA") if self._media_ports else ()),
        )

    def _rtpengine(self, runner: Runner) -> list[str]:
        assert self._media_ports is not None
        first, last = self._media_ports
        return runner.command(
            "rtpengine",
            "--config-file=none",
            "--foreground",
            "--log-stderr",
            f"--log-level={WARNINGS}",
            f"--log-level-control={ERRORS}",
            "--table=-1",
            f"--interface={LOOPBACK}",
            f"--listen-ng={LOOPBACK}:{self._engine_port}",
            f"--port-min={first}",
            f"--port-max={last}",
            f"--timeout={SILENCE_SECONDS}",
            f"--delete-delay={DELETE_SECONDS}",
            f"--pidfile={self._folder / 'engine.pid'}",
        )
