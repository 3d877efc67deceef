"""The nodes over one database: this one tells the others that it lives, and its Kamailio of them.

A node that is not heard of any more is dead when its rtpengine does not answer either. Whoever
finds that first sees to its calls.
"""

import asyncio
import hashlib
import json
import math
import os
import time
from base64 import b64decode
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import structlog

from maskline.engines.ground import GroundError, Runner
from maskline.engines.keeper import again
from maskline.engines.ng import NgClient, NgSilence
from maskline.operations import Context
from maskline.operations.nodes import (
    ALIVE,
    KeysDiffer,
    MaskKeys,
    Node,
    bury_node,
    is_alive,
    join_nodes,
    known_nodes,
    leave_nodes,
    may_be_dead,
    namesake_of,
    put_node,
)
from maskline.settings import Address
from maskline.store import Store, StoreFailed, Transaction

LOOK_SECONDS = 1.0
TELL_SECONDS = 4.0
# Who has not looked for so long cannot say who is dead: the database may have been down for all.
STEADY_SECONDS = 15.0
# Within which a balancer should have asked whether we work.
ASK_SECONDS = 5.0
FINGERPRINT_BYTES = 8

log = structlog.get_logger()


class Nodes:
    """`own` says how this node stands; `file` is where Kamailio, which runs as `reader`, reads of
    the others."""

    def __init__(
        self,
        store: Store,
        context: Callable[[Transaction], Context],
        own: Callable[[], Node],
        file: Path,
        reader: Runner,
    ) -> None:
        self._store, self._context, self._own = store, context, own
        self._name = own().name
        self._file, self._reader = file, reader
        self.others: dict[str, NgClient] = {}
        # When each node said last that it lives: by its own clock, and by ours as we saw it.
        self._heard: dict[str, tuple[int, float]] = {}
        self._unreached: set[str] = set()
        self.draining = asyncio.Event()
        self._refused = 0
        self._draining_since = 0.0
        self._live: Sequence[Node] = ()
        self._said: Any = None
        self._written = ""
        self._told = own()
        self._told_at = self._looked_at = self._steady_since = time.monotonic()

    async def join(self) -> None:
        """Begins to take part; raises GroundError where the others have other keys, or one of them
        our name."""
        before = await self._namesake()
        if before is not None:
            await asyncio.sleep(TELL_SECONDS * 2)
            after = await self._namesake()
            if after is not None and after.seen_at > before.seen_at:
                raise GroundError(
                    f"data_dir: node {self._name} runs on another machine, or from another "
                    "directory; was it copied? remove the file named node here, and start again"
                )
        try:
            await self._store.write(lambda tx: join_nodes(self._context(tx), self._told))
        except KeysDiffer as error:
            raise GroundError(f"sip.mask_keys: {error}; copy the file of a running node") from None
        await self.look()

    async def _namesake(self) -> Node | None:
        return await self._store.read(lambda tx: namesake_of(self._context(tx), self._told))

    async def keep(self) -> None:
        """Works until cancelled."""
        await again(self.look, LOOK_SECONDS)

    async def leave(self) -> None:
        """Takes part no more. Where the database is away the others find out by themselves."""
        for client in self.others.values():
            client.close()
        try:
            await self._store.write(lambda tx: leave_nodes(self._context(tx), self._name))
        except StoreFailed as error:
            log.warning("the other nodes are not told that this one stops", reason=str(error))

    def drain(self) -> None:
        """Takes no more calls: says so to who asks, and refuses them when all have asked."""
        if not self.draining.is_set():
            self._draining_since = time.monotonic()
            self.draining.set()
            log.info("draining")

    def refuse(self, refused: int) -> None:
        """Has Kamailio refuse so many of a thousand new calls."""
        self._refused = refused
        self._tell_kamailio()

    async def look(self) -> None:
        """Says that we live, sees who else does."""
        now = time.monotonic()
        if now - self._looked_at > STEADY_SECONDS / 3:
            self._steady_since = now
        own = self._own()
        if own != self._told or now - self._told_at >= TELL_SECONDS:
            await self._store.write(lambda tx: put_node(self._context(tx), own), beside=True)
            self._told, self._told_at = own, now
        known, alive, silent = await self._store.read(self._known)
        self._looked_at = time.monotonic()
        speaking = self._speaking(known)
        live = [node for node in known if node.name in alive | speaking]
        dead = [node for node in known if node.name in silent - speaking]
        await self._connect(live)
        self._live = live
        self._tell_kamailio()
        self._say({"live": [node.name for node in live], "draining": self.draining.is_set()})
        for node in dead:
            await self._see_to(node, live)

    def _known(self, tx: Transaction) -> tuple[list[Node], set[str], set[str]]:
        """All nodes; and who lives, ourselves among them, and who may be dead, by our clock."""
        context = self._context(tx)
        nodes = known_nodes(context)
        alive = {node.name for node in nodes if is_alive(context, node)} | {self._name}
        return nodes, alive, {node.name for node in nodes if may_be_dead(context, node)} - alive

    def _speaking(self, nodes: Sequence[Node]) -> set[str]:
        """Who has said something lately, as we have seen ourselves: by another's clock, or when our
        own is set, it may seem long ago."""
        now, before = time.monotonic(), self._heard
        self._heard = {}
        for node in nodes:
            seen_at, heard_at = before.get(node.name, (node.seen_at, -math.inf))
            self._heard[node.name] = node.seen_at, heard_at if seen_at == node.seen_at else now
        return {name for name, (_, at) in self._heard.items() if now - at <= ALIVE / 1000}

    async def _connect(self, live: Sequence[Node]) -> None:
        """Lines to the rtpengines of the others; new ones where they have moved."""
        places = {
            node.name: Address.parse(node.media_control)
            for node in live
            if node.media_control and node.name != self._name
        }
        for name, client in list(self.others.items()):
            if client.place != places.get(name):
                self.others.pop(name).close()
        self._unreached &= places.keys()
        for name, place in places.items():
            if name not in self.others:
                await self._reach(name, place)

    async def _reach(self, name: str, place: Address) -> None:
        """Opens a line to an rtpengine. There may be no way to it from here; that keeps nothing
        else from being done, and the next look may find one."""
        client = NgClient(place)
        try:
            await client.open()
        except OSError as error:
            if name not in self._unreached:
                log.warning("no way to a node's rtpengine", other=name, reason=error.strerror)
            self._unreached.add(name)
        else:
            self.others[name] = client
            self._unreached.discard(name)

    def _tell_kamailio(self) -> None:
        draining = self.draining.is_set()
        closed = draining and time.monotonic() - self._draining_since > ASK_SECONDS
        told = {
            "draining": draining,
            "closed": closed,
            "refused": self._refused,
            "engines": {
                node.name: {"control": node.media_control, "addresses": node.media_addresses}
                for node in self._live
                if node.name in self.others
            },
        }
        text = json.dumps(told)
        if text != self._written:
            put(self._file, text, self._reader)
            self._written = text

    def _say(self, stand: dict[str, Any]) -> None:
        if stand != self._said:
            log.info("nodes", **stand)
            self._said = stand

    @property
    def alone(self) -> bool:
        """Whether no other node lives."""
        return not self.others

    async def release(self, call_id: str) -> None:
        """Ends the call's sound at the rtpengines of all other nodes."""
        await asyncio.gather(*(client.release(call_id) for client in self.others.values()))

    async def holds(self, call_id: str) -> bool:
        """Whether another node's rtpengine relays the call's sound. It is believed to as long as
        one that is up does not say; the next time it will."""
        for client in list(self.others.values()):
            try:
                if await client.holds(call_id):
                    return True
            except NgSilence:
                return True
        return False

    async def _see_to(self, node: Node, live: Sequence[Node]) -> None:
        """Buries a node, if it is dead as far as we can know."""
        if time.monotonic() - self._steady_since < STEADY_SECONDS:
            return
        if node.media_control not in places_of(live) and await answers(node):
            return
        await self._store.write(lambda tx: bury_node(self._context(tx), node.name))
        log.warning("node is dead; its calls are ended", dead=node.name)


