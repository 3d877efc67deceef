"""A rightly signed request, changed on its way: it is never taken for what was signed.

And bytes that are hardly HTTP any more, over a real connection: always answered or cut off, and
never by an error of ours.
"""

import json
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

import pytest
from door import HOST, REGION, Door
from fuzz import sending
from house import House
from hypothesis import assume, given
from hypothesis import strategies as st

from maskline.cli.signer import AccessKey, sign

CONNECTOR = {"Name": "c", "RequireEncryption": False}
SKEWS = ["19700101T000000Z", "20991231T235959Z", "20260101T000000", "x", "", "20261399T999999Z"]
PATH_TRICKS = ["/.", "//", "/./", "/x/..", "%2F", "/%2e", "/%2E%2E/", ";x=1", "%00", "%", "%zz"]


@dataclass(frozen=True)
class Sent:
    """A request as it goes out; its headers may repeat."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str:
        return dict(self.headers)[name]

    def with_header(self, name: str, value: str) -> "Sent":
        kept = tuple(pair for pair in self.headers if pair[0] != name)
        return replace(self, headers=(*kept, (name, value)))

    def with_another(self, name: str, value: str) -> "Sent":
        return replace(self, headers=(*self.headers, (name, value)))

    def authorization(self, part: str, text: str) -> "Sent":
        """With another text for a part of the Authorization header."""
        changed = re.sub(rf"(?<={part}=)[^,]*", lambda _: text, self.header("Authorization"))
        return self.with_header("Authorization", changed)


def signed(key: AccessKey, method: str, target: str, host: str, body: bytes) -> Sent:
    headers = {"Host": host, **({"Content-Type": "application/json"} if body else {})}
    return Sent(
        method, target, tuple(sign(key, REGION, method, target, headers, body).items()), body
    )


def put(text: str, at: int, piece: str, over: int = 0) -> str:
    at %= len(text) + 1
    return text[:at] + piece + text[at + over :]


@st.composite
def tampered(draw: st.DrawFn, sent: Sent) -> Sent:
    """One change to what the signature covers, or to the signature."""
    word = draw(st.text("abz019/;%+&=-. ", min_size=1, max_size=6))
    at = draw(st.integers(0, 200))
    path, _, query = sent.target.partition("?")
    match draw(st.sampled_from(KINDS)):
        case "method":
            return replace(sent, method=draw(st.sampled_from(["GET", "POST", "PUT", "DELETE"])))
        case "path":
            trick = draw(st.sampled_from(PATH_TRICKS) | st.just(word))
            return replace(sent, target=f"{put(path, at, trick, draw(st.integers(0, 2)))}?{query}")
        case "query":
            more = draw(st.sampled_from(["&", "&&", "&x", "&max-results=2", "&X-Amz-Date=1", word]))
            return replace(sent, target=f"{path}?{put(query, at, more)}")
        case "body":
            return replace(sent, body=put(sent.body.decode(), at, word, 1).encode())
        case "signature":
            value = draw(
                st.sampled_from([word, "0" * 64, ""])
                | st.text("0123456789abcdef", min_size=64, max_size=64)
            )
            return sent.authorization("Signature", value)
        case "credential":
            credential = re.search(r"Credential=([^,]*)", sent.header("Authorization"))
            assert credential
            parts = credential[1].split("/")
            parts[at % len(parts)] = word
            return sent.authorization("Credential", "/".join(parts))
        case "signed headers":
            names = draw(st.lists(st.sampled_from(["host", "x-amz-date", "content-type", "x", ""])))
            return sent.authorization("SignedHeaders", ";".join(names))
        case "date":
            return sent.with_header("X-Amz-Date", draw(st.sampled_from(SKEWS)))
        case "doubled":
            name = draw(st.sampled_from(["Authorization", "X-Amz-Date", "Host"]))
            return sent.with_another(name, draw(st.sampled_from([sent.header(name), word])))
        case "digest":
            value = draw(st.sampled_from(["UNSIGNED-PAYLOAD", "0" * 64, word]))
            return sent.with_header("X-Amz-Content-Sha256", value)
        case _:
            return sent.with_header(draw(st.sampled_from(["Host", "X-Amz-Security-Token"])), word)


KINDS = [
    "method", "path", "query", "body", "signature", "credential", "signed headers", "date",
    "doubled", "digest", "header",
]  # fmt: skip


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory, module_url: str) -> Iterator[Door]:
    opened = Door(tmp_path_factory.mktemp("door"), module_url)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def connector(door: Door) -> str:
    made = door.ask("POST", "/voice-connectors", CONNECTOR).content
    connector_id: str = made["VoiceConnector"]["VoiceConnectorId"]
    return connector_id


@sending(0.15)
@given(data=st.data())
def test_nothing_that_was_changed_is_taken(door: Door, connector: str, data: st.DataObject) -> None:
    asked = data.draw(st.sampled_from([
        ("GET", f"/voice-connectors/{connector}?", b""),
        ("GET", f"/voice-connectors/{connector}/proxy-sessions?max-results=5", b""),
        ("PUT", f"/voice-connectors/{connector}?", json.dumps(CONNECTOR).encode()),
    ]))  # fmt: skip
    sent = signed(door.key, asked[0], asked[1], HOST, asked[2])
    changed = data.draw(tampered(sent))
    assume(not same(sent, changed))
    reply = door.send(changed.method, changed.target, changed.headers, changed.body)
    assert reply is not None
    assert 400 <= reply.status < 500, changed
    assert reply.error.endswith("Exception")


def same(one: Sent, other: Sent) -> bool:
    """Whether two requests differ in nothing that means anything."""
    return (one.method, one.target.rstrip("?&"), one.body, sorted(one.headers)) == (
        other.method, other.target.rstrip("?&"), other.body, sorted(other.headers),
    )  # fmt: skip


def test_what_was_not_changed_is_taken(door: Door, connector: str) -> None:
    sent = signed(door.key, "GET", f"/voice-connectors/{connector}", HOST, b"")
    reply = door.send(sent.method, sent.target, sent.headers, sent.body)
    assert reply is not None
    assert reply.status == 200


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with House(tmp_path_factory.mktemp("house")).open() as opened:
        yield opened


PIECES = [
    b"", b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b",", b"\xff\xfe", b"\xed\xa0\x80", b"%",
    b"Transfer-Encoding: chunked\r\n", b"Content-Length: 0\r\n", b"Content-Length: 99\r\n",
    b"Expect: 100-continue\r\n", b"Connection: upgrade\r\nUpgrade: websocket\r\n", b"0\r\n\r\n",
    b"5\r\nhello\r\n", b"HTTP/1.0", b"HTTP/2.0", b"GET / HTTP/1.1\r\n\r\n", b"[" * 2000, b"1e400",
    b"\\ud800", b"9" * 400, b"X: " + b"a" * 70_000 + b"\r\n",
]  # fmt: skip
BODIES = [
    b"",
    b"{}",
    json.dumps(CONNECTOR).encode(),
    b"[" * 5000,
    b'{"Name":"\\ud800"}',
    b"\xff",
    b"1e999",
]
edits = st.lists(
    st.tuples(
        st.integers(0, 700), st.integers(0, 12), st.sampled_from(PIECES) | st.binary(max_size=4)
    ),
    max_size=3,
)


@sending(0.15)
@given(
    body=st.sampled_from(BODIES),
    method=st.sampled_from(["GET", "POST", "PUT"]),
    changes=edits,
    cut=st.integers(1, 900),
    twice=st.booleans(),
)
def test_any_bytes_over_a_connection(
    house: House,
    body: bytes,
    method: str,
    changes: list[tuple[int, int, bytes]],
    cut: int,
    twice: bool,
) -> None:
    host = urlsplit(house.url).netloc
    sent = signed(house.operator, method, "/voice-connectors", host, body)
    lines = [f"{method} {sent.target} HTTP/1.1", *(f"{n}: {v}" for n, v in sent.headers)]
    lines += [f"Content-Length: {len(body)}"] if body else []
    data = "\r\n".join([*lines, "", ""]).encode() + body
    for at, over, piece in changes:
        at %= len(data)
        data = data[:at] + piece + data[at + over :]
    answer = talk(host, [data[:cut], data[cut:]] if twice else [data])
    for status, content in answers(answer):
        assert status < 500, (data, answer)
        assert status < 400 or {"Code", "Message"} <= json.loads(content).keys()
    assert b"Traceback" not in answer


def answers(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The status and body of each answer; one after another asked for it."""
    while found := re.match(rb"HTTP/1\.1 (\d+) .*?\r\n\r\n", data, re.DOTALL):
        length = re.search(rb"content-length: (\d+)", found[0])
        end = found.end() + (int(length[1]) if length else 0)
        if int(found[1]) >= 200 and len(data) >= end:
            yield int(found[1]), data[found.end() : end]
        data = data[end:]


def talk(host: str, pieces: list[bytes], seconds: float = 0.05) -> bytes:
    """What comes back for some bytes until nothing more does for so many seconds."""
    name, _, port = host.partition(":")
    got = b""
    with socket.create_connection((name, int(port)), timeout=30) as wire:
        try:
            for piece in pieces:
                wire.sendall(piece)
            wire.settimeout(seconds)
            while more := wire.recv(65_536):
                got += more
                if complete(got):
                    break
        except (TimeoutError, ConnectionError):
            pass
    return got


def complete(answer: bytes) -> bool:
    head, _, body = answer.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head)
    return length is not None and len(body) >= int(length[1])


def test_the_house_still_stands(house: House) -> None:
    host = urlsplit(house.url).netloc
    data: Any = talk(host, [b"GET /health HTTP/1.1\r\nHost: h\r\n\r\n"], 30)
    assert data.startswith(b"HTTP/1.1 200 ")
