"""No message keeps a worker for long, whoever sends it: what the script reads of strangers takes
time in proportion to its length. And a control plane that says nothing is not waited for again."""

import contextlib
import json
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from maskline_sip import allowed, balancers, digest, endings, gate, sdp, sip, texts
from maskline_sip.switch import Line, Silent, Switch, SwitchDown

LONG = 48_000  # octets: as long as a request may be
ENTRANCE = gate.Entrance("salt")
START = b"INVITE sip:a@b SIP/2.0\r\n"
HEADS = [
    b"i:" + b" " * LONG,
    b"i:" + b" \t" * (LONG // 2) + b"\r",
    b"i" + b" " * LONG,
    b"Call-ID:" * (LONG // 8),
    b"\ni:" * (LONG // 3),
    b"From: " + b'"' * LONG + b"\r\n\r\n",
    b"Via: " + b", " * (LONG // 2) + b"\r\n\r\n",
    b"To: <" + b";tag " * (LONG // 5) + b"\r\n\r\n",
    b"\r\n " * (LONG // 3) + b"\r\n\r\n",
]
VALUES = ["a", "a=", 'a="', 'a="\\', " ", ";", "; tag ", ", ", "<", '"', "\\", "=", "a-"]
VALUES += ["Q.850;x="]
READERS: list[Callable[[str], object]] = [
    lambda text: digest.parameters(f"Digest {text}"),
    endings.cause_told,
    lambda text: endings.cause_told(f"Q.850{text}"),
    sip.split,
    sip.address,
    sip.user,
    sip.host,
    lambda text: sip.user(f"sip:{text}@a"),
    lambda text: sdp.from_body(f"multipart/mixed;boundary{text}", b"--a\r\n\r\n"),
    lambda text: allowed.key_press("application/dtmf-relay", f"Signal={text}".encode()),
    lambda text: texts.body(text.encode()),
    lambda text: balancers.source_behind(
        sip.Message("OPTIONS a SIP/2.0", (("via", "SIP/2.0/UDP a"), ("via", text)), b"")
    ),
]


@contextlib.contextmanager
def patience(seconds: float = 5.0) -> Iterator[None]:
    """Far more than anything here takes, and far less than what grows with the square."""

    def out(_signal: int, _frame: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, out)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("head", HEADS, ids=range(len(HEADS)))
def test_the_entrance_is_quickly_passed(head: bytes) -> None:
    with patience(), contextlib.suppress(sip.Malformed):
        ENTRANCE.mark(START + head)
    with patience(), contextlib.suppress(sip.Malformed):
        sip.parse(START + head)


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("read", READERS, ids=range(len(READERS)))
def test_a_value_is_quickly_read(read: Callable[[str], object], value: str) -> None:
    with patience(), contextlib.suppress(ValueError):
        read(value * (LONG // len(value)))


def test_who_does_not_answer_is_asked_once(tmp_path: Path) -> None:
    path, connections = str(tmp_path / "switch.sock"), []
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
        door.bind(path)
        door.listen()

        def take() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connections.append(door.accept()[0])

        threading.Thread(target=take, daemon=True).start()
        switch = Switch(path, timeout=0.1)
        with pytest.raises(Silent):
            switch.ask("RouteCall", {})
        with pytest.raises(SwitchDown, match="silent"):
            switch.ask("RouteCall", {})
        assert len(connections) == 1
        door.shutdown(socket.SHUT_RDWR)
    for one in connections:
        one.close()


def test_an_answer_that_was_not_read_is_not_that_of_the_next_question(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would connect somebody with whom another one called."""

    def serve(connection: socket.socket) -> None:
        with connection, connection.makefile() as lines, contextlib.suppress(OSError):
            for line in lines:
                answer = json.dumps({"output": json.loads(line)["input"]})
                connection.sendall(answer.encode() + b"\n")

    def take(door: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=serve, args=[door.accept()[0]], daemon=True).start()

    def fails(_line: Line) -> bytes:
        raise MemoryError

    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
        door.bind(str(tmp_path / "switch.sock"))
        door.listen()
        threading.Thread(target=take, args=[door], daemon=True).start()
        switch = Switch(str(tmp_path / "switch.sock"))
        with monkeypatch.context() as out_of_memory:
            out_of_memory.setattr(Line, "answer", fails)
            with pytest.raises(MemoryError):
                switch.ask("RouteCall", {"Called": "the first"})
        assert switch.ask("RouteCall", {"Called": "the second"}) == {"Called": "the second"}
        switch._questions.close()
        door.shutdown(socket.SHUT_RDWR)
