"""rtpengine by its control protocol (JSON form): every description passes through it."""

from __future__ import annotations

import json
import math
import os
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from . import mask, places, sdp

# The media of one leg is told nothing of the other's: no ICE candidates, and no RTCP, which names
# its sender. The engine swallows only RTCP that begins with a report, and a telephone's farewell
# does not. So it is made to believe that both sides send RTCP and RTP to one port, and keeps no
# other open, while neither side is told: what they send goes nowhere.
OPTIONS: dict[str, Any] = {
    "ICE": "remove",
    "DTLS": "off",
    "replace": ["origin", "zero-address"],  # of hold as in RFC 2543 the direction tells
    "flags": ["trust-address", "generate-RTCP"],
    "rtcp-mux": ["accept", "require"],
    # Offered are two suites that everybody has, and one with a longer key. AES-GCM of 10.5 is not
    # understood by others (baresip hears nothing).
    "SDES": [
        "no-NULL_HMAC_SHA1_80", "no-NULL_HMAC_SHA1_32", "no-F8_128_HMAC_SHA1_80",
        "no-F8_128_HMAC_SHA1_32", "no-AES_192_CM_HMAC_SHA1_80", "no-AES_192_CM_HMAC_SHA1_32",
        "no-AES_256_CM_HMAC_SHA1_32", "no-AEAD_AES_128_GCM", "no-AEAD_AES_256_GCM",
    ],
}  # fmt: skip
OFF, OPTIONAL, REQUIRED, DTLS = "off", "optional", "required", "dtls"
TUNNELLED = "UDP/TLS/RTP/SAVPF"
OFFERED: dict[str, dict[str, Any]] = {
    OFF: {"transport-protocol": "RTP/AVP"},
    OPTIONAL: {"transport-protocol": "RTP/AVP", "OSRTP": ["offer"]},
    REQUIRED: {"transport-protocol": "RTP/SAVP"},
    DTLS: {
        "transport-protocol": TUNNELLED, "ICE": "force", "DTLS": "active", "SDES": ["off"],
        "flags": [*OPTIONS["flags"], "generate-mid"],
    },
}  # fmt: skip
ANSWERED: dict[str, dict[str, Any]] = {
    OFF: {},
    OPTIONAL: {"OSRTP": ["accept"]},
    REQUIRED: {"OSRTP": ["accept"]},
    DTLS: {"ICE": "force", "DTLS": "active"},
}


@dataclass(frozen=True)
class Terms:
    """What holds for the sound of a message's sender and of its receiver: SRTP is off, optional
    or required (RFC 4568), or has its keys from DTLS, as browsers have it (RFC 8827); `family` is
    the receiver's, IP4 or IP6, or empty where it is known; the codecs of each side are those that
    it may use, the preferred first, or any; `new` when the engine knows nothing of the receiver
    that could be asked for."""

    sender: str = OFF
    receiver: str = OFF
    family: str = ""
    sender_codecs: tuple[str, ...] = ()
    receiver_codecs: tuple[str, ...] = ()
    new: bool = False


PLAIN = Terms()


# Seconds that an answer is waited for, before and after a request is sent again: a datagram may get
# lost, and the engine answers a repeat from memory.
WAITS = (0.2, 0.8)
# After as many in vain nothing is asked for a while: a worker that waits is missing to all others.
SILENT_SECONDS = 3.0


class MediaDown(OSError):
    """No media engine answered, or it refused."""


