"""Nodes over a real store: what they tell Kamailio of each other, and whom they take for dead."""

import errno
import json
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from maskline.engines import nodes
from maskline.engines.ground import GroundError, Runner
from maskline.engines.nodes import Nodes, keys_of
from maskline.operations import Context
from maskline.operations.nodes import ALIVE, GONE, MaskKeys, Node, known_nodes, put_node
from maskline.store import Store, StoreFailed, Transaction, open_store

ONE = Node("aaaaaaaa", MaskKeys("a", {"a": "1"}), (), "127.0.0.1:9", ("10.0.0.1",))
TWO = replace(ONE, name="bbbbbbbb", media_control="127.0.0.2:9", media_addresses=("10.0.0.2",))


class Town:
    def __init__(self, store: Store, folder: Path) -> None:
        self.store, self.folder, self.now = store, folder, 1_000_000_000_000
        self.made: list[Nodes] = []

    def context(self, tx: Transaction) -> Context:
        return Context(tx=tx, account_id="", now=self.now, new_id=str)

    def node(self, own: Node) -> Nodes:
        runner = Runner("me", os.geteuid(), os.getegid())
        file = self.folder / f"{own.name}.json"
        self.made.append(Nodes(self.store, self.context, lambda: own, file, runner))
        return self.made[-1]

    def told(self, own: Node) -> Any:
        return json.loads((self.folder / f"{own.name}.json").read_text())

    async def names(self) -> list[str]:
        return [
            node.name for node in await self.store.read(lambda tx: known_nodes(self.context(tx)))
        ]


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    store = open_store(f"sqlite:{tmp_path / 'maskline.db'}")
    town = Town(store, tmp_path)
    yield town
    for made in town.made:
        await made.leave()
    store.close()


@contextmanager
def steady(monkeypatch: pytest.MonkeyPatch, seconds: float) -> Iterator[None]:
    monkeypatch.setattr(nodes, "STEADY_SECONDS", seconds)
    yield


async def test_kamailio_is_told_of_the_other_engines(town: Town) -> None:
    first, second = town.node(ONE), town.node(TWO)
    await first.join()
    assert town.told(ONE)["engines"] == {}
    await second.join()
    await first.look()
    assert town.told(ONE)["engines"] == {
        "bbbbbbbb": {"control": "127.0.0.2:9", "addresses": ["10.0.0.2"]}
    }
    await second.leave()
    await first.look()
    assert town.told(ONE)["engines"] == {}


