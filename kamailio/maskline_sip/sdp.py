"""Session descriptions by allow list (RFC 8866): read into a value, written anew from it.

A description becomes streams of known codecs and known parameters, nothing else: no names, no
user, no session id or version of the sender, no unknown attribute, no unknown value.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from . import dtls

MAX_BYTES = 16_384
MAX_STREAMS = 8
CODECS = {
    "PCMU", "PCMA", "G722", "G729", "GSM", "OPUS", "ILBC", "AMR", "AMR-WB", "G726-32",
    "SPEEX", "TELEPHONE-EVENT", "CN",
}  # fmt: skip
STATIC = {0, 3, 8, 9, 13, 18}
PLAIN = {"RTP/AVP", "RTP/AVPF"}
SECURE = {"RTP/SAVP", "RTP/SAVPF"}
# RFC 4568 6.2, RFC 6188, RFC 7714: how many bytes key and salt have together.
SUITES = {
    "AES_CM_128_HMAC_SHA1_80": 30, "AES_CM_128_HMAC_SHA1_32": 30,
    "AES_192_CM_HMAC_SHA1_80": 38, "AES_192_CM_HMAC_SHA1_32": 38,
    "AES_256_CM_HMAC_SHA1_80": 46, "AES_256_CM_HMAC_SHA1_32": 46,
    "AEAD_AES_128_GCM": 28, "AEAD_AES_256_GCM": 44,
}  # fmt: skip
MAX_KEYS = 12
# Of a stream that we refuse, what its sender must read again in the answer (RFC 3264 6).
KINDS = {"audio", "video", "image", "text", "application", "message"}
PROFILES = {
    *PLAIN, *SECURE, "UDP/TLS/RTP/SAVP", "UDP/TLS/RTP/SAVPF", "UDPTL", "TCP/MSRP", "TCP/TLS/MSRP",
    "TCP/BFCP", "UDP/BFCP",
}  # fmt: skip
FORMATS = {"t38", "*"}
DIRECTIONS = {"sendrecv", "sendonly", "recvonly", "inactive"}
# What a direction becomes where its sender wants nothing to be sent to it.
HOLDING = {"sendrecv": "sendonly", "recvonly": "inactive"}
PARAMETERS = {
    "annexb", "mode", "mode-set", "mode-change-period", "mode-change-neighbor", "octet-align",
    "crc", "robust-sorting", "maxplaybackrate", "sprop-maxcapturerate", "minptime",
    "maxaveragebitrate", "stereo", "sprop-stereo", "cbr", "useinbandfec", "usedtx",
}  # fmt: skip
_ADDRESS = re.compile(r"IN (IP4 \d{1,3}(?:\.\d{1,3}){3}|IP6 [0-9A-Fa-f:.]{2,45})")
_MEDIA = re.compile(r"([a-z]{1,12}) (\d{1,5})(?:/1)? ([A-Za-z/]{3,20}) (.{1,400})")
_RTPMAP = re.compile(r"rtpmap:(\d{1,3}) ([A-Za-z0-9-]{1,20})/([1-9]\d{3,5})(?:/([12]))?")
_FMTP = re.compile(r"fmtp:(\d{1,3}) (.{1,300})")
_EVENTS = re.compile(r"\d{1,2}(?:-\d{1,2})?(?:,\d{1,2}(?:-\d{1,2})?)*")
_VALUE = re.compile(r"\d{1,8}(?:,\d{1,8}){0,8}|yes|no")
# Without session parameters, which can turn encryption off, and without a master key identifier.
_CRYPTO = re.compile(
    r"crypto:(\d{1,9}) ([A-Z0-9_]{5,30}) inline:([A-Za-z0-9+/]{38,64}={0,2})(?:\|(?:2\^)?\d{1,12})?"
)
_PTIME = re.compile(r"(max)?ptime:(\d{1,3})")


class Unacceptable(ValueError):
    """The description cannot be passed on: answer 488."""


@dataclass
class Stream:
    """A media description (RFC 8866 5.14), as far as it may pass. By payload number `maps` has what
    `a=rtpmap` says, `formats` what `a=fmtp`. `port` is 0 where the stream is refused; `address` and
    `direction` are empty where those of the whole description hold."""

    kind: str
    port: int
    profile: str
    payloads: list[int]
    address: str = ""
    maps: dict[int, str] = field(default_factory=dict)
    formats: dict[int, str] = field(default_factory=dict)
    ptimes: list[str] = field(default_factory=list)
    direction: str = ""
    rtcp_mux: bool = False
    keys: list[tuple[str, str, str]] = field(default_factory=list)  # tag, suite, key and salt
    format: str = ""  # of a refused stream of another kind, in place of payloads
    dtls: dtls.Dtls = dtls.NONE

    @property
    def tunnelled(self) -> bool:
        """Whether it takes the way that ICE finds, with keys from DTLS: then `read` wants all that
        both need, and one port for RTP and RTCP."""
        return self.profile in dtls.PROFILES

    @property
    def secure(self) -> bool:
        """Whether its sender can encrypt it: as its profile has it, for which `read` wants keys, or
        on offer beside plain sound."""
        return bool(self.keys)


@dataclass
class Description:
    """A session description (RFC 8866), as far as it may pass; `address` is that of its `c=`."""

    address: str = ""
    direction: str = ""
    streams: list[Stream] = field(default_factory=list)
    dtls: dtls.Dtls = dtls.NONE  # what holds for streams that tell nothing else
    bundled: set[str] = field(default_factory=set)

    @property
    def active(self) -> list[Stream]:
        """The streams that are not refused or given up (RFC 3264 5.1)."""
        return [stream for stream in self.streams if stream.port]

    def place(self, stream: Stream) -> str:
        """Where the sender of a stream wants to be sent it."""
        return stream.address or self.address


def read(body: bytes) -> Description:
    """Read what is allowed; `Unacceptable` when the rest is no call that we can carry."""
    if len(body) > MAX_BYTES or body.count(b"\nm=") > MAX_STREAMS:
        raise Unacceptable("too large")
    description, wanted = Description(), False
    for line in body.decode("latin-1").replace("\r\n", "\n").split("\n"):
        kind, equals, value = line[:1], line[1:2], line[2:].strip()
        if equals != "=":
            continue
        if kind == "m":
            description.streams.append(_stream(value))
            wanted |= re.fullmatch(r"[a-z]+ 0+ .*", value) is None
        elif kind == "c":
            _connection(description, value)
        elif kind == "a":
            _attribute(description, value)
    _check(description)
    if wanted and not description.active:
        raise Unacceptable("no stream that we can carry")
    return description


def _stream(value: str) -> Stream:
    found = _MEDIA.fullmatch(value)
    if not found or int(found[2]) > 65535:
        raise Unacceptable("m=")
    kind, port, profile, formats = found[1], int(found[2]), found[3], found[4]
    if kind != "audio" or profile.upper() not in PLAIN | SECURE | dtls.PROFILES:
        return _refused(kind, profile, formats)
    numbers = [int(text) for text in formats.split() if re.fullmatch(r"\d{1,3}", text)]
    return Stream(kind, port, profile.upper(), [n for n in numbers if n < 128][:32])


def _refused(kind: str, profile: str, formats: str) -> Stream:
    kind = kind if kind in KINDS else "application"
    known = profile.upper() in PROFILES
    kept = formats if known and formats in FORMATS else ""
    return Stream(kind, 0, profile if known else "RTP/AVP", [0], format=kept)


def _connection(description: Description, value: str) -> None:
    found = _ADDRESS.fullmatch(value)
    if not found:
        raise Unacceptable("c=")
    if description.streams:
        description.streams[-1].address = found[1]
    else:
        description.address = found[1]


def _attribute(description: Description, value: str) -> None:
    if not description.streams:
        if value in DIRECTIONS:
            description.direction = value
        description.dtls = description.dtls.knowing(value)
        description.bundled |= dtls.bundled(value)
        return
    stream = description.streams[-1]
    if value in DIRECTIONS:
        stream.direction = value
    elif value == "rtcp-mux":
        stream.rtcp_mux = True
    elif found := _RTPMAP.fullmatch(value):
        _codec(stream, found)
    elif found := _FMTP.fullmatch(value):
        _format(stream, int(found[1]), found[2])
    elif found := _CRYPTO.fullmatch(value):
        _key(stream, found)
    elif found := _PTIME.fullmatch(value):
        stream.ptimes.append(f"{found[1] or ''}ptime:{found[2]}")
    elif stream.tunnelled:
        stream.dtls = stream.dtls.knowing(value)


def _codec(stream: Stream, found: re.Match[str]) -> None:
    name = found[2].upper()
    if name in CODECS:
        name = name.lower() if name in ("OPUS", "TELEPHONE-EVENT") else name
        channels = f"/{found[4]}" if found[4] else ""
        stream.maps[int(found[1])] = f"{name}/{int(found[3])}{channels}"


def _key(stream: Stream, found: re.Match[str]) -> None:
    tag, suite, key = found.groups()
    characters = -(-8 * SUITES.get(suite, 0) // 6)  # base64, its padding left out by some
    if len(key.rstrip("=")) == characters and len(stream.keys) < MAX_KEYS:
        stream.keys.append((str(int(tag)), suite, key))


def _format(stream: Stream, payload: int, text: str) -> None:
    if _EVENTS.fullmatch(text.strip()):
        stream.formats[payload] = text.strip()
        return
    pairs = [pair.strip().partition("=") for pair in text.split(";")]
    kept = [
        f"{name.strip().lower()}={value.strip()}"
        for name, _, value in pairs
        if name.strip().lower() in PARAMETERS and _VALUE.fullmatch(value.strip())
    ]
    if kept:
        stream.formats[payload] = ";".join(kept)


def _check(description: Description) -> None:
    for stream in description.streams:
        _check_dtls(stream, description)
        # Of a refused stream no map is written, without which other numbers mean nothing.
        mapped = stream.maps if stream.port else {}
        known = [p for p in stream.payloads if p in mapped or p in STATIC]
        if stream.port and all(_name(stream, payload) in EVENTS for payload in known):
            raise Unacceptable("no codec that we know")
        if stream.port and not description.place(stream):
            raise Unacceptable("no c=")
        if stream.port and stream.profile in SECURE and not stream.keys:
            raise Unacceptable("no key that we can use")
        stream.payloads = known or [0]
        if is_no_place(description.place(stream)) and not stream.tunnelled:
            direction = stream.direction or description.direction or "sendrecv"
            stream.direction = HOLDING.get(direction, direction)
    if not description.streams:
        raise Unacceptable("no stream")


def _check_dtls(stream: Stream, description: Description) -> None:
    """One that lacks something is refused: its sender may have offered the same sound otherwise."""
    if not stream.tunnelled:
        return
    stream.keys, stream.dtls = [], stream.dtls.within(description.dtls)
    if not (stream.dtls.is_complete and stream.rtcp_mux):
        stream.port = 0


def is_no_place(address: str) -> bool:
    """Whether it is 0.0.0.0 or ::, by which the other side is put on hold (RFC 2543, appendix B.5;
    RFC 3264 8.4)."""
    return not set(address.partition(" ")[2]) - set("0.:") and address != ""


def refusing_as(description: Description, given: Description) -> Description:
    """The description, which is made of `given`, with its refused streams as they stand there."""
    streams = [
        replace(stream, kind=said.kind, profile=said.profile, format=said.format)
        if not stream.port and not said.port
        else stream
        for stream, said in zip(description.streams, given.streams, strict=False)
    ]
    return replace(description, streams=[*streams, *description.streams[len(streams) :]])


def write(description: Description, session: int, version: int) -> bytes:
    """Write it with an o= of our own: `session` and `version` are ours to choose."""
    return numbered(content(description), session, version)


def numbered(content: str, session: int, version: int) -> bytes:
    return f"v=0\r\no=- {session} {version} IN {content}".encode("ascii")


def content(description: Description) -> str:
    """All that is written of it but these numbers: from the address in the o= on."""
    address = description.address or next((s.address for s in description.active if s.address), "")
    address = address or "IP4 0.0.0.0"  # an address of a refused stream is told to nobody
    lines = [address, "s=-", f"c=IN {address}", "t=0 0"]
    tunnelled = [stream for stream in description.active if stream.tunnelled]
    mids = [stream.dtls.mid for stream in tunnelled if stream.dtls.mid]
    lines += [f"a=group:BUNDLE {' '.join(mids)}"] if mids else []
    for stream in description.streams:
        lines += _lines(stream, description, address)
    return "\r\n".join(lines) + "\r\n"


def _lines(stream: Stream, description: Description, address: str) -> list[str]:
    numbers = " ".join(map(str, stream.payloads))
    lines = [f"m={stream.kind} {stream.port} {stream.profile} {stream.format or numbers}"]
    if not stream.port:
        return lines
    if stream.address and stream.address != address:
        lines.append(f"c=IN {stream.address}")
    for payload in stream.payloads:
        if payload in stream.maps:
            lines.append(f"a=rtpmap:{payload} {stream.maps[payload]}")
        if payload in stream.formats:
            lines.append(f"a=fmtp:{payload} {stream.formats[payload]}")
    lines += stream.dtls.lines() if stream.tunnelled else []
    lines += [f"a=crypto:{tag} {suite} inline:{key}" for tag, suite, key in stream.keys]
    lines += [f"a={ptime}" for ptime in stream.ptimes[:2]]
    lines.append(f"a={stream.direction or description.direction or 'sendrecv'}")
    return [*lines, "a=rtcp-mux"] if stream.rtcp_mux else lines


EVENTS = {"TELEPHONE-EVENT", "CN"}
STATIC_NAMES = {0: "PCMU", 3: "GSM", 8: "PCMA", 9: "G722", 13: "CN", 18: "G729"}


def limited(description: Description, codecs: Sequence[str]) -> Description:
    """The description with these codecs alone, in their order; `Unacceptable` when it has none of
    them. Without codecs, all may stay. Keys pressed and comfort noise always do."""
    if not codecs:
        return description
    rank = {name: place for place, name in enumerate(codecs)}
    streams = []
    for stream in description.streams:
        names = {p: _name(stream, p) for p in stream.payloads}
        kept = sorted(
            (p for p in stream.payloads if names[p] in rank), key=lambda p: rank[names[p]]
        )
        if stream.port and not kept:
            raise Unacceptable("none of the carrier's codecs")
        events = [p for p in stream.payloads if names[p] in EVENTS]
        streams.append(replace(stream, payloads=[*kept, *events] or stream.payloads))
    return replace(description, streams=streams)


def usual(description: Description) -> Description:
    """The description without the codecs for which another number stands than RFC 3551 gives."""
    streams = [
        replace(stream, payloads=[p for p in stream.payloads if _is_usual(stream, p)])
        if stream.port
        else stream
        for stream in description.streams
    ]
    return replace(description, streams=streams)


def _is_usual(stream: Stream, payload: int) -> bool:
    name = _name(stream, payload)
    return name in EVENTS or name == STATIC_NAMES.get(payload)


def _name(stream: Stream, payload: int) -> str:
    mapped = stream.maps.get(payload)
    return mapped.partition("/")[0].upper() if mapped else STATIC_NAMES.get(payload, "")


# Where the sound would come from that rtpengine plays itself: nobody is there, nothing is sent.
NOBODY = {"IP4": "IP4 127.0.0.1", "IP6": "IP6 ::1"}
NO_PORT = 9  # discard


def nobody(offered: Description) -> Description:
    """An answer to an offer by somebody who is not there."""
    streams = [
        replace(stream, port=NO_PORT if stream.port else 0, address="", direction="sendonly")
        for stream in offered.streams
    ]
    family = offered.address.partition(" ")[0]
    return Description(NOBODY[family or "IP4"], streams=streams)


def keys(description: Description) -> set[str]:
    """Every key that the description tells, and whatever keys are known by."""
    told = {key.rstrip("=") for stream in description.streams for _, _, key in stream.keys}
    return told.union(*(stream.dtls.secrets for stream in description.streams))


def addresses(description: Description) -> set[str]:
    """Every address that the description tells (without its IP4/IP6 word)."""
    told = {description.address, *(s.address for s in description.active)}
    stated = {address.split(" ")[1] for address in told if address}
    return stated.union(*(stream.dtls.addresses for stream in description.active))


def from_body(content_type: str, body: bytes) -> bytes:
    """The SDP part of a body: itself, or the first such part of a multipart (RFC 2046 5.1)."""
    if content_type.partition(";")[0].strip().lower() == "application/sdp":
        return body
    for head, content in parts(content_type, body):
        if re.search(rb"content-type\s*:\s*application/sdp", head, re.IGNORECASE):
            return content.removesuffix(b"\r\n")
    return b""


def parts(content_type: str, body: bytes) -> list[tuple[bytes, bytes]]:
    """Head and content of each part of a multipart body; none of another one."""
    kind, _, parameters = content_type.partition(";")
    found = re.search(r'boundary\s*=\s*"?([^";]{1,70})"?', parameters, re.IGNORECASE)
    if not kind.strip().lower().startswith("multipart/") or not found:
        return []
    split = [part.partition(b"\r\n\r\n") for part in body.split(b"--" + found[1].encode("latin-1"))]
    return [(head, content) for head, separator, content in split[1:] if separator]
