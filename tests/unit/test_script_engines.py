"""Which node's media engine has a call's sound, as Kamailio's script finds it."""

import json
import math
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import KSR
import pytest
from fake_kamailio import Kamailio

from maskline_sip import media, sdp
from maskline_sip.engines import Engines, call_of, node_of
from maskline_sip.media import Media, MediaDown
from maskline_sip.others import Others

OURS, THEIRS, DEAD = "aaaaaaaa", "bbbbbbbb", "cccccccc"
CALL = "-1111-4111-8111-111111111111"
PATIENCE = 20.0  # seconds
OFFER = sdp.read(b"v=0\nc=IN IP4 192.0.2.1\nm=audio 9 RTP/AVP 0\n")


@pytest.fixture(autouse=True)
def kamailio() -> Kamailio:
    KSR.kamailio = Kamailio()
    return KSR.kamailio


class Rtpengine:
    """Answers every offer with itself; remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []
        self.deaf_to = 0  # of the next requests so many get lost
        self.streams = "m=audio 7 RTP/AVP 0\r\n"
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port: int = self.socket.getsockname()[1]
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def _work(self) -> None:
        while True:
            data, sender = self.socket.recvfrom(65536)
            if not data:
                return
            cookie, _, command = data.partition(b" ")
            self.asked.append(json.loads(command))
            if self.deaf_to:
                self.deaf_to -= 1
                continue
            answer = {
                "result": "ok", "sdp": f"v=0\r\nc=IN IP4 127.0.0.1\r\n{self.streams}",
                "last signal": 1_700_000_000,
            }  # fmt: skip
            self.socket.sendto(cookie + b" " + json.dumps(answer).encode(), sender)

    def hears(self, requests: int) -> None:
        """Waits until it was asked so often: what was sent may be on its way still."""
        until = time.monotonic() + PATIENCE
        while len(self.asked) < requests:
            assert time.monotonic() < until, self.asked
            time.sleep(0.001)

    def close(self) -> None:
        self.socket.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join()
        self.socket.close()


@pytest.fixture
def theirs() -> Iterator[Rtpengine]:
    engine = Rtpengine()
    yield engine
    engine.close()


RESERVE = 1_000_000  # bytes of shared memory


def others(folder: Path, *ports: int, draining: bool = False, refused: int = 0) -> Others:
    place = folder / "nodes.json"
    engines = {
        node: {"control": f"127.0.0.1:{port}", "addresses": ["127.0.0.1"]}
        for node, port in zip((THEIRS, DEAD), ports, strict=False)
    }
    place.with_suffix(".new").write_text(
        json.dumps(
            {"draining": draining, "closed": draining, "refused": refused, "engines": engines}
        )
    )
    place.with_suffix(".new").replace(place)
    return Others(str(place), RESERVE)


def unused() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def engines(found: Others) -> closing[Engines]:
    own = Media(("127.0.0.1", unused()), ["127.0.0.1"])
    return closing(Engines(OURS, own, found, Notes()))


class Notes(dict[str, str]):
    put = dict[str, str].__setitem__


def test_a_reference_names_the_call_and_the_node_with_its_sound() -> None:
    assert (call_of(OURS + CALL), node_of(OURS + CALL)) == (OURS + CALL, OURS)
    moved = f"{OURS}{CALL}~{THEIRS}"
    assert (call_of(moved), node_of(moved)) == (OURS + CALL, THEIRS)


def test_a_call_of_another_node_goes_to_that_nodes_engine(
    tmp_path: Path, theirs: Rtpengine
) -> None:
    with engines(others(tmp_path, theirs.port)) as all_of_them:
        all_of_them.offer(THEIRS + CALL, "caller", OFFER)
    assert [one["call-id"] for one in theirs.asked] == [THEIRS + CALL]


def test_a_new_call_that_finds_our_engine_down_goes_to_another(
    tmp_path: Path, theirs: Rtpengine
) -> None:
    with engines(others(tmp_path, theirs.port)) as all_of_them:
        first, second = all_of_them.references(OURS + CALL)
        with pytest.raises(MediaDown):
            all_of_them.offer(first, "caller", OFFER)
        all_of_them.offer(second, "caller", OFFER)
        assert all_of_them.references(OURS + CALL) == [second, first]  # the next one knows
    assert [one["call-id"] for one in theirs.asked] == [OURS + CALL]
    assert call_of(second) == OURS + CALL


def test_the_sound_of_a_node_that_is_gone_cannot_be_changed_but_ended(tmp_path: Path) -> None:
    with engines(others(tmp_path)) as all_of_them:
        with pytest.raises(MediaDown):
            all_of_them.offer(DEAD + CALL, "caller", OFFER)
        all_of_them.delete(DEAD + CALL)


def test_a_call_that_is_over_is_ended_though_nothing_is_heard_of_the_engine(
    tmp_path: Path, theirs: Rtpengine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It hangs, and reads later what it was sent."""
    monkeypatch.setattr(media, "WAITS", (0.01, 0.02))
    with engines(others(tmp_path, theirs.port)) as all_of_them:
        theirs.deaf_to = 5
        all_of_them.delete(THEIRS + CALL, 1)
        with pytest.raises(MediaDown):
            all_of_them.offer(THEIRS + CALL, "caller", OFFER)
        theirs.hears(5)
    told = [one["command"] for one in theirs.asked]
    assert told == ["delete", "offer", "offer", "delete", "delete"]


