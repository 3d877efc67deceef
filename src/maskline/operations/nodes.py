"""Nodes: the processes that carry calls over one database, and what they know of each other."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from maskline.operations.calls import complete_calls
from maskline.operations.context import Context
from maskline.operations.legs_left import LEFT_ALONE
from maskline.store import Row

ALIVE = 15_000  # a node that has said nothing for so many milliseconds may be dead
GONE = 300_000  # so may one whose rtpengine cannot be asked


@dataclass(frozen=True)
class MaskKeys:
    """What tells keys apart without telling them: a fingerprint of each, by name."""

    current: str
    fingerprints: Mapping[str, str]

    def fault(self, others: "MaskKeys", node: str) -> str | None:
        """Why a node with these keys cannot share calls with another one, if it cannot. Two that
        are a step apart in a change of keys can: each knows what the other seals by."""
        for name in sorted(self.fingerprints.keys() & others.fingerprints.keys()):
            if self.fingerprints[name] != others.fingerprints[name]:
                return f"key {name!r} is not the one that node {node} has by this name"
        if others.current not in self.fingerprints:
            return f"key {others.current!r}, which node {node} seals by, is missing"
        if self.current not in others.fingerprints:
            return f"node {node} does not know key {self.current!r} yet, which is to seal here"
        return None


@dataclass(frozen=True)
class Node:
    """A process that carries calls. `media_control` is where others reach its rtpengine, None
    where they cannot; `machine` tells where it runs from all other places; `seen_at` is in
    milliseconds since the epoch, 0 in what it says itself."""

    name: str
    keys: MaskKeys
    listen: tuple[str, ...]
    media_control: str | None
    media_addresses: tuple[str, ...]
    machine: str = ""
    seen_at: int = 0
    draining: bool = False


class KeysDiffer(Exception):
    """A node may not take part: its keys of the mask are not those of the others."""


def join_nodes(context: Context, own: Node) -> None:
    """A node begins to take part; raises KeysDiffer."""
    context.tx.lock("nodes")
    for other in live_nodes(context):
        fault = own.keys.fault(other.keys, other.name) if other.name != own.name else None
        if fault:
            raise KeysDiffer(fault)
    put_node(context, own)


def namesake_of(context: Context, own: Node) -> Node | None:
    """Who goes by the same name on another machine, and was heard of not long ago: another one, or
    this one before it was moved or its machine was started again."""
    row = context.tx.one("get_node", node=own.name)
    other = node_of(row) if row else None
    if other is None or other.machine == own.machine or not is_alive(context, other):
        return None
    return other


def put_node(context: Context, own: Node) -> None:
    """The node lives."""
    report = {
        "CurrentKey": own.keys.current,
        "Fingerprints": dict(own.keys.fingerprints),
        "Listen": own.listen,
        "MediaControl": own.media_control,
        "MediaAddresses": own.media_addresses,
        "Machine": own.machine,
    }
    context.tx.run(
        "put_node",
        node=own.name,
        seen_at=context.now,
        draining=int(own.draining),
        report=json.dumps(report),
    )


def leave_nodes(context: Context, name: str) -> None:
    """The node has ended its calls and stops."""
    context.tx.run("remove_node", node=name)


def known_nodes(context: Context) -> list[Node]:
    """Every node that has not left, nor been buried."""
    return [node_of(row) for row in context.tx.all("list_nodes")]


def live_nodes(context: Context) -> list[Node]:
    return [node for node in known_nodes(context) if is_alive(context, node)]


def is_alive(context: Context, node: Node) -> bool:
    return context.now - node.seen_at <= ALIVE


def may_be_dead(context: Context, node: Node) -> bool:
    """Whether a node was not heard of for long enough. Who only cannot reach the database carries
    its calls on: where its rtpengine cannot be asked, it is given more time."""
    patience = GONE if node.media_control is None else ALIVE
    return context.now - node.seen_at > patience


def bury_node(context: Context, name: str) -> None:
    """Has the calls of a dead node hung up by whoever looks next, and ends the records of those
    that nobody had answered: what rang there has gone with it."""
    context.tx.lock("nodes")
    row = context.tx.one("get_node", node=name)
    if row is None or is_alive(context, node_of(row)):
        return
    context.tx.run("hang_up_calls_of_node", node=name, due=context.now - LEFT_ALONE)
    unanswered = context.tx.all("list_unanswered_calls_of_node", node=name)
    complete_calls(context, [row["call_id"] for row in unanswered])
    context.tx.run("remove_node", node=name)


def node_of(row: Row) -> Node:
    report: dict[str, Any] = json.loads(row["report"])
    return Node(
        name=row["node"],
        keys=MaskKeys(report["CurrentKey"], report["Fingerprints"]),
        listen=tuple(report["Listen"]),
        media_control=report["MediaControl"],
        media_addresses=tuple(report["MediaAddresses"]),
        machine=report.get("Machine", ""),
        seen_at=row["seen_at"],
        draining=bool(row["draining"]),
    )
