"""A person with a telephone: baresip, with a tone for a voice and a file for an ear."""

import asyncio
import json
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CONFIG = """\
poll_method epoll
sip_listen {address}:{sip_port}
net_interface {address}
module_path {modules}
module g711.so
module aufile.so
module sndfile.so
module account.so
module menu.so
module ctrl_tcp.so
audio_source aufile,{folder}/voice.wav
snd_path {folder}
audio_srate 8000
audio_channels 1
rtp_ports 40000-49999
ctrl_tcp_listen {address}:{control_port}
"""
ACCOUNT = '<sip:{number}@{address}>;regint=0;answermode=manual;outbound="sip:{carrier}"\n'
MODULES = ("/usr/lib/baresip/modules", "/usr/local/lib/baresip/modules")
SECONDS = 30.0


def free_port(address: str, kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind((address, 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Phone:
    """One phone, at its own loopback address, that reaches everybody through the carrier."""

    number: str
    address: str
    carrier: str
    folder: Path
    sip_port: int = 0
    events: asyncio.Queue[dict[str, Any]] = field(default_factory=asyncio.Queue)

    @property
    def heard(self) -> Path:
        """What it heard in its last call, complete once that has ended."""
        recordings = self.folder.glob("dump-*-dec.wav")
        return max(recordings, default=self.folder / "nothing.wav")

    @property
    def voice(self) -> Path:
        return self.folder / "voice.wav"

    async def start(self) -> None:
        control_port = free_port(self.address, socket.SOCK_STREAM)
        self._write_configuration(control_port)
        with (self.folder / "log").open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                "baresip", "-f", self.folder, stdin=asyncio.subprocess.DEVNULL,
                stdout=log, stderr=log, cwd=self.folder,
            )  # fmt: skip
        self._reader, self._writer = await self._connect(control_port)
        self._listening = asyncio.create_task(self._listen())

    def _write_configuration(self, control_port: int) -> None:
        self.sip_port = free_port(self.address, socket.SOCK_DGRAM)
        modules = next(path for path in MODULES if Path(path).is_dir())
        values = vars(self) | {"control_port": control_port, "modules": modules}
        (self.folder / "config").write_text(CONFIG.format(**values))
        (self.folder / "accounts").write_text(ACCOUNT.format(**values))

    async def _connect(self, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        async with asyncio.timeout(SECONDS):
            while True:
                try:
                    return await asyncio.open_connection(self.address, port)
                except ConnectionRefusedError:
                    await asyncio.sleep(0.05)

    async def _listen(self) -> None:
        """Reads the phone's events: netstrings, each a JSON object."""
        while True:
            length = (await self._reader.readuntil(b":"))[:-1]
            message = json.loads(await self._reader.readexactly(int(length)))
            await self._reader.readexactly(1)
            if message.get("event"):
                await self.events.put(message)

    async def stop(self) -> None:
        self._listening.cancel()
        self._writer.close()
        self._process.terminate()
        await self._process.wait()

    async def press(self, command: str, parameters: str = "") -> None:
        message = json.dumps({"command": command, "params": parameters}).encode()
        self._writer.write(b"%d:%b," % (len(message), message))
        await self._writer.drain()

    async def until(self, kind: str) -> dict[str, Any]:
        """The next event of this kind; raises TimeoutError when it does not come."""
        async with asyncio.timeout(SECONDS):
            while True:
                event = await self.events.get()
                if event["type"] == kind:
                    return event
