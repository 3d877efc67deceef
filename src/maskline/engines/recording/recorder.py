"""Records the calls that a connector wants recorded: rtpengine writes their packets down while
they last, and what it wrote is made into sound once they are over.

A recording begins when a call has been answered and, where there is an announcement, both have
heard it. A call whose sound cannot be had is noted as lost, and nothing is announced in it. What a
crash leaves behind is found and finished at the next start.
"""

import asyncio
import errno
import os
import re
import time
import wave
from collections.abc import Callable
from contextlib import AsyncExitStack
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Protocol

import structlog

from maskline.domain.call import Call
from maskline.engines.keeper import again
from maskline.engines.ng import NgError, NgRefusal
from maskline.engines.recording import sound
from maskline.engines.recording.packets import NoCapture, packets
from maskline.operations import Context, recordings
from maskline.operations.recordings import Capture, Place
from maskline.store import Store, Transaction

BEGIN_SECONDS = 0.5
# Until a telephone that was answered hears another voice: baresip's buffer takes a first one that
# changes at once for disorder, and drops it.
SETTLING_SECONDS = 0.3
FINISH_SECONDS = 2.0
# rtpengine holds a call for two seconds after its end, and writes on.
SETTLED_SECONDS = 4.0
ORPHANED_SECONDS = 3600.0
DAY_SECONDS = 86_400
# Calls looked at in a round beside those that are just beginning, an announcement in theirs.
ROOM = 100
CAPTURE = re.compile(r"(?P<call>[0-9a-f-]{36})-[0-9a-f]{16}\.pcap")
NOTES = ("metadata", "tmp")  # the second while a call lasts, and for ever if rtpengine was killed
SIDES = ("caller", "called")
NO_ROOM = errno.ENOSPC, errno.EDQUOT

log = structlog.get_logger()


class Engine(Protocol):
    async def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        """The answer to a command of the ng protocol; raises NgError."""


class NoSound(NgError):
    """A call's sound does not pass rtpengine, not yet or not at all."""