def test_a_call_that_is_over_is_ended_whatever_else_is_told_of_it(
    tmp_path: Path, theirs: Rtpengine
) -> None:
    """An offer or an answer that overtakes the end, or comes after it."""
    with engines(others(tmp_path, theirs.port)) as all_of_them:
        all_of_them.offer(THEIRS + CALL, "caller", OFFER)
        all_of_them.delete(THEIRS + CALL, 1)
        all_of_them.offer(THEIRS + CALL, "caller", OFFER)
        all_of_them.answer(THEIRS + CALL, "caller", "called", OFFER)
        all_of_them.offer(f"{OURS}{CALL}~{THEIRS}", "caller", OFFER)
    told = [(one["command"], one["call-id"]) for one in theirs.asked]
    both = [("delete", THEIRS + CALL), ("delete", f"{THEIRS}{CALL}/called")]
    assert told[:2] == [("offer", THEIRS + CALL), ("delete", THEIRS + CALL)]
    assert told[2:] == [
        ("offer", THEIRS + CALL), *both, ("answer", THEIRS + CALL), *both, ("offer", OURS + CALL),
    ]  # fmt: skip


def test_when_an_engine_was_told_of_a_call_last_it_tells(tmp_path: Path, theirs: Rtpengine) -> None:
    """One that does not may have been told anything."""
    with engines(others(tmp_path, theirs.port)) as all_of_them:
        assert all_of_them.signalled_at(THEIRS + CALL, "caller", media.PLAIN) == 1_700_000_000
        assert theirs.asked == [{"command": "query", "call-id": THEIRS + CALL}]
        assert all_of_them.signalled_at(OURS + CALL, "caller", media.PLAIN) == math.inf


def test_a_request_or_an_answer_that_got_lost_is_asked_for_again(theirs: Rtpengine) -> None:
    theirs.deaf_to = 1
    with closing(Media(("127.0.0.1", theirs.port), ["127.0.0.1"])) as engine:
        engine.offer(OURS + CALL, "caller", OFFER)
    assert len(theirs.asked) >= 2  # more where the machine is slow
    assert theirs.asked == [theirs.asked[0]] * len(theirs.asked)


def test_a_refused_stream_is_told_as_its_sender_wrote_it(theirs: Rtpengine) -> None:
    """Whatever the engine makes of a fax or a picture (RFC 3264 6)."""
    theirs.streams = "m=audio 0 RTP/AVP 0\r\nm=audio 7 RTP/AVP 0\r\n"
    said = b"v=0\nc=IN IP4 192.0.2.1\nm=image 9 udptl t38\nm=audio 9 RTP/AVP 0\n"
    with closing(Media(("127.0.0.1", theirs.port), ["127.0.0.1"])) as engine:
        told = sdp.write(engine.offer(OURS + CALL, "caller", sdp.read(said)), 1, 1)
    assert b"m=image 0 udptl t38\r\nm=audio 7 RTP/AVP 0\r\n" in told


@pytest.fixture
def hung(theirs: Rtpengine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Media]:
    """A way to `theirs`, which did not answer the first request, however often it was sent."""
    monkeypatch.setattr(media, "WAITS", (0.01, 0.02))
    theirs.deaf_to = 2
    with closing(Media(("127.0.0.1", theirs.port), ["127.0.0.1"])) as engine:
        with pytest.raises(MediaDown):
            engine.offer(OURS + CALL, "caller", OFFER)
        theirs.hears(2)
        monkeypatch.undo()
        yield engine


def test_an_engine_that_hangs_keeps_a_worker_waiting_once(
    theirs: Rtpengine, hung: Media, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        with pytest.raises(MediaDown):
            hung.offer(OURS + CALL, "caller", OFFER)
    assert len(theirs.asked) == 2
    monkeypatch.setattr(hung, "_silent_until", 0.0)
    hung.offer(OURS + CALL, "caller", OFFER)


def test_an_engine_that_hung_is_asked_again_once_it_is_heard_of(hung: Media) -> None:
    hung.delete(OURS + CALL)  # is not waited for, but answered
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        with suppress(MediaDown):
            hung.offer(OURS + CALL, "caller", OFFER)
            return
    pytest.fail("it stays silent")


def test_the_file_is_read_again_when_it_is_another(tmp_path: Path, theirs: Rtpengine) -> None:
    found = Others(str(tmp_path / "nodes.json"), RESERVE)
    assert (found.draining, found.engines) == (False, {})  # not written yet
    others(tmp_path, theirs.port, draining=True)
    assert (found.draining, found.closed) == (True, True)
    assert list(found.engines) == [THEIRS]
    others(tmp_path)
    assert (found.draining, found.engines) == (False, {})


def test_of_new_calls_as_many_are_refused_as_the_file_says(
    kamailio: Kamailio, tmp_path: Path
) -> None:
    place, memory = "$(ci{s.corehash,1000})", "$stat(free_size)"
    kamailio.cells[memory] = str(RESERVE)
    found = others(tmp_path, refused=300)
    refused = []
    for hashed in range(1000):
        kamailio.cells[place] = str(hashed)
        refused.append(found.refuses())
    assert sum(refused) == 300
    assert kamailio.cells["$shv(refused)"] == 300  # by which Kamailio refuses the next by itself
    others(tmp_path)
    kamailio.cells[place] = "0"
    assert not found.refuses()
    assert not found.short
    kamailio.cells[memory] = str(RESERVE - 1)  # left to the calls that there are
    assert found.refuses()
    assert found.short
