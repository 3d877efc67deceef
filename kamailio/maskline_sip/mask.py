"""The mask: what one party's message becomes on the other party's leg. Pure: no I/O, no state.

Nothing is ever edited: each message that leaves is written anew, from the identity that its
receiver knows and from the few header values that `allowed` lets pass. What a party needs to
find the other one again travels in the Contact that we give it: a sealed description of the
other leg (AES-SIV: deterministic, authenticated). Call-ID and tags are keyed hashes of the
other leg's. So any node that holds the keys can carry on any dialog, at any time.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from . import allowed, sip

CALLER, CALLED = "caller", "called"
CONTACT_METHODS = ("INVITE", "UPDATE")
KEY_BYTES = 64


class Refused(ValueError):
    """This message may not leave."""


@dataclass(frozen=True)
class Leg:
    """One party's side of a call, in that party's own words.

    `own` and `peer` are the addresses of itself and of the other side as they stand in the
    party's From and To, without tags; `tag` is the party's own; `target` its Contact URI. `trunk`
    and `peer_trunk` are marks of the carriers of this leg and of the other one. `flow` is where
    requests to the party go when no other way leads to it: back over a connection of its own.
    """

    reference: str
    side: str
    call_id: str
    tag: str
    own: str
    peer: str
    target: str
    routes: tuple[str, ...] = ()
    trunk: str = ""
    peer_trunk: str = ""
    flow: str = ""


@dataclass(frozen=True)
class Passage:
    """How a request crosses from its sender's leg (`near`) to the receiver's (`far`)."""

    key: str
    near: Leg
    far: Leg


class Keyring:
    """The keys that all nodes share, by one-letter name; `current` seals new calls."""

    def __init__(self, keys: Mapping[str, bytes], current: str) -> None:
        if current not in keys or any(not re.fullmatch("[a-z]", name) for name in keys):
            raise ValueError("keys are named by one letter a-z, and one of them is current")
        self.current = current
        self._seals = {name: AESSIV(key[:KEY_BYTES]) for name, key in keys.items()}
        self._hashes = {name: hashlib.sha256(b"alias" + key).digest() for name, key in keys.items()}

    def alias(self, key: str, *parts: str) -> str:
        """A short keyed hash: stable for the same parts, tells nothing about them."""
        data = "\n".join(parts).encode("latin-1")
        digest = hashlib.blake2b(data, key=self._hashes[key], digest_size=15).digest()
        return base64.b32encode(digest).decode().lower()

    @functools.lru_cache(maxsize=1024)  # noqa: B019  a worker holds one keyring for its life
    def seal(self, key: str, leg: Leg) -> str:
        """A leg as one token of lower-case letters and digits, fit for a URI's user part."""
        plain = "\n".join(_fields(leg)).encode("latin-1")
        sealed = self._seals[key].encrypt(_packed(plain), [b"leg"])
        return key + base64.b32encode(sealed).decode().rstrip("=").lower()

    def open(self, token: str) -> tuple[str, Leg] | None:
        """The leg behind a token and the name of its key; None for anything not sealed by us."""
        key, text = token[:1].lower(), token[1:].lower()
        if key not in self._seals or not _BASE32.fullmatch(text):
            return None
        try:
            sealed = _from_base32(text)
            plain = _unpacked(self._seals[key].decrypt(sealed, [b"leg"]))
        except (InvalidTag, ValueError, zlib.error):
            return None
        *fields, trunk, peer_trunk, flow = plain.decode("latin-1").split("\n")
        reference, side, call_id, tag, own, peer, target, *routes = fields
        leg = Leg(reference, side, call_id, tag, own, peer, target, tuple(routes))
        return key, replace(leg, trunk=trunk, peer_trunk=peer_trunk, flow=flow)


# What most legs have in common. Never change it while calls live: their tokens are packed by it.
_BASE32 = re.compile("[a-z2-7]{1,4000}")
_DIGITS = str.maketrans("abcdefghijklmnopqrstuvwxyz234567", "0123456789abcdefghijklmnopqrstuv")


def _from_base32(text: str) -> bytes:
    """The standard library's own reading of base32 takes fifteen times as long."""
    octets, spare = divmod(5 * len(text), 8)
    return (int(text.translate(_DIGITS), 32) >> spare).to_bytes(octets, "big")


_STEP = 32
_COMMON = b";transport=tls;transport=tcp>\n<sip:+;lr;transport=udp>\ncalled\ncaller\n"


def _packed(plain: bytes) -> bytes:
    """Tokens stand in every message, and a message over UDP should stay under 1300 bytes."""
    packer = zlib.compressobj(6, zlib.DEFLATED, -10, 4, zlib.Z_DEFAULT_STRATEGY, _COMMON)
    packed = packer.compress(plain) + packer.flush()
    return packed + b"\0" * (-len(packed) % _STEP)  # its length would tell of the other's name


def _unpacked(packed: bytes) -> bytes:
    return zlib.decompressobj(-10, _COMMON).decompress(packed)


def _fields(leg: Leg) -> tuple[str, ...]:
    named = (leg.reference, leg.side, leg.call_id, leg.tag, leg.own, leg.peer, leg.target)
    return (*named, *leg.routes, leg.trunk, leg.peer_trunk, leg.flow)


