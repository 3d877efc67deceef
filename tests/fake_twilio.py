"""A provider that speaks Twilio's API, as a real HTTP peer on the loopback: it checks what it is
sent as Twilio does, and signs what it sends with Twilio's own library."""

import base64
import json
import re
import threading
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode

import smsutil
from twilio.request_validator import RequestValidator

SID, TOKEN = "ACffffffffffffffffffffffffffffffff", "0123456789abcdef0123456789abcdef"
E164 = re.compile(r"\+[1-9]\d{6,14}")

Script = tuple[int, dict[str, Any], dict[str, str]]


@dataclass
class FakeTwilio:
    """`sent` are the messages it took, `asked` whole requests as they came, `answers` what it says
    to the next ones instead of the usual, `media` what it keeps by path, `moved` where else
    that is, `headers` those of its callbacks beside the usual."""

    sent: list[dict[str, list[str]]] = field(default_factory=list)
    asked: list[bytes] = field(default_factory=list)
    answers: deque[Script] = field(default_factory=deque)
    media: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    moved: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def take(self, path: str, headers: Any, body: bytes) -> Script:
        """The answer to a message that is to be sent."""
        expected = "Basic " + base64.b64encode(f"{SID}:{TOKEN}".encode()).decode()
        if headers["Authorization"] != expected:
            return 401, {"code": 20003, "message": "Authenticate", "status": 401}, {}
        if path != f"/2010-04-01/Accounts/{SID}/Messages.json":
            return 404, {"code": 20404, "message": "not found", "status": 404}, {}
        if self.answers:
            return self.answers.popleft()
        fields = parse_qs(body.decode("ascii"), keep_blank_values=True, strict_parsing=True)
        if code := self.fault(fields):
            return 400, {"code": code, "message": "refused", "status": 400}, {}
        self.sent.append(fields)
        sid = f"SM{len(self.sent):032x}"
        return 201, {"sid": sid, "status": "queued", "num_segments": segments_of(fields)}, {}

    def fault(self, fields: dict[str, list[str]]) -> int:
        if not E164.fullmatch(fields.get("To", [""])[0]):
            return 21211
        if not E164.fullmatch(fields.get("From", [""])[0]):
            return 21212
        if not fields.get("Body", [""])[0] and not fields.get("MediaUrl"):
            return 21602
        if len(fields.get("Body", [""])[0]) > 1600:
            return 21617
        return 0

    def deliver(self, url: str, fields: dict[str, str], token: str = TOKEN) -> tuple[int, bytes]:
        """Calls a webhook as Twilio does; status and body of the answer."""
        signature = RequestValidator(token).compute_signature(url, fields)
        request = urllib.request.Request(
            url,
            urlencode(fields).encode(),
            {
                "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
                "X-Twilio-Signature": signature,
                "I-Twilio-Idempotency-Token": "11111111-2222-3333-4444-555555555555",
                "User-Agent": "TwilioProxy/1.1",
                **self.headers,
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()


def segments_of(fields: dict[str, list[str]]) -> str:
    """How many segments Twilio sends a text in; one with pictures is one."""
    if fields.get("MediaUrl"):
        return "1"
    return str(len(smsutil.split(fields["Body"][0]).parts))


def handler_of(fake: FakeTwilio) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            fake.asked.append(f"{self.requestline}\n{self.headers}".encode() + body)
            status, content, headers = fake.take(self.path, self.headers, body)
            self.say(status, "application/json", json.dumps(content).encode(), headers)

        def do_GET(self) -> None:
            fake.asked.append(f"{self.requestline}\n{self.headers}".encode())
            if self.path in fake.moved:
                self.say(307, "text/plain", b"", {"Location": fake.moved[self.path]})
            elif self.path in fake.media:
                self.say(200, *fake.media[self.path], {})
            else:
                self.say(404, "text/plain", b"", {})

        def say(self, status: int, kind: str, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Type": kind}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    return Handler


@contextmanager
def fake_twilio() -> Iterator[FakeTwilio]:
    fake = FakeTwilio()
    with ThreadingHTTPServer(("127.0.0.1", 0), handler_of(fake)) as server:
        fake.port = server.server_port
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        serving.start()
        try:
            yield fake
        finally:
            server.shutdown()
            serving.join()