def places_of(nodes: Sequence[Node]) -> set[str]:
    """Where their rtpengines are controlled: who answers there is theirs, and no dead node's."""
    return {node.media_control for node in nodes if node.media_control}


async def answers(node: Node) -> bool:
    """Whether a node's rtpengine still does; nobody can ask it where it has no control address."""
    if node.media_control is None:
        return False
    client = NgClient(Address.parse(node.media_control))
    try:
        await client.open()
        return await client.answers()
    except OSError:
        return False
    finally:
        client.close()


def keys_of(given: dict[str, Any]) -> MaskKeys:
    """The fingerprints of the keys in a file of mask keys."""
    found = {name: fingerprint(b64decode(key)) for name, key in given["keys"].items()}
    return MaskKeys(given["current_key"], found)


def fingerprint(key: bytes) -> str:
    return hashlib.blake2b(key, digest_size=FINGERPRINT_BYTES, person=b"mask key").hexdigest()


def put(file: Path, text: str, reader: Runner) -> None:
    """Replaces a file that this user alone may read; whoever reads it sees the old or the new."""
    fresh = file.with_suffix(".new")
    fresh.write_text(text, encoding="utf-8")
    fresh.chmod(0o600)
    os.chown(fresh, reader.uid, reader.gid)
    fresh.replace(file)