@dataclass(frozen=True)
class Call:
    """What was decided about a new call: `shown` is the URI that the called party sees as the
    caller's, `called` the URI to ring; `trunk` and `called_trunk` mark the carriers of both."""

    reference: str
    shown: str
    called: str
    trunk: str = ""
    called_trunk: str = ""


def first_passage(keys: Keyring, request: sip.Message, call: Call, flow: str = "") -> Passage:
    """The passage of a call's first request (RFC 3261 12.1)."""
    key, sender = keys.current, request.address("from")
    if not sender.tag:
        raise Refused("a request without a From tag")
    near = replace(
        _sender_leg(request, call.reference, CALLER),
        trunk=call.trunk,
        peer_trunk=call.called_trunk,
        flow=flow,
    )
    far = Leg(
        call.reference,
        CALLED,
        keys.alias(key, "call", near.call_id, near.tag),
        tag="",
        own=f"<{call.called}>",
        peer=f"<{call.shown}>",
        target=call.called,
        trunk=call.called_trunk,
        peer_trunk=call.trunk,
    )
    return Passage(key, near, far)


def dialog_passage(keys: Keyring, request: sip.Message, flow: str = "") -> Passage | None:
    """The passage of a request within a dialog, from the token in its request URI. None when
    the token is not ours, or was not given to this sender in this dialog."""
    opened = keys.open(sip.user(request.uri))
    if opened is None:
        return None
    key, far = opened
    near = replace(
        _sender_leg(request, far.reference, CALLER if far.side == CALLED else CALLED),
        trunk=far.peer_trunk,
        peer_trunk=far.trunk,
        flow=flow,
    )
    caller, called_call_id = (near, far.call_id) if far.side == CALLED else (far, near.call_id)
    belongs = called_call_id == keys.alias(key, "call", caller.call_id, caller.tag)
    if not belongs or request.address("to").tag != keys.alias(key, "tag", far.call_id, far.tag):
        return None
    return Passage(key, near, far)


def _sender_leg(request: sip.Message, reference: str, side: str) -> Leg:
    sender, contacts = request.address("from"), request.listed("contact")
    target = sip.address(contacts[0]).uri if contacts else ""
    routes = tuple(request.listed("record-route"))
    own, peer = sender.text, request.address("to").text
    return Leg(reference, side, request.call_id, sender.tag, own, peer, target, routes)


def request_payload(
    keys: Keyring, passage: Passage, request: sip.Message, local: str, body: allowed.Body
) -> bytes:
    """The request as the far party gets it, all but our own Via, which the gate puts in.
    `local` is our address on that leg, as it stands in a Contact (host:port;transport=…)."""
    near, far, method = passage.near, passage.far, request.method
    tag = keys.alias(passage.key, "tag", near.call_id, near.tag)
    headers = [
        ("Max-Forwards", str(allowed.hops(request))),
        ("From", f"{far.peer};tag={tag}"),
        ("To", far.own + (f";tag={far.tag}" if far.tag else "")),
        ("Call-ID", far.call_id),
        ("CSeq", f"{request.cseq[0]} {method}"),
        *(("Route", route) for route in far.routes),
    ]
    if method in CONTACT_METHODS:
        if not near.target:
            raise Refused(f"{method} without a Contact")
        headers.append(("Contact", f"<sip:{keys.seal(passage.key, near)}@{local}>"))
    headers += allowed.request_headers(request)
    return _written(f"{method} {far.target} SIP/2.0", headers, body)


def answered_leg(passage: Passage, reply: sip.Message) -> Leg:
    """The far leg as its reply describes it: its tag, its newest target, its route set, which
    is fixed by the reply that makes the dialog (RFC 3261 12.1.2, 12.2)."""
    contacts = reply.listed("contact")
    target = sip.address(contacts[0]).uri if contacts else passage.far.target
    if passage.far.tag:
        return replace(passage.far, target=target)
    routes = tuple(reversed(reply.listed("record-route")))
    return replace(passage.far, tag=reply.address("to").tag, target=target, routes=routes)


@dataclass(frozen=True)
class Asked:
    """What a reply needs to know of the request that it answers, as its sender wrote it."""

    vias: Sequence[str]
    sender: str
    receiver: str
    record_routes: Sequence[str]
    local: str


def reply_payload(
    keys: Keyring, passage: Passage, asked: Asked, reply: sip.Message, body: allowed.Body
) -> bytes:
    """A reply of the far party as the near party, who asked, gets it."""
    near, far = passage.near, answered_leg(passage, reply)
    status = allowed.status(reply.status)
    receiver = asked.receiver
    if far.tag and not sip.address(receiver).tag:
        receiver += ";tag=" + keys.alias(passage.key, "tag", far.call_id, far.tag)
    headers = [
        *(("Via", via) for via in asked.vias),
        ("From", asked.sender),
        ("To", receiver),
        ("Call-ID", near.call_id),
        ("CSeq", reply.first("cseq")),
    ]
    if 100 < status < 300:
        headers += [("Record-Route", route) for route in asked.record_routes]
        if reply.method in CONTACT_METHODS and reply.all("contact"):
            headers.append(("Contact", f"<sip:{keys.seal(passage.key, far)}@{asked.local}>"))
    headers += allowed.reply_headers(reply)
    return _written(f"SIP/2.0 {status} {allowed.reason(status)}", headers, body)


def _written(start: str, headers: list[tuple[str, str]], body: allowed.Body) -> bytes:
    if body.content:
        headers.append(("Content-Type", body.type))
    return sip.write(start, headers, body.content)
