"""When a recording begins, what is asked of rtpengine for it, and what a crash leaves behind."""

import asyncio
import errno
import os
import time
import wave
from pathlib import Path
from typing import Any

import pytest
from desk import ANN, BEN, Desk
from test_recording_sound import HEADER, HERE, HERE_6, LEFT, RIGHT, capture, ipv4, ipv6, rtp

from maskline.engines.ng import NgRefusal, NgSilence
from maskline.engines.recording import recorder as recorder_module
from maskline.engines.recording.recorder import Recorder
from maskline.engines.recording.sound import linear
from maskline.operations import Policy
from maskline.store import Transaction

PROXY = "+19135550199"
SOUND = {
    side: {"medias": [{"streams": [{"local address": HERE, "local port": port}]}]}
    for side, port in (("caller", LEFT), ("called", RIGHT))
}
REFUSED: dict[str, Any] = {"type": "video", "streams": [{"flags": ["RTP"]}, {"flags": ["RTCP"]}]}


class Engine:
    """An rtpengine that notes what it is asked."""

    def __init__(self, *, refused: str = "", tags: dict[str, Any] = SOUND) -> None:
        self.asked: list[tuple[str, str]] = []
        self.refused, self.tags = refused, tags
        self.hung_at = ""

    async def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        self.asked.append((command, arguments.get("from-tag", "")))
        if command == self.refused:
            raise NgRefusal("Unknown call-id")
        if command == self.hung_at:
            raise NgSilence(command)
        return {"query": {"tags": self.tags}, "play media": {"duration": 1}}.get(command, {})


class Store:
    """The desk's transaction as a store."""

    def __init__(self, tx: Transaction) -> None:
        self.tx = tx

    async def read(self, work: Any) -> Any:
        return work(self.tx)

    write = read


@pytest.fixture
def desk() -> Desk:
    desk = Desk(Policy(carriers=("acme",)))
    desk.import_numbers(PROXY)
    return desk


def recorder(desk: Desk, engine: Engine, folder: Path, prompt: Path | None = None) -> Recorder:
    (folder / "pcaps").mkdir(exist_ok=True)
    (folder / "metadata").mkdir(exist_ok=True)
    (folder / "tmp").mkdir(exist_ok=True)
    store: Any = Store(desk.tx)
    return Recorder(
        store, engine, lambda tx: desk.context(""), "", spool=folder, home=folder,
        announcement=prompt, days=30,
    )  # fmt: skip


def answered_call(desk: Desk, *, record: bool = True) -> str:
    connector = desk.connector()
    desk.maskline("PutVoiceConnectorRules", VoiceConnectorId=connector, RecordCalls=record)
    desk.open(connector, ANN, BEN)
    call: str = desk.dial(ANN, PROXY)["CallId"]
    desk.report(call, "Answered")
    return call


async def begin(work: Recorder) -> None:
    await work.begin_due()
    while work._beginning:
        await asyncio.sleep(0.001)


def leave_capture(folder: Path, call: str, content: bytes, age: float = 10) -> Path:
    path = folder / "pcaps" / f"{call}-0123456789abcdef.pcap"
    path.write_bytes(content)
    os.utime(path, (time.time() - age, time.time() - age))
    (folder / "metadata" / f"rtpengine-meta-{path.stem}.txt").write_text("x")
    (folder / "tmp" / f"rtpengine-meta-{path.stem}.tmp").write_text("x")
    return path


def status(desk: Desk, call: str) -> str | None:
    record = desk.record(call)
    assert record in desk.maskline("ListCalls")["Calls"]
    found: str | None = record.get("RecordingStatus")
    return found


async def test_what_is_not_to_be_recorded_is_not(desk: Desk, tmp_path: Path) -> None:
    engine = Engine()
    call = answered_call(desk, record=False)
    await begin(recorder(desk, engine, tmp_path))
    assert engine.asked == []
    assert status(desk, call) is None


async def test_both_hear_that_they_are_recorded_before_they_are(desk: Desk, tmp_path: Path) -> None:
    engine = Engine()
    call = answered_call(desk)
    work = recorder(desk, engine, tmp_path, prompt=tmp_path / "prompt.wav")
    await begin(work)
    both = [("block media", "caller"), ("block media", "called")]
    both += [("play media", "caller"), ("play media", "called")]
    both += [("unblock media", "caller"), ("unblock media", "called")]
    assert engine.asked == [("query", ""), *both, ("start recording", "")]
    assert status(desk, call) == "Recording"
    await begin(work)
    assert len(engine.asked) == 8


@pytest.mark.parametrize("failing", ["block media", "play media", "unblock media"])
async def test_who_was_muted_for_an_announcement_is_heard_again_whatever_fails(
    desk: Desk, tmp_path: Path, failing: str
) -> None:
    engine = Engine(refused=failing)
    call = answered_call(desk)
    await begin(recorder(desk, engine, tmp_path, prompt=tmp_path / "prompt.wav"))
    both = [("unblock media", "caller"), ("unblock media", "called")]
    assert engine.asked[-2:] == both
    assert status(desk, call) == "Lost"