async def test_a_node_that_there_is_no_way_to_is_in_nobodys_way(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = nodes.NgClient.open

    async def no_way(client: nodes.NgClient) -> None:
        if client.place.host == "127.0.0.2":
            raise OSError(errno.ENETUNREACH, "Network is unreachable")
        await opened(client)

    first, third = town.node(ONE), replace(ONE, name="cccccccc", media_control="127.0.0.3:9")
    await town.node(TWO).join()
    await town.node(third).join()
    with monkeypatch.context() as patched:
        patched.setattr(nodes.NgClient, "open", no_way)
        await first.join()
        first.drain()
        await first.look()
        assert town.told(ONE)["draining"]
        assert [*town.told(ONE)["engines"]] == ["cccccccc"]
    await first.look()
    assert [*town.told(ONE)["engines"]] == ["bbbbbbbb", "cccccccc"]


async def test_a_node_without_a_control_address_has_no_engine_for_others(town: Town) -> None:
    first, second = town.node(ONE), town.node(replace(TWO, media_control=None))
    await second.join()
    await first.join()
    assert town.told(ONE)["engines"] == {}


async def test_a_node_stops_also_while_the_database_is_away(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(_work: Any, *, beside: bool = False) -> None:
        raise StoreFailed("away")

    node = town.node(ONE)
    await node.join()
    with monkeypatch.context() as patched:
        patched.setattr(town.store, "write", away)
        await node.leave()
    assert await town.names() == ["aaaaaaaa"]


async def test_other_keys_are_refused(town: Town) -> None:
    await town.node(ONE).join()
    with pytest.raises(
        GroundError, match=r"sip\.mask_keys: key 'a' is not the one that node aaaaaaaa"
    ):
        await town.node(replace(TWO, keys=MaskKeys("a", {"a": "2"}))).join()


async def test_who_is_silent_and_whose_engine_is_too_is_buried(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = town.node(ONE)
    await first.join()
    await town.node(TWO).join()
    town.now += ALIVE + 1
    with steady(monkeypatch, 3600):
        await first.look()  # who has not looked for long cannot know
        assert await town.names() == ["aaaaaaaa", "bbbbbbbb"]

    async def answers(_node: Node) -> bool:
        return True

    with steady(monkeypatch, 0), monkeypatch.context() as patched:
        patched.setattr(nodes, "answers", answers)
        await first.look()
        assert await town.names() == ["aaaaaaaa", "bbbbbbbb"]
    with steady(monkeypatch, 0):
        await first.look()
        assert await town.names() == ["aaaaaaaa"]


async def test_who_cannot_be_asked_is_given_more_time(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = town.node(ONE)
    await first.join()
    await town.node(replace(TWO, media_control=None)).join()
    with steady(monkeypatch, 0):
        town.now += GONE
        await first.look()
        assert await town.names() == ["aaaaaaaa", "bbbbbbbb"]
        town.now += 1
        await first.look()
        assert await town.names() == ["aaaaaaaa"]


async def test_who_goes_by_another_clock_is_not_dead(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As long as it says something, again and again; by ours it may be hours ago."""
    first, second = town.node(ONE), replace(TWO, media_control="127.0.0.2:9")

    async def say(node: Node) -> None:
        town.now -= 2 * GONE
        await town.store.write(lambda tx: put_node(town.context(tx), node))
        town.now += 2 * GONE

    await first.join()
    await say(second)
    await first.look()
    town.now += 4000
    await say(second)
    with steady(monkeypatch, 0):
        await first.look()
        await first.look()
        assert await town.names() == ["aaaaaaaa", "bbbbbbbb"]
        assert [*town.told(ONE)["engines"]] == ["bbbbbbbb"]
        monkeypatch.setattr(nodes, "ALIVE", -1)  # it has said nothing since
        await first.look()
    assert await town.names() == ["aaaaaaaa"]


async def test_who_took_a_dead_nodes_place_does_not_answer_for_it(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = town.node(ONE)
    await town.node(TWO).join()
    town.now += ALIVE + 1
    await town.node(replace(TWO, name="cccccccc")).join()
    await first.join()

    async def answers(_node: Node) -> bool:
        return True

    monkeypatch.setattr(nodes, "answers", answers)
    with steady(monkeypatch, 0):
        await first.look()
    assert await town.names() == ["aaaaaaaa", "cccccccc"]


async def test_a_copy_of_a_node_on_another_machine_does_not_start(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = replace(ONE, machine="here"), replace(ONE, machine="there")
    first, copy = town.node(here), town.node(there)
    await first.join()

    async def meanwhile(_seconds: float) -> None:
        town.now += 4000
        await town.store.write(lambda tx: put_node(town.context(tx), here))

    with monkeypatch.context() as patched:
        patched.setattr(nodes.asyncio, "sleep", meanwhile)
        with pytest.raises(GroundError, match="data_dir: node aaaaaaaa runs on another machine"):
            await copy.join()


@pytest.mark.parametrize("machine", ["here", "there"])
async def test_a_node_that_was_killed_starts_again_here_and_elsewhere(
    town: Town, monkeypatch: pytest.MonkeyPatch, machine: str
) -> None:
    await town.node(replace(ONE, machine="here")).join()
    waits = []

    async def wait(seconds: float) -> None:
        waits.append(seconds)

    with monkeypatch.context() as patched:
        patched.setattr(nodes.asyncio, "sleep", wait)
        await town.node(replace(ONE, machine=machine)).join()
    assert len(waits) == (machine == "there")  # on the same machine nobody waits
    (found,) = await town.store.read(lambda tx: known_nodes(town.context(tx)))
    assert found.machine == machine


async def test_draining_is_told_first_and_done_later(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = town.node(ONE)
    await first.join()
    first.drain()
    await first.look()
    assert (town.told(ONE)["draining"], town.told(ONE)["closed"]) == (True, False)
    monkeypatch.setattr(nodes, "ASK_SECONDS", -1)
    await first.look()
    assert (town.told(ONE)["draining"], town.told(ONE)["closed"]) == (True, True)


def test_a_fingerprint_tells_keys_apart() -> None:
    one = keys_of({"current_key": "a", "keys": {"a": "AAAA", "b": "BBBB"}})
    assert one.current == "a"
    assert one.fingerprints["a"] != one.fingerprints["b"]
    assert one == keys_of({"current_key": "a", "keys": {"b": "BBBB", "a": "AAAA"}})


async def test_kamailio_is_told_at_once_how_many_calls_to_refuse(town: Town) -> None:
    node = town.node(ONE)
    await node.join()
    assert town.told(ONE)["refused"] == 0
    node.refuse(250)
    assert town.told(ONE)["refused"] == 250
    await node.look()
    assert town.told(ONE)["refused"] == 250
