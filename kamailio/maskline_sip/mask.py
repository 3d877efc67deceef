"""The mask: what one party's message becomes on the other party's leg. Pure: no I/O, no state.

Nothing is ever edited: each message that leaves is written anew, from the identity that its
receiver knows and from the few header values that `allowed` lets pass. What a party needs to
find the other one again travels in the Contact that we give it: a sealed description of the
other leg (`siv`: deterministic, authenticated). Call-ID and tags are keyed hashes of the
other leg's. So any node that holds the keys can carry on any dialog, at any time.
"""

from __future__ import annotations

import functools
import hashlib
import re
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from . import allowed, sip
from .siv import Forged, Siv

CALLER, CALLED = "caller", "called"
ENCRYPTED = "tls"  # as the `flow` of a leg
CONTACT_METHODS = ("INVITE", "UPDATE")


class Refused(ValueError):
    """This message may not leave."""


class Leg(NamedTuple):
    """One party's side of a call, in that party's own words.

    `own` and `peer` are the addresses of itself and of the other side as they stand in the
    party's From and To, without names and tags; `tag` is the party's own; `target` its Contact URI.
    `trunk` and `peer_trunk` are marks of the carriers of this leg and of the other. `flow` is where
    requests to the party go when no other way leads to it: back over a connection of its own, or
    ENCRYPTED where whoever spoke over TLS names a place to be reached in the open.
    `cseq` is how far ahead of the sender's the numbers of requests to the party are (empty: not),
    `peer_cseq` the same of those to the other side. `recorded` is "1" where the sound is kept, so
    that it must be such as the recorder understands.
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
    cseq: str = ""
    peer_cseq: str = ""
    recorded: str = ""


ROUTES = Leg._fields.index("routes")
_AFTER = len(Leg._fields) - ROUTES - 1


def around_routes(leg: Leg) -> tuple[Sequence[str], Sequence[str]]:
    """A leg's values before and after its routes."""
    values: Any = leg
    return values[:ROUTES], values[ROUTES + 1 :]


def leg_of(fields: Sequence[str]) -> Leg:
    """The leg whose values these are, its routes one by one where they stand."""
    end = len(fields) - _AFTER
    return Leg._make([*fields[:ROUTES], tuple(fields[ROUTES:end]), *fields[end:]])


class Passage(NamedTuple):
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
        self._seals = {name: Siv(key, b"leg") for name, key in keys.items()}
        self._hashes = {name: hashlib.sha256(b"alias" + key).digest() for name, key in keys.items()}

    @functools.lru_cache(maxsize=32)  # noqa: B019  a worker holds one keyring for its life
    def alias(self, key: str, *parts: str) -> str:
        """A short keyed hash: stable for the same parts, tells nothing about them."""
        data = "\n".join(parts).encode("latin-1")
        digest = hashlib.blake2b(data, key=self._hashes[key], digest_size=15).digest()
        return _to_base32(digest)

    def seal(self, key: str, leg: Leg) -> str:
        """A leg as one token of lower-case letters and digits, fit for a URI's user part. Raises
        Refused for one that is longer than any that is opened."""
        before, after = around_routes(leg)
        plain = "\n".join((*before, *leg.routes, *after)).encode("latin-1")
        if len(plain) > LONGEST_LEG:  # what is reported of it must fit a line
            raise Refused("a leg of this length")
        token = key + _to_base32(self._seals[key].seal(_packed(plain)))
        if len(token) > LONGEST_TOKEN:
            raise Refused("a leg of this length")
        return token

    def open(self, token: str) -> tuple[str, Leg] | None:
        """The leg behind a token and the name of its key; None for anything not sealed by us."""
        key, text = token[:1].lower(), token[1:].lower()
        if key not in self._seals or len(token) > LONGEST_TOKEN or not _BASE32.fullmatch(text):
            return None
        try:
            sealed = _from_base32(text)
            plain = _unpacked(self._seals[key].open(sealed))
        except (Forged, zlib.error):
            return None
        fields = plain.decode("latin-1").split("\n")
        return key, leg_of(fields)


LONGEST_TOKEN = 4000
LONGEST_LEG = 6000
_BASE32 = re.compile("[a-z2-7]+")
_ALPHABET = b"abcdefghijklmnopqrstuvwxyz234567"
_LETTERS = bytes.maketrans(bytes(range(32)), _ALPHABET)
_DIGITS = str.maketrans(_ALPHABET.decode(), "0123456789abcdefghijklmnopqrstuv")


# RFC 4648 section 6, in small letters and without padding. The standard library's own takes many
# times as long, and each message holds some.


@functools.cache
def _spreads(places: int) -> list[tuple[int, int, int]]:
    """How to spread `places` (a power of two) fields of 5 bits over as many octets: in each round
    the upper half of every field moves up. Shift, mask of the upper and of the lower halves."""
    rounds, half = [], places // 2
    while half:
        fields = range(0, 8 * places, 16 * half)
        lower = sum(((1 << 5 * half) - 1) << at for at in fields)
        rounds.append((3 * half, lower << 5 * half, lower))
        half //= 2
    return rounds