class Media:
    def __init__(self, engine: tuple[str, int], addresses: list[str]) -> None:
        self._engine, self._addresses = engine, set(addresses)
        self._socket: socket.socket | None = None
        self._silent_until = 0.0

    def offer(
        self, call: str, sender: str, offered: sdp.Description, terms: Terms = PLAIN
    ) -> sdp.Description:
        """What the other side is offered: the same streams, at the engine's address. Raises
        `sdp.Unacceptable` when they cannot be had on these terms."""
        steps: list[dict[str, Any]] = [
            {"command": "offer", "call-id": half, "from-tag": sender, **OFFERED[OFF]}
            for half in halves(call, sender, terms)
        ]
        steps[-1] |= OFFERED[self._demanded(steps[-1]["call-id"], sender, terms)]
        if terms.family:
            steps[-1]["address-family"] = terms.family
        return self._relayed(steps, self._placed(steps[0], sender, offered), terms)

    def answer(
        self,
        call: str,
        offerer: str,
        answerer: str,
        given: sdp.Description,
        terms: Terms = PLAIN,
    ) -> sdp.Description:
        """The same for an answer, whose sender is the answerer."""
        tags = {"from-tag": offerer, "to-tag": answerer}
        steps: list[dict[str, Any]] = [
            {"command": "answer", "call-id": half, **tags} for half in halves(call, answerer, terms)
        ]
        steps[-1] |= ANSWERED[terms.receiver]
        return self._relayed(steps, self._placed(steps[0], answerer, given), terms)

    def _demanded(self, half: str, sender: str, terms: Terms) -> str:
        """How the other side is offered encryption. Where it has demanded it, it is offered nothing
        less: of plain sound with keys beside it (RFC 8643) many would take the plain sound."""
        if terms.receiver != OPTIONAL or terms.new:
            return terms.receiver
        receiver = mask.CALLED if sender == mask.CALLER else mask.CALLER
        known = self._medias(half, receiver)
        demanded = any(media.get("protocol") in sdp.SECURE for media in known)
        return REQUIRED if demanded else OPTIONAL

    def play(self, call: str, side: str, file: str) -> int:
        """Begins to play a sound file to one side; how many milliseconds it lasts."""
        told = {"command": "play media", "call-id": call, "from-tag": side, "file": file}
        return int(self._command(told)["duration"])

    def delete(self, call: str, halves: int = 2) -> None:
        """End the call's media; nothing is waited for, the engine times out what is left."""
        for half in (call, call + SECOND)[:halves]:
            self._delete(half)

    def delete_second(self, call: str) -> None:
        """The same for what the engine has of the call for the called side alone."""
        self._delete(call + SECOND)

    def _delete(self, half: str) -> None:
        _, request = datagram({"command": "delete", "call-id": half})
        self._send(request)

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _placed(self, step: dict[str, Any], side: str, given: sdp.Description) -> sdp.Description:
        """What a side sent, with the place where the engine knows it in place of none: who holds
        has not moved, and when the hold is refused, all is as it was."""
        held = [stream for stream in given.active if not stream.tunnelled]
        if not any(sdp.is_no_place(given.place(stream)) for stream in held):
            return given
        return places.placed(given, self._places(step["call-id"], side))

    def places(self, call: str, side: str, terms: Terms = PLAIN) -> list[tuple[str, int]]:
        """Where a side hears its streams, as far as the engine knows."""
        return self._places(halves(call, side, terms)[0], side)

    def knows(self, call: str, side: str, terms: Terms = PLAIN) -> bool:
        """Whether a side has described its streams."""
        return bool(self._medias(halves(call, side, terms)[0], side))

    def signalled_at(self, call: str, side: str, terms: Terms = PLAIN) -> float:
        """When the engine was told last of a call, in seconds; infinite where it does not say."""
        try:
            told = self._command({"command": "query", "call-id": halves(call, side, terms)[0]})
            return float(told["last signal"])
        except (MediaDown, LookupError):
            return math.inf

    def _places(self, half: str, side: str) -> list[tuple[str, int]]:
        try:
            known = [media["streams"][0]["endpoint"] for media in self._medias(half, side)]
        except LookupError:
            return []
        return [(one["address"], one["port"]) for one in known]

    def _medias(self, half: str, side: str) -> list[dict[str, Any]]:
        """What the engine knows of a side's streams."""
        try:
            told = self._command({"command": "query", "call-id": half})
            medias: list[dict[str, Any]] = told["tags"][side]["medias"]
        except (MediaDown, LookupError):  # it is new to the engine
            return []
        return medias

    def _relayed(
        self, steps: Sequence[dict[str, Any]], given: sdp.Description, terms: Terms
    ) -> sdp.Description:
        passed = sdp.limited(accepted(given, terms.sender), terms.sender_codecs)
        passed = sdp.limited(passed, terms.receiver_codecs)
        for step in steps:
            passed = self._step(step, passed)
        if sdp.keys(passed) & sdp.keys(given):
            raise MediaDown("the engine passed on a key")
        return fulfilled(sdp.refusing_as(passed, given), terms.receiver)

    def _step(self, step: dict[str, Any], given: sdp.Description) -> sdp.Description:
        text = sdp.write(with_mux(given), 1, 1).decode()
        result = self._command({**OPTIONS, "sdp": text, **step})
        relayed = sdp.read(result.get("sdp", "").encode("latin-1"))
        if not sdp.addresses(relayed) <= self._addresses:
            raise MediaDown("the engine told an address that is not its own")
        return untold(relayed)

    def _command(self, command: dict[str, Any]) -> dict[str, Any]:
        if self._is_silent():
            raise MediaDown("silent")
        try:
            answer = self._answer(*datagram(command))
        except OSError as error:
            raise MediaDown("no answer") from error
        if answer is None:
            self._silent_until = time.monotonic() + SILENT_SECONDS
            raise MediaDown("no answer in time")
        result: dict[str, Any] = json.loads(answer.decode("latin-1"))
        if result.get("result") != "ok":
            raise MediaDown(str(result.get("result")))
        return result

    def _is_silent(self) -> bool:
        """Whether it said nothing to the latest requests, and nothing since."""
        if self._socket is None or time.monotonic() >= self._silent_until:
            return False
        self._socket.settimeout(0)
        try:
            self._socket.recv(65536)
        except BlockingIOError:
            return True
        except OSError:  # nobody is there: then to ask takes no time
            pass
        self._silent_until = 0.0
        return False

    def _answer(self, cookie: bytes, request: bytes) -> bytes | None:
        for wait in WAITS:
            line = self._send(request)
            until = time.monotonic() + wait
            with suppress(TimeoutError):
                while (left := until - time.monotonic()) > 0:
                    line.settimeout(left)
                    given, _, answer = line.recv(65536).partition(b" ")
                    if given == cookie:
                        return answer
        return None

    def _send(self, request: bytes) -> socket.socket:
        """Sends, and gives where the answer comes."""
        if self._socket is None:
            family = socket.AF_INET6 if ":" in self._engine[0] else socket.AF_INET
            line = socket.socket(family, socket.SOCK_DGRAM)
            line.connect(self._engine)
            self._socket = line
        try:
            self._socket.send(request)
        except ConnectionRefusedError:  # what was sent before this met nobody; this may
            self._socket.send(request)
        return self._socket


