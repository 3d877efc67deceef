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
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from . import allowed, sip

CALLER, CALLED = "caller", "called"
PRIVATE = "X-Maskline"
LOCAL = "local"
CONTACT_METHODS = ("INVITE", "UPDATE")
KEY_BYTES = 64


class Refused(ValueError):
    """This message may not leave."""


@dataclass(frozen=True)
class Leg:
    """One party's side of a call, in that party's own words.

    `own` and `peer` are the addresses of itself and of the other side as they stand in the
    party's From and To, without tags; `tag` is the party's own; `target` its Contact URI.
    """

    reference: str
    side: str
    call_id: str
    tag: str
    own: str
    peer: str
    target: str
    routes: tuple[str, ...] = ()


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
        plain = "\n".join((*_fields(leg), *leg.routes)).encode("latin-1")
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
        reference, side, call_id, tag, own, peer, target, *routes = plain.decode("latin-1").split(
            "\n"
        )
        return key, Leg(reference, side, call_id, tag, own, peer, target, tuple(routes))


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
    return (leg.reference, leg.side, leg.call_id, leg.tag, leg.own, leg.peer, leg.target)


def first_passage(
    keys: Keyring, request: sip.Message, reference: str, shown: str, called: str
) -> Passage:
    """The passage of a call's first request: `shown` is the URI that the called party sees as
    the caller's, `called` the URI to ring (RFC 3261 12.1)."""
    key, sender = keys.current, request.address("from")
    if not sender.tag:
        raise Refused("a request without a From tag")
    near = _sender_leg(request, reference, CALLER)
    far_call_id = keys.alias(key, "call", near.call_id, near.tag)
    far = Leg(reference, CALLED, far_call_id, "", f"<{called}>", f"<{shown}>", called)
    return Passage(key, near, far)


def dialog_passage(keys: Keyring, request: sip.Message) -> Passage | None:
    """The passage of a request within a dialog, from the token in its request URI. None when
    the token is not ours, or was not given to this sender in this dialog."""
    opened = keys.open(sip.user(request.uri))
    if opened is None:
        return None
    key, far = opened
    near = _sender_leg(request, far.reference, CALLER if far.side == CALLED else CALLED)
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


class Branches:
    """Hides the branch of our own Via: Kamailio makes it by hashing, without a key, what the
    sender wrote, so a guess at the sender's identifiers could be checked against it. The hash is
    put through a block cipher on its way out and back in a reply; the secret is this start's."""

    _FORM = re.compile(rb"z9hG4bK([0-9a-f]{1,4})\.([0-9a-f]{32})\.([0-9a-f]{1,4})")
    _TOP = re.compile(
        rb"\r\n(?:Via|v)[ \t]*:[^\r,]*?;[ \t]*branch[ \t]*=[ \t]*([^;,\s]+)", re.IGNORECASE
    )

    def __init__(self, secret: str) -> None:
        self._key = hashlib.sha256(b"branch" + secret.encode()).digest()
        self._cipher = Cipher(algorithms.AES(self._key), modes.ECB())  # noqa: S305  one block

    def hide(self, branch: bytes) -> bytes:
        found = self._FORM.fullmatch(branch)
        if not found:  # a branch that no reply comes back to: that of an ACK
            return (
                b"z9hG4bK"
                + hashlib.blake2b(branch, key=self._key, digest_size=12).hexdigest().encode()
            )
        encryptor = self._cipher.encryptor()
        hidden = encryptor.update(bytes.fromhex(found[2].decode())) + encryptor.finalize()
        slot = self._slot(found[1], hidden)
        return b"z9hG4bK%s.%s.%s" % (slot, hidden.hex().encode(), found[3])

    def show(self, raw: bytes) -> bytes:
        """A received reply with the branch that Kamailio knows; unchanged when it is not ours."""
        found = self._TOP.search(raw)
        form = self._FORM.fullmatch(found[1]) if found else None
        if not found or not form:
            return raw
        hidden = bytes.fromhex(form[2].decode())
        decryptor = self._cipher.decryptor()
        known = decryptor.update(hidden) + decryptor.finalize()
        slot = self._slot(form[1], hidden)
        branch = b"z9hG4bK%s.%s.%s" % (slot, known.hex().encode(), form[3])
        return raw[: found.start(1)] + branch + raw[found.end(1) :]

    def _slot(self, digits: bytes, hidden: bytes) -> bytes:
        """The transaction's place in Kamailio's table (its hex digits stand in reverse order)."""
        mask = hashlib.blake2b(hidden, key=self._key, digest_size=2).digest()
        value = int(digits[::-1], 16) ^ int.from_bytes(mask, "big")
        return (b"%04x" % value)[::-1]