class Recorder:
    """`spool` is where rtpengine writes, `home` where the sound is kept, for `days`."""

    def __init__(
        self,
        store: Store,
        engine: Engine,
        context: Callable[[Transaction], Context],
        node: str,
        spool: Path,
        home: Path,
        announcement: Path | None,
        days: int,
    ) -> None:
        self._store, self._engine, self._context, self._node = store, engine, context, node
        self._spool, self._home = spool, home
        self._announcement, self._days = announcement, days
        self._beginning: dict[str, asyncio.Task[None]] = {}
        self._announced: set[str] = set()

    async def keep(self) -> None:
        """Works until cancelled."""
        self._home.mkdir(mode=0o700, exist_ok=True)
        async with asyncio.TaskGroup() as group:
            group.create_task(again(self.begin_due, BEGIN_SECONDS))
            group.create_task(again(self.finish_ended, FINISH_SECONDS))

    async def begin_due(self) -> None:
        """Begins to record the calls that were answered and are to be recorded."""
        limit = len(self._beginning) + ROOM
        due = await self._store.read(
            lambda tx: recordings.calls_to_record(self._context(tx), self._node, limit)
        )
        self._announced &= {call.call_id for call in due}
        for call in due:
            if call.call_id not in self._beginning:
                self._beginning[call.call_id] = asyncio.create_task(self._begin(call))

    async def _begin(self, call: Call) -> None:
        try:
            await self._record(call)
        except NgError as error:  # rtpengine is being started again, say; the next round will know
            log.warning("not recorded yet", call_id=call.call_id, why=type(error).__name__)
        except Exception:
            log.exception("not recorded yet", call_id=call.call_id)
        finally:
            del self._beginning[call.call_id]

    async def _record(self, call: Call) -> None:
        """Begins to record the call, or notes that it cannot be; raises NgError when the next round
        may tell.

        Another node's rtpengine, which has the sound of a call that found ours down, writes where
        we cannot read: ours refuses, for it does not know the call.
        """
        try:
            await self._start(call)
        except NgRefusal as error:
            await self._lose(call, error)
        except NoSound as error:
            if await self._store.read(lambda tx: recordings.is_new(self._context(tx), call)):
                raise
            await self._lose(call, error)

    async def _start(self, call: Call) -> None:
        capture = await self._capture(call.call_id)
        if self._announcement and call.call_id not in self._announced:
            await self._announce(call.call_id, self._announcement)
        # In this order: what was begun twice does no harm, what was noted only is lost.
        await self._engine.ask("start recording", **{"call-id": call.call_id})
        await self._store.write(
            lambda tx: recordings.begin_recording(self._context(tx), call, capture)
        )
        log.info("recording", call_id=call.call_id)

    async def _lose(self, call: Call, error: NgError) -> None:
        await self._store.write(lambda tx: recordings.lose_recording(self._context(tx), call))
        log.warning("not recorded", call_id=call.call_id, why=type(error).__name__)

    async def _announce(self, call_id: str, prompt: Path) -> None:
        """Plays the prompt to both, who do not hear each other meanwhile. Once: what fails after
        that is tried again without it."""
        tags = [{"call-id": call_id, "from-tag": side} for side in SIDES]
        await asyncio.sleep(SETTLING_SECONDS)
        async with AsyncExitStack() as after:
            for tag in reversed(tags):  # each, whatever becomes of the rest: one may be silent
                after.push_async_callback(self._engine.ask, "unblock media", **tag)
            for tag in tags:
                await self._engine.ask("block media", **tag)
            played = [await self._engine.ask("play media", **tag, file=str(prompt)) for tag in tags]
            await asyncio.sleep(max(int(one.get("duration", 0)) for one in played) / 1000)
        self._announced.add(call_id)

    async def _capture(self, call_id: str) -> Capture:
        """Where at ours the two speak; raises NoSound when there are none."""
        tags = (await self._engine.ask("query", **{"call-id": call_id})).get("tags", {})
        for medias in zip(*(tags.get(side, {}).get("medias", []) for side in SIDES), strict=False):
            caller, called = (place_of(media) for media in medias)
            if caller.port and called.port:
                return Capture(caller, called)
        raise NoSound("no stream of the call passes")

    async def finish_ended(self) -> None:
        """Makes sound of the captures of ended calls; throws away what is too old."""
        for path in sorted((self._spool / "pcaps").glob("*.pcap")):
            if found := CAPTURE.fullmatch(path.name):
                try:
                    await self._finish(path, found["call"])
                except OSError as error:  # which keeps no other from being finished
                    log.error("capture left", call_id=found["call"], why=error.strerror)
        for path in self._home.glob("*.wav"):
            if idle_seconds(path) > self._days * DAY_SECONDS:
                path.unlink(missing_ok=True)

    async def _finish(self, path: Path, call_id: str) -> None:
        idle = idle_seconds(path)
        if idle <= SETTLED_SECONDS:
            return
        capture = await self._store.read(
            lambda tx: recordings.ended_capture(self._context(tx), call_id)
        )
        if capture is None:
            if idle > ORPHANED_SECONDS and not await self._lasts(call_id):
                self._forget(path)
            return
        seconds = await self._sound_of(path, capture, call_id)
        await self._store.write(
            lambda tx: recordings.finish_recording(self._context(tx), call_id, seconds)
        )
        self._forget(path)

    async def _lasts(self, call_id: str) -> bool:
        """Whether more may be written down: both may be silent for long, one on hold say."""
        return await self._store.read(lambda tx: recordings.lasts(self._context(tx), call_id))

    async def _sound_of(self, path: Path, capture: Capture, call_id: str) -> float | None:
        """The length of the sound that was made; None where it could not be, for whatever reason:
        it would be the same in the next round. Raises OSError where there is no room for it now."""
        try:
            return await asyncio.to_thread(convert, path, capture, self._home / f"{call_id}.wav")
        except (NoCapture, OSError, wave.Error) as error:
            if getattr(error, "errno", None) in NO_ROOM:
                raise
            log.error("recording lost", call_id=call_id, why=str(error))
        except Exception:
            log.exception("recording lost", call_id=call_id)
        return None

    def _forget(self, path: Path) -> None:
        """Also what rtpengine notes beside: whom it was told to hear, and where."""
        path.unlink(missing_ok=True)
        for folder in NOTES:
            for beside in (self._spool / folder).glob(f"*{path.stem}*"):
                beside.unlink(missing_ok=True)


def place_of(media: dict[str, Any]) -> Place:
    """Where we hear a stream; at port 0 where it was refused, as a picture beside the sound is."""
    stream = (media.get("streams") or [{}])[0]
    return Place(stream.get("local address", ""), int(stream.get("local port", 0)))


def packed(place: Place) -> tuple[bytes, int]:
    """The place as packets have it."""
    return ip_address(place.address).packed if place.address else b"", place.port


def idle_seconds(path: Path) -> float:
    """How long nobody has written the file."""
    return time.time() - path.lstat().st_mtime


def convert(path: Path, capture: Capture, target: Path) -> float:
    """Makes the sound of a capture; it is there when it is whole. Its length in seconds."""
    unfinished = target.with_suffix(".part")
    unfinished.unlink(missing_ok=True)
    try:
        with open(path, "rb", opener=itself) as file:
            heard = packed(capture.caller), packed(capture.called)
            seconds = sound.record(packets(file), *heard, unfinished)
        unfinished.chmod(0o600)
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)
    return seconds


def itself(path: str, flags: int) -> int:
    """Opens the file, not what a link leads to, and waits for nobody: the directory is that of
    rtpengine's user."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)