def datagram(command: dict[str, Any]) -> tuple[bytes, bytes]:
    """A request, and before it the cookie that its answer begins with."""
    cookie = os.urandom(8).hex().encode()
    return cookie, cookie + b" " + json.dumps(command).encode()


# Where both sides may encrypt, the engine would give one side's keys to the other to save itself
# work. So each side has a call of its own in the engine, and plain sound passes between the two.
SECOND = "/called"


def halves(call: str, sender: str, terms: Terms) -> list[str]:
    """The calls in the engine that a description passes, in the order from its sender on."""
    if OFF in (terms.sender, terms.receiver):
        return [call]
    return [call, call + SECOND] if sender == mask.CALLER else [call + SECOND, call]


def with_mux(description: sdp.Description) -> sdp.Description:
    streams = [replace(stream, rtcp_mux=True) for stream in description.streams]
    return replace(description, streams=streams)


def untold(relayed: sdp.Description) -> sdp.Description:
    """Of one port for RTP and RTCP nobody is told but a browser, which insists on it."""
    streams = [replace(stream, rtcp_mux=stream.tunnelled) for stream in relayed.streams]
    return replace(relayed, streams=streams)


def accepted(given: sdp.Description, srtp: str) -> sdp.Description:
    """What a side sent, as far as its terms allow. Some offer the same sound twice, encrypted and
    plain, and want one of both refused (RFC 3264 6)."""
    streams = list(given.streams)
    if srtp == OFF:
        streams = [replace(stream, keys=[]) for stream in streams]
    kept = [stream for stream in streams if stream.port and fits(stream, srtp)]
    if srtp == DTLS:
        kept = kept[:1]  # one bundle is one way
    streams = [s if any(s is one for one in kept) else replace(s, port=0) for s in streams]
    if given.active and not kept:
        raise sdp.Unacceptable(MISFIT[srtp])
    return replace(given, streams=streams)


MISFIT = {
    OFF: "encrypted, and this carrier's srtp is off",
    OPTIONAL: "by DTLS, and this carrier's srtp is optional",
    REQUIRED: "not encrypted",
    DTLS: "not by ICE and DTLS, and this carrier's srtp is dtls",
}


def fits(stream: sdp.Stream, srtp: str) -> bool:
    """Whether a stream is on these terms."""
    if srtp == DTLS or stream.tunnelled:
        return srtp == DTLS and stream.tunnelled
    return stream.secure if srtp == REQUIRED else srtp == OPTIONAL or stream.profile in sdp.PLAIN


def fulfilled(relayed: sdp.Description, srtp: str) -> sdp.Description:
    """What a side is sent, if it is on its terms."""
    for stream in relayed.active:
        told = stream.tunnelled and stream.dtls.candidates
        if not fits(stream, srtp) or (srtp == OFF and stream.secure) or (srtp == DTLS and not told):
            raise MediaDown("the engine does not keep to the carrier's srtp")
    return relayed
