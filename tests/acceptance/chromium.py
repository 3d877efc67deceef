"""A real browser: Chromium without a window, on a page of ours, driven over its DevTools protocol
by a pair of pipes (one JSON document after the other, each ended by a zero)."""

import functools
import http.server
import itertools
import json
import os
import select
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from acceptance.service import until

PAGE = Path(__file__).parent / "page"
SECONDS = 60.0
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--mute-audio",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream",
    "--autoplay-policy=no-user-gesture-required", "--allow-loopback-in-peer-connection",
    "--remote-debugging-pipe",
)  # fmt: skip


class Trouble(AssertionError):
    """The page, or the browser, did not do what it was told."""


class Chromium:
    """A browser whose microphone hears a sound file over and over."""

    def __init__(self, folder: Path, voice: Path, *flags: str) -> None:
        self._numbers, self._held = itertools.count(1), b""
        self._turn = threading.Lock()
        theirs_in, self._out = os.pipe()
        self._in, theirs_out = os.pipe()
        command = [
            "chromium", *FLAGS, *flags, f"--user-data-dir={folder}",
            f"--use-file-for-fake-audio-capture={voice}",
        ]  # fmt: skip
        # The browser reads commands from descriptor 3, and answers on 4.
        pipes = f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}'
        self._process = subprocess.Popen(
            ["bash", "-c", pipes, "bash", *command],
            pass_fds=(theirs_in, theirs_out),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        os.close(theirs_in)
        os.close(theirs_out)

    def open(self, address: str) -> None:
        """Opens a page, which what is told from then on is told to."""
        target = self._ask("Target.createTarget", url=address)["targetId"]
        told = self._ask("Target.attachToTarget", targetId=target, flatten=True)
        self._session = told["sessionId"]
        until(lambda: self.run("location.href") == address, SECONDS)
        until(lambda: self.run("document.readyState") == "complete", SECONDS)

    def run(self, expression: str) -> Any:
        """The value of an expression in the page, awaited if it is promised."""
        told = self._ask(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in told:
            raise Trouble(json.dumps(told["exceptionDetails"])[:2000])
        return told["result"].get("value")

    def call(self, function: str, *given: Any) -> Any:
        """What a function of the page's gives."""
        return self.run(f"{function}({', '.join(json.dumps(one) for one in given)})")

    def _ask(self, method: str, **given: Any) -> dict[str, Any]:
        told = {"id": next(self._numbers), "method": method, "params": given}
        if hasattr(self, "_session"):
            told["sessionId"] = self._session
        with self._turn:
            os.write(self._out, json.dumps(told).encode() + b"\0")
            while (answer := self._next()).get("id") != told["id"]:
                pass
        if "error" in answer:
            raise Trouble(str(answer["error"]))
        result: dict[str, Any] = answer["result"]
        return result

    def _next(self) -> dict[str, Any]:
        deadline = time.monotonic() + SECONDS
        while b"\0" not in self._held:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._in], [], [], left)[0]:
                raise Trouble("the browser says nothing")
            part = os.read(self._in, 1 << 16)
            if not part:
                raise Trouble("the browser is gone")
            self._held += part
        one, _, self._held = self._held.partition(b"\0")
        message: dict[str, Any] = json.loads(one)
        return message

    def close(self) -> None:
        os.close(self._out)  # at which it ends
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._in)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def site() -> Iterator[str]:
    """Where our page is."""
    handler = functools.partial(Quiet, directory=str(PAGE))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()


@contextmanager
def browser(folder: Path, voice: Path, address: str, *flags: str) -> Iterator[Chromium]:
    """A browser at the page of an address."""
    one = Chromium(folder, voice, *flags)
    try:
        one.open(address)
        yield one
    finally:
        one.close()