class Gate:
    """The last thing that every outgoing message passes. A message leaves only with the
    private header that this start's secret signs, and only what that header holds leaves."""

    def __init__(self, secret: str, addresses: Sequence[str]) -> None:
        self._mark = f"\r\n{PRIVATE}: {secret} ".encode()
        hosts = "|".join(re.escape(host) for host in addresses)
        self._own_via = re.compile(
            rf"\r\nVia: (SIP/2\.0/[A-Z]+ (?:{hosts});branch=)(z9hG4bK[0-9A-Za-z.-]+)"
            r"((?:;rport)?(?:;i=[0-9a-f]+)?(?:;alias)?)\r\n".encode()
        )
        self._branches = Branches(secret)

    def header(self, payload: bytes) -> str:
        """The private header that lets `payload` pass, to be put on Kamailio's message."""
        text = self._mark.decode().lstrip() + base64.b64encode(payload).decode()
        return text + "\r\n"

    def leave(self, raw: bytes) -> bytes:
        """What goes on the wire instead of `raw`; `Refused` when nothing may."""
        head = raw.partition(b"\r\n\r\n")[0] + b"\r\n"
        marks = [part.split(b"\r\n", 1)[0] for part in head.split(self._mark)[1:]]
        sealed = [mark for mark in marks if mark != LOCAL.encode()]
        if not marks:
            raise Refused("no private header")
        if not sealed:
            return _own_message(sip.parse(raw))
        payload = base64.b64decode(sealed[-1], validate=True)
        if payload.startswith(b"SIP/2.0 "):
            return payload
        via = self._own_via.search(head)
        if not via or head.find(b"\r\nVia:") != via.start():
            raise Refused("our own Via is not on top")
        start, _, rest = self._for_method(raw, payload).partition(b"\r\n")
        own = via[1] + self._branches.hide(via[2]) + via[3]
        return start + b"\r\nVia: " + own + b"\r\n" + rest

    def enter(self, raw: bytes) -> bytes:
        """What Kamailio reads instead of a received reply."""
        return self._branches.show(raw)

    def _for_method(self, raw: bytes, payload: bytes) -> bytes:
        """Kamailio makes CANCEL and the ACK of a failure from an INVITE: so do we."""
        method = raw.split(b" ", 1)[0].decode()
        if payload.startswith(method.encode() + b" "):
            return payload
        invite = sip.parse(payload.replace(b"\r\n", b"\r\nVia: x\r\n", 1))
        if method not in ("ACK", "CANCEL") or invite.method != "INVITE":
            raise Refused(f"{method} made from {invite.method}")
        kept = ("max-forwards", "from", "to", "call-id", "route")
        headers = [(allowed.NAMES[name], v) for name, v in invite.headers if name in kept]
        headers.append(("CSeq", f"{invite.cseq[0]} {method}"))
        tag = sip.parse(raw).address("to").tag if method == "ACK" else ""
        if tag:
            headers = [_with_tag(header, tag) for header in headers]
        return sip.write(f"{method} {invite.uri} SIP/2.0", headers)


def _with_tag(header: tuple[str, str], tag: str) -> tuple[str, str]:
    name, value = header
    untagged = name == "To" and not sip.address(value).tag
    return (name, f"{value};tag={tag}") if untagged else header


def _own_message(message: sip.Message) -> bytes:
    """A message of Kamailio's own making holds nothing of another leg: a reply is made from
    the very request that it answers. It is still written anew."""
    kept = ("via", "from", "to", "call-id", "cseq", "record-route")
    if not message.is_reply:
        raise Refused("a request of nobody's")
    headers = [(allowed.NAMES[n], v) for n, v in message.headers if n in kept]
    headers += allowed.own_headers(message)
    return sip.write(f"SIP/2.0 {message.status} {allowed.reason(message.status)}", headers)