def _to_base32(data: bytes) -> str:
    length = -(-8 * len(data) // 5)
    number = int.from_bytes(data, "big") << (5 * length - 8 * len(data))
    for shift, upper, lower in _spreads(1 << (length - 1).bit_length()):
        number = (number & upper) << shift | number & lower
    return number.to_bytes(length, "big").translate(_LETTERS).decode("ascii")


def _from_base32(text: str) -> bytes:
    octets, spare = divmod(5 * len(text), 8)
    return (int(text.translate(_DIGITS), 32) >> spare).to_bytes(octets, "big")


# What most legs have in common. Never change it while calls live: their tokens are packed by it.
_STEP = 32
_COMMON = b";transport=tls;transport=tcp>\n<sip:+;lr;transport=udp>\ncalled\ncaller\n"


def _packed(plain: bytes) -> bytes:
    """Tokens stand in every message, and a message over UDP should stay under 1300 bytes."""
    packer = zlib.compressobj(6, zlib.DEFLATED, -10, 4, zlib.Z_DEFAULT_STRATEGY, _COMMON)
    packed = packer.compress(plain) + packer.flush()
    return packed + b"\0" * (-len(packed) % _STEP)  # its length would tell of the other's name


def _unpacked(packed: bytes) -> bytes:
    return zlib.decompressobj(-10, _COMMON).decompress(packed)


class Call(NamedTuple):
    """What was decided about a new call: `shown` is the URI that the called party sees as the
    caller's, `called` the URI to ring; `trunk` and `called_trunk` mark the carriers of both, and
    `recorded` is as in Leg."""

    reference: str
    shown: str
    called: str
    trunk: str = ""
    called_trunk: str = ""
    recorded: str = ""


def first_passage(keys: Keyring, request: sip.Message, call: Call, flow: str = "") -> Passage:
    """The passage of a call's first request (RFC 3261 12.1)."""
    key, sender = keys.current, request.address("from")
    if not sender.tag:
        raise Refused("a request without a From tag")
    trunks = call.trunk, call.called_trunk
    near = _sender_leg(request, call.reference, CALLER, trunks, flow)
    near = near._replace(recorded=call.recorded)
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
        recorded=call.recorded,
    )
    return Passage(key, near, far)


def numbered(passage: Passage, to_near: str, to_far: str) -> Passage:
    """The passage where the numbers of requests to each party are so far ahead of the other's."""
    near, far = passage.near, passage.far
    return passage._replace(
        near=near._replace(cseq=to_near, peer_cseq=to_far),
        far=far._replace(cseq=to_far, peer_cseq=to_near),
    )


def dialog_passage(keys: Keyring, request: sip.Message, flow: str = "") -> Passage | None:
    """The passage of a request within a dialog, from the token in its request URI. None when
    the token is not ours, or was not given to this sender in this dialog."""
    opened = keys.open(sip.user(request.uri))
    if opened is None:
        return None
    key, far = opened
    side = CALLER if far.side == CALLED else CALLED
    near = _sender_leg(request, far.reference, side, (far.peer_trunk, far.trunk), flow)
    near = near._replace(cseq=far.peer_cseq, peer_cseq=far.cseq, recorded=far.recorded)
    caller, called_call_id = (near, far.call_id) if far.side == CALLED else (far, near.call_id)
    belongs = called_call_id == keys.alias(key, "call", caller.call_id, caller.tag)
    if not belongs or request.address("to").tag != keys.alias(key, "tag", far.call_id, far.tag):
        return None
    return Passage(key, near, far)


def _sender_leg(
    request: sip.Message, reference: str, side: str, trunks: tuple[str, str], flow: str
) -> Leg:
    sender, target = request.address("from"), sip.contact(request)
    routes = tuple(request.listed("record-route"))
    own, peer = sender.text, request.address("to").text
    return Leg(
        reference, side, request.call_id, sender.tag, own, peer, target, routes, *trunks, flow
    )


def request_payload(
    keys: Keyring,
    passage: Passage,
    request: sip.Message,
    local: str,
    body: allowed.Body,
    token: str = "",
    more: Sequence[tuple[str, str]] = (),
    invite: str | None = None,
) -> bytes:
    """The request as the far party gets it, all but our own Via, which the gate puts in.
    `local` is our address on that leg, as it stands in a Contact (host:port;transport=…),
    `token` the near leg, sealed, if it is known, `more` headers of our own making. `invite` is how
    far the INVITE that a PRACK names was ahead, if it is known, which may be less than by now."""
    near, far, method = passage.near, passage.far, request.method
    ahead = int(far.cseq or 0)
    named = ahead if invite is None else int(invite or 0)
    headers = later_headers(keys, passage, allowed.hops(request))
    headers.append(("CSeq", f"{request.cseq[0] + ahead} {method}"))
    if method in CONTACT_METHODS:
        if not near.target:
            raise Refused(f"{method} without a Contact")
        token = token or keys.seal(passage.key, near)
        headers.append(("Contact", f"<{sip.at(token, local)}>"))
    headers += allowed.request_headers(request, named)
    headers += more
    return _written(f"{method} {request_uri(far)} SIP/2.0", headers, body)