async def test_the_announcement_is_not_repeated_when_what_follows_fails(
    desk: Desk, tmp_path: Path
) -> None:
    engine = Engine()
    engine.hung_at = "start recording"
    call = answered_call(desk)
    work = recorder(desk, engine, tmp_path, prompt=tmp_path / "prompt.wav")
    for _ in range(3):
        await begin(work)
    assert status(desk, call) is None
    engine.hung_at = ""
    await begin(work)
    assert [asked[0] for asked in engine.asked].count("play media") == 2
    assert status(desk, call) == "Recording"


async def test_the_sound_may_stand_behind_a_refused_picture(desk: Desk, tmp_path: Path) -> None:
    tags = {side: {"medias": [REFUSED, *SOUND[side]["medias"]]} for side in SOUND}
    call = answered_call(desk)
    work = recorder(desk, Engine(tags=tags), tmp_path)
    await begin(work)
    desk.report(call, "Ended")
    leave_capture(tmp_path, call, capture(ipv4(rtp(b"\x10" * 800))).getvalue())
    await work.finish_ended()
    assert desk.record(call)["RecordingMilliseconds"] == 100


# Before the ACK that answers the offer of a 200; no sound at all.
SOUNDLESS: list[dict[str, Any]] = [
    {"called": SOUND["called"], "": {"medias": []}},
    {side: {"medias": [REFUSED]} for side in SOUND},
]


@pytest.mark.parametrize("tags", SOUNDLESS)
async def test_sound_that_comes_later_is_recorded(
    desk: Desk, tmp_path: Path, tags: dict[str, Any]
) -> None:
    engine = Engine(tags=tags)
    call = answered_call(desk)
    work = recorder(desk, engine, tmp_path, prompt=tmp_path / "prompt.wav")
    await begin(work)
    assert engine.asked == [("query", "")], "nothing is announced yet"
    assert status(desk, call) is None
    engine.tags = SOUND
    await begin(work)
    assert status(desk, call) == "Recording"


@pytest.mark.parametrize("tags", SOUNDLESS)
async def test_a_call_that_stays_without_sound_is_given_up(
    desk: Desk, tmp_path: Path, tags: dict[str, Any]
) -> None:
    engine = Engine(tags=tags)
    call = answered_call(desk)
    work = recorder(desk, engine, tmp_path, prompt=tmp_path / "prompt.wav")
    desk.now += 41_000
    for _ in range(3):
        await begin(work)
    assert engine.asked == [("query", "")]
    assert status(desk, call) == "Lost"
    assert desk.record(call)["RecordingStartedTimestamp"] is None


async def test_a_call_that_is_over_already(desk: Desk, tmp_path: Path) -> None:
    call = answered_call(desk)
    work = recorder(desk, Engine(refused="query"), tmp_path)
    await work.begin_due()
    desk.report(call, "Ended")
    await begin(work)
    assert status(desk, call) is None


@pytest.mark.parametrize("refused", ["query", "play media", "start recording"])
async def test_a_call_whose_sound_is_elsewhere_is_asked_for_once(
    desk: Desk, tmp_path: Path, refused: str
) -> None:
    """At another node's engine, say."""
    engine = Engine(refused=refused)
    call = answered_call(desk)
    work = recorder(desk, engine, tmp_path, prompt=tmp_path / "prompt.wav")
    for _ in range(3):
        await begin(work)
    assert engine.asked.count(("query", "")) == 1
    assert status(desk, call) == "Lost"
    desk.report(call, "Ended")
    await work.finish_ended()
    assert status(desk, call) == "Lost"


