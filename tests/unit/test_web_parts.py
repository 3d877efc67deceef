"""The parts of the HTTP door, each for itself."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from door import add_account, add_key

from maskline.domain.permissions import EVERYTHING
from maskline.domain.refusals import (
    AccessDenied,
    BadRequest,
    Conflict,
    LimitExceeded,
    NotFound,
    Refusal,
    Throttled,
    Unavailable,
)
from maskline.model import load
from maskline.operations import AccessKey
from maskline.store import open_store, sqlite
from maskline.web import answers, requests
from maskline.web import turns as turns_module
from maskline.web.faults import BodyTooLarge
from maskline.web.keys import KEPT_SECONDS, MOST_LOOKED_FOR, MOST_WAITING, KeyRing
from maskline.web.permissions import action_of
from maskline.web.requests import MOST_OF_ONE, MOST_TOGETHER, Bodies, Disconnected
from maskline.web.throttle import MOST_KEPT, Throttle
from maskline.web.turns import Turns

VOICE = load("chime-sdk-voice").operations


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("refusal", "operation", "status", "name"),
    [
        (NotFound("x"), "GetProxySession", 404, "NotFoundException"),
        (NotFound("x"), "CreateVoiceConnector", 400, "BadRequestException"),
        (Conflict("x"), "CreateProxySession", 400, "BadRequestException"),
        (AccessDenied("x"), "PutVoiceConnectorProxy", 403, "AccessDeniedException"),
        (AccessDenied("x"), "GetProxySession", 403, "ForbiddenException"),
        (LimitExceeded("x"), "CreateVoiceConnector", 400, "ResourceLimitExceededException"),
        (Unavailable("x"), "CreateProxySession", 503, "ServiceUnavailableException"),
    ],
)
def test_which_exception_a_refusal_becomes(
    refusal: Refusal, operation: str, status: int, name: str
) -> None:
    answer = answers.refused(refusal, VOICE[operation])
    assert (answer.status, answer.error) == (status, name)


def test_what_may_be_tried_again_says_so_whatever_the_model_lists() -> None:
    assert answers.refused(Throttled("x", retry_after=2), None).status == 429
    assert answers.refused(Unavailable("x"), None).status == 503
    assert answers.refused(BadRequest("x"), None).status == 400


def test_when_to_try_again() -> None:
    answer = answers.refused(Unavailable("x", retry_after=3), None)
    assert (b"retry-after", b"3") in answer.headers


def test_actions_have_the_names_that_policies_know() -> None:
    assert action_of("chime-sdk-voice", "GetProxySession") == "chime:GetProxySession"
    assert action_of("maskline", "ListCalls") == "maskline:ListCalls"


def test_a_bucket_fills_while_nobody_draws() -> None:
    clock = Clock()
    throttle = Throttle(2, clock, "access key")
    throttle.take("a")
    throttle.take("a")
    with pytest.raises(Throttled) as told:
        throttle.take("a")
    assert told.value.retry_after == 1
    throttle.take("b")
    clock.now = 0.5
    throttle.take("a")
    with pytest.raises(Throttled):
        throttle.take("a")
    clock.now = 100
    throttle.take("a")
    throttle.take("a")
    with pytest.raises(Throttled):
        throttle.take("a")


def test_buckets_of_keys_that_are_gone_are_not_kept() -> None:
    """An account may make keys, use and delete them for ever."""
    clock = Clock()
    throttle = Throttle(1, clock, "access key")
    for number in range(3 * MOST_KEPT):
        clock.now = number * 0.001
        throttle.take(str(number))
    assert len(throttle._buckets) <= MOST_KEPT + 1
    with pytest.raises(Throttled):
        throttle.take(str(3 * MOST_KEPT - 1))


async def test_a_line_ends_with_whoever_stood_in_it() -> None:
    turns = Turns()
    inside: list[str] = []

    async def take(account_id: str, gate: asyncio.Event) -> None:
        async with turns.of(account_id):
            inside.append(account_id)
            await gate.wait()

    gate = asyncio.Event()
    tasks = [asyncio.create_task(take(each, gate)) for each in ("a", "a", "a", "b")]
    await asyncio.sleep(0)
    assert inside == ["a", "b"]
    tasks[1].cancel()  # its client has gone
    gate.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert inside == ["a", "b", "a"]
    assert turns._lines == {}


async def test_a_turn_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns_module, "LONGEST_WAIT", 0.01)
    turns = Turns()
    async with turns.of("a"):
        with pytest.raises(Unavailable):
            async with turns.of("a"):
                raise AssertionError
    async with turns.of("a"):
        pass


async def read(bodies: Bodies, owner: str, *pieces: bytes, ends: bool = True) -> bytes:
    incoming: list[dict[str, Any]] = [
        {"type": "http.request", "body": piece, "more_body": True} for piece in pieces
    ]
    messages = iter([*incoming, {"type": "http.request" if ends else "http.disconnect"}])

    async def receive() -> Any:
        return next(messages)

    return await bodies.read(receive, {}, owner)


async def test_large_bodies_under_way_are_bounded_together_and_for_each_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(requests, "ORDINARY", 10)
    bodies, largest = Bodies(20), b" " * 20
    for number in range(2 * MOST_TOGETHER):
        assert await read(bodies, f"key {number // (2 * MOST_OF_ONE)}", largest) == largest
        if number == 2 * MOST_OF_ONE - 1:
            with pytest.raises(Unavailable, match="of this access key") as told:
                await read(bodies, "key 0", b" " * 10, b" ")
            assert told.value.retry_after == 1
    with pytest.raises(Unavailable, match="under way are too large together"):
        await read(bodies, "another", b"", b" " * 11)
    bodies.release("key 0", len(largest))
    assert await read(bodies, "key 0", largest) == largest


async def test_ordinary_bodies_are_taken_whatever_others_send_in_the_name_of_the_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(requests, "ORDINARY", 10)
    bodies = Bodies(20)
    for number in range(2 * MOST_TOGETHER):
        await read(bodies, f"key {number // (2 * MOST_OF_ONE)}", b" " * 20)
    for owner in ("key 0", "another"):
        for _ in range(10 * MOST_TOGETHER):
            assert await read(bodies, owner, b" " * 4, b" " * 6) == b" " * 10
    bodies.release("another", 10)
    assert "another" not in bodies._held


async def test_a_body_that_is_not_read_to_its_end_counts_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(requests, "ORDINARY", 2)
    bodies = Bodies(10)
    for _ in range(2 * MOST_TOGETHER):
        with pytest.raises(BodyTooLarge):
            await read(bodies, "key", b" " * 10, b" ")
        with pytest.raises(Disconnected):
            await read(bodies, "key", b" " * 10, ends=False)
    assert await read(bodies, "key", b" " * 10) == b" " * 10
    bodies.release("key", 10)
    assert not bodies._held


async def test_a_key_disabled_by_another_process_stops_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "KEPT_SECONDS", 0.0)
    clock = Clock()
    store = open_store(f"sqlite:{tmp_path / 'keys.db'}")
    key = await store.write(lambda tx: add_key(tx, add_account(tx)))
    ring = KeyRing(store, clock)
    found = await ring.find(key.id)
    assert found is not None
    assert found.secret_access_key == key.secret
    store._writer._connection.execute(  # type: ignore[attr-defined]
        "UPDATE access_keys SET active = 0"
    )
    assert await ring.find(key.id) == found
    await asyncio.sleep(0.01)
    clock.now = KEPT_SECONDS
    found = await ring.find(key.id)
    assert found is not None
    assert not found.active
    store.close()


async def test_a_key_that_changes_while_it_is_looked_up_is_not_kept(tmp_path: Path) -> None:
    store = open_store(f"sqlite:{tmp_path / 'keys.db'}")
    key = await store.write(lambda tx: add_key(tx, add_account(tx)))
    ring = KeyRing(store)
    look_up = ring._look_up

    async def slow(access_key_id: str) -> AccessKey | None:
        found = await look_up(access_key_id)
        ring.changed(access_key_id)
        return found

    ring._look_up = slow  # type: ignore[method-assign]
    assert await ring.find(key.id) is not None
    assert ring._kept == {}
    store.close()


class Slow:
    """A key ring whose looks into the store take as long as the test likes."""

    def __init__(self, *known: str) -> None:
        self.clock = Clock()
        self.ring = KeyRing(None, self.clock)  # type: ignore[arg-type]
        self.ring._look_up = self._look_up  # type: ignore[method-assign]
        self.known = known
        self.looked_for: list[str] = []
        self.go_on = asyncio.Event()

    async def _look_up(self, access_key_id: str) -> AccessKey | None:
        self.looked_for.append(access_key_id)
        await self.go_on.wait()
        return key_of(access_key_id) if access_key_id in self.known else None

    async def begin(self, *access_key_ids: str) -> list[asyncio.Task[AccessKey | None]]:
        tasks = [asyncio.create_task(self.ring.find(each)) for each in access_key_ids]
        for _ in range(5):  # until each has come as far as it can
            await asyncio.sleep(0)
        return tasks


def key_of(access_key_id: str) -> AccessKey:
    return AccessKey(
        access_key_id=access_key_id,
        account_id="1",
        secret_access_key="s",
        active=True,
        grant=EVERYTHING,
    )


def key_id(number: int) -> str:
    return f"AKIA{number:016}".translate(str.maketrans("0123456789", "ABCDEFGHIJ"))


async def test_what_can_be_no_id_of_a_key_is_not_looked_for() -> None:
    slow = Slow()
    slow.go_on.set()
    for text in ("", "AKIA", "AKIANOBODY", key_id(1)[1:], key_id(1) + "A", key_id(1).lower(), "x"):
        assert await slow.ring.find(text) is None
    assert slow.looked_for == []


async def test_who_is_not_found_is_not_looked_for_again_for_a_while() -> None:
    slow = Slow()
    slow.go_on.set()
    for now in (0.0, KEPT_SECONDS / 2, KEPT_SECONDS):
        slow.clock.now = now
        assert await slow.ring.find(key_id(1)) is None
    assert slow.looked_for == [key_id(1)] * 2
    slow.known = (key_id(1),)
    slow.ring.changed(key_id(1))
    assert await slow.ring.find(key_id(1)) is not None


async def test_many_who_ask_for_the_same_key_look_once() -> None:
    slow = Slow(key_id(1))
    tasks = await slow.begin(*[key_id(1)] * 1000)
    slow.go_on.set()
    assert set(await asyncio.gather(*tasks)) == {key_of(key_id(1))}
    assert slow.looked_for == [key_id(1)]


async def test_strangers_are_in_the_way_of_no_key_in_use() -> None:
    ours, theirs = key_id(0), [key_id(number) for number in range(1, 500)]
    slow = Slow(ours)
    slow.go_on.set()
    await slow.ring.find(ours)
    slow.go_on.clear()
    slow.clock.now = KEPT_SECONDS
    tasks = await slow.begin(*theirs)
    refused = [task for task in tasks if task.done() and isinstance(task.exception(), Unavailable)]
    assert len(refused) == len(theirs) - MOST_WAITING
    assert slow.looked_for == [ours, *theirs[:MOST_LOOKED_FOR]]
    (own,) = await slow.begin(ours)
    assert slow.looked_for[-1] == ours
    slow.go_on.set()
    assert await own == key_of(ours)
    assert [await task for task in tasks if task not in refused] == [None] * MOST_WAITING
    assert await slow.ring.find(theirs[-1]) is None  # there is room again


async def test_a_key_changed_while_it_is_looked_for_is_looked_for_again() -> None:
    slow = Slow(key_id(1))
    before = await slow.begin(key_id(1))
    slow.ring.changed(key_id(1))
    after = await slow.begin(key_id(1))
    slow.go_on.set()
    await asyncio.gather(*before, *after)
    assert slow.looked_for == [key_id(1)] * 2


async def test_keys_that_do_not_exist_fill_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("maskline.web.keys.MOST_KEPT", 3)
    slow = Slow()
    slow.go_on.set()
    for number in range(10):
        assert await slow.ring.find(key_id(number)) is None
        assert len(slow.ring._missed) <= 3
    assert slow.ring._looking == {}