def later_headers(
    keys: Keyring, passage: Passage, hops: int = allowed.MOST_HOPS - 1
) -> list[tuple[str, str]]:
    """What all requests that cross by a passage have in common."""
    near, far = passage.near, passage.far
    return [
        ("Max-Forwards", str(hops)),
        ("From", f"{far.peer};tag={keys.alias(passage.key, 'tag', near.call_id, near.tag)}"),
        ("To", far.own + (f";tag={far.tag}" if far.tag else "")),
        ("Call-ID", far.call_id),
        *(("Route", route) for route in _routes(far)),
    ]


_LOOSE = re.compile(r";lr(?=[;=?]|$)", re.IGNORECASE)


def _is_strict(far: Leg) -> bool:
    """Whether the first proxy on the way is one of RFC 2543, which sends a request on to what it
    reads in its Route (RFC 3261 12.2.1.1)."""
    return bool(far.routes) and not _LOOSE.search(sip.address(far.routes[0]).uri)


def request_uri(far: Leg) -> str:
    return sip.address(far.routes[0]).uri if _is_strict(far) else far.target


def _routes(far: Leg) -> Sequence[str]:
    return (*far.routes[1:], f"<{far.target}>") if _is_strict(far) else far.routes


def next_hop(far: Leg) -> str:
    """Where a request within a dialog goes next."""
    told = sip.address(far.routes[0]).uri if far.routes else far.target
    return sip.over_tls(told) if far.flow == ENCRYPTED else far.flow or told


def wants_sips(far: Leg) -> bool:
    """Whether our Contact in a request within a dialog is a sips: URI (RFC 3261 8.1.1.8)."""
    return sip.is_secure(far.target, *(sip.address(route).uri for route in far.routes[:1]))


def answered_leg(passage: Passage, reply: sip.Message) -> Leg:
    """The far leg as its reply describes it: its tag, its newest target, its route set, which
    is fixed by the reply that makes the dialog (RFC 3261 12.1.2, 12.2)."""
    target = sip.contact(reply) or passage.far.target
    if passage.far.tag:
        return passage.far._replace(target=target)
    routes = tuple(reversed(reply.listed("record-route")))
    return passage.far._replace(tag=reply.address("to").tag, target=target, routes=routes)


class Asked(NamedTuple):
    """What a reply needs to know of the request that it answers, as its sender wrote it."""

    vias: Sequence[str]
    sender: str
    receiver: str
    record_routes: Sequence[str]
    local: str
    cseq: str


def ok_payload(passage: Passage, asked: Asked) -> bytes:
    """The 200 to a request within a dialog that tells nothing but that: the reply to a BYE."""
    return _written("SIP/2.0 200 OK", _answer(passage, asked, asked.receiver), allowed.NO_BODY)


def _answer(passage: Passage, asked: Asked, receiver: str) -> list[tuple[str, str]]:
    headers = [("Via", via) for via in asked.vias]
    return [
        *headers, ("From", asked.sender), ("To", receiver),
        ("Call-ID", passage.near.call_id), ("CSeq", asked.cseq),
    ]  # fmt: skip


def has_contact(reply: sip.Message) -> bool:
    """Whether a reply tells where its sender is to be reached, and may."""
    status = allowed.status(reply.status)
    return 100 < status < 300 and reply.method in CONTACT_METHODS and sip.contact(reply) != ""


def reply_payload(
    keys: Keyring,
    passage: Passage,
    asked: Asked,
    reply: sip.Message,
    body: allowed.Body,
    token: str = "",
    told: Leg | None = None,
) -> bytes:
    """A reply of the far party as the near party, who asked, gets it. `told` is the far leg as the
    reply describes it, and `token` that leg, sealed, if they are known."""
    far = told or answered_leg(passage, reply)
    status, receiver = allowed.status(reply.status), asked.receiver
    refused = status >= 300  # which has a tag in any case (RFC 3261 8.2.6.2)
    if (far.tag or refused) and not sip.address(receiver).tag:
        receiver += ";tag=" + keys.alias(passage.key, "tag", far.call_id, far.tag)
    headers = _answer(passage, asked, receiver)
    if 100 < status < 300:
        headers += [("Record-Route", route) for route in asked.record_routes]
    if has_contact(reply):
        token = token or keys.seal(passage.key, far)
        headers.append(("Contact", f"<{sip.at(token, asked.local)}>"))
    headers += allowed.reply_headers(reply)
    return _written(f"SIP/2.0 {status} {allowed.reason(status)}", headers, body)


def _written(start: str, headers: list[tuple[str, str]], body: allowed.Body) -> bytes:
    if body.content:
        headers.append(("Content-Type", body.type))
    return sip.write(start, headers, body.content)