async def test_calls_that_are_just_beginning_keep_no_other_waiting(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The earliest first."""
    monkeypatch.setattr(recorder_module, "ROOM", 1)
    calls = [answered_call(desk)]
    for _ in "12":
        desk.now += 1000
        calls.append(desk.dial(ANN, PROXY)["CallId"])
        desk.report(calls[-1], "Answered")
    work = recorder(desk, Engine(), tmp_path)
    for begun in range(1, 4):
        await work.begin_due()
        assert list(work._beginning) == calls[:begun]
    await begin(work)
    assert {status(desk, call) for call in calls} == {"Recording"}


async def test_sound_is_made_when_the_call_is_over(desk: Desk, tmp_path: Path) -> None:
    call = answered_call(desk)
    work = recorder(desk, Engine(), tmp_path)
    await begin(work)
    path = leave_capture(tmp_path, call, capture(ipv4(rtp(b"\x10" * 800))).getvalue())
    await work.finish_ended()
    assert path.exists(), "the call lasts"
    desk.report(call, "Ended")
    await work.finish_ended()
    assert (tmp_path / f"{call}.wav").stat().st_size == 44 + 800 * 4
    assert desk.record(call)["RecordingMilliseconds"] == 100
    assert status(desk, call) == "Ready"
    left = ("*.pcap", "*.txt", "*.tmp", "*.part")
    assert [path for pattern in left for path in tmp_path.rglob(pattern)] == []


@pytest.mark.parametrize("content", [b"", b"rubbish" * 9, HEADER[:20]])
async def test_a_capture_that_cannot_be_read_is_said_to_be_lost(
    desk: Desk, tmp_path: Path, content: bytes
) -> None:
    call = answered_call(desk)
    work = recorder(desk, Engine(), tmp_path)
    await begin(work)
    desk.report(call, "Ended")
    leave_capture(tmp_path, call, content)
    await work.finish_ended()
    assert status(desk, call) == "Lost"
    assert [*tmp_path.rglob("*.pcap"), *tmp_path.rglob("*.wav")] == []


async def test_the_sides_may_be_heard_at_one_port_of_two_addresses(
    desk: Desk, tmp_path: Path
) -> None:
    tags = {
        side: {"medias": [{"streams": [{"local address": address, "local port": LEFT}]}]}
        for side, address in (("caller", HERE), ("called", HERE_6))
    }
    call = answered_call(desk)
    work = recorder(desk, Engine(tags=tags), tmp_path)
    await begin(work)
    desk.report(call, "Ended")
    spoken = ipv4(rtp(b"\x10" * 160)), ipv6(rtp(b"\x90" * 160))
    leave_capture(tmp_path, call, capture(*spoken).getvalue())
    await work.finish_ended()
    with wave.open(str(tmp_path / f"{call}.wav")) as sound:
        assert sound.readframes(1) == linear(0, b"\x10\x90")
    assert status(desk, call) == "Ready"


async def test_sound_that_cannot_be_made_keeps_no_other_waiting(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is wrong with it; rtpengine's user may put anything there."""
    calls, work = [answered_call(desk)], recorder(desk, Engine(), tmp_path)
    for _ in "1234":
        calls.append(desk.dial(ANN, PROXY)["CallId"])
        desk.report(calls[-1], "Answered")
    await begin(work)
    calls.sort()
    content = capture(ipv4(rtp(b"\x10" * 800))).getvalue()
    link, nowhere, folder, *_ = [leave_capture(tmp_path, call, content) for call in calls]
    for path, other in ((link, link.rename(tmp_path / "good")), (nowhere, tmp_path / "none")):
        path.unlink(missing_ok=True)
        path.symlink_to(other)
    folder.unlink()
    folder.mkdir()
    for path in (link, nowhere, folder):
        os.utime(path, (0, 0), follow_symlinks=False)
    upset_by(monkeypatch, calls[3])
    for call in calls:
        desk.report(call, "Ended")
    await work.finish_ended()
    assert [status(desk, call) for call in calls] == ["Lost", "Lost", "Lost", "Lost", "Ready"]
    assert not [*tmp_path.rglob("*.part")]


def upset_by(monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    original = recorder_module.convert

    def convert(path: Path, *others: Any) -> float:
        if call in path.name:
            raise ValueError("something that nobody thought of")
        return original(path, *others)

    monkeypatch.setattr(recorder_module, "convert", convert)


async def test_a_capture_stays_while_there_is_no_room_for_its_sound(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> float:
        raise OSError(errno.ENOSPC, "No space left on device")

    call = answered_call(desk)
    work = recorder(desk, Engine(), tmp_path)
    await begin(work)
    desk.report(call, "Ended")
    left = leave_capture(tmp_path, call, capture(ipv4(rtp(b"\x10" * 800))).getvalue())
    with monkeypatch.context() as patched:
        patched.setattr(recorder_module.sound, "record", full)
        await work.finish_ended()
    assert left.exists()
    assert status(desk, call) == "Recording"
    await work.finish_ended()
    assert status(desk, call) == "Ready"


async def test_what_belongs_to_no_call_goes_after_an_hour(desk: Desk, tmp_path: Path) -> None:
    work = recorder(desk, Engine(), tmp_path)
    young = leave_capture(tmp_path, "0b6f3f8a-5a50-4b4e-9d0c-3f2b6f1f7a11", HEADER, age=100)
    old = leave_capture(tmp_path, "0b6f3f8a-5a50-4b4e-9d0c-3f2b6f1f7a12", HEADER, age=4000)
    strange = tmp_path / "pcaps" / "else.pcap"
    strange.write_bytes(b"")
    await work.finish_ended()
    assert (young.exists(), old.exists(), strange.exists()) == (True, False, True)


async def test_a_call_that_is_held_for_an_hour_keeps_its_sound(desk: Desk, tmp_path: Path) -> None:
    """In which nothing is written down."""
    call = answered_call(desk)
    work = recorder(desk, Engine(), tmp_path)
    await begin(work)
    content = capture(ipv4(rtp(b"\x10" * 800))).getvalue()
    leave_capture(tmp_path, call, content, age=4000)
    await work.finish_ended()
    desk.report(call, "Ended")
    await work.finish_ended()
    assert status(desk, call) == "Ready"


async def test_recordings_are_kept_for_their_days(desk: Desk, tmp_path: Path) -> None:
    work = recorder(desk, Engine(), tmp_path)
    for name, days in (("old", 31), ("young", 29)):
        (tmp_path / f"{name}.wav").write_bytes(b"")
        age = time.time() - days * 86_400
        os.utime(tmp_path / f"{name}.wav", (age, age))
    await work.finish_ended()
    assert [path.name for path in tmp_path.glob("*.wav")] == ["young.wav"]
