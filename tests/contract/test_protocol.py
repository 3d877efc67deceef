"""What is no HTTP is refused as all else is: as JSON, with a request id."""

import json
import socket
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from house import House


@pytest.mark.parametrize(
    "sent",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\nno header\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n",
        b"GET /voice-connectors?next-token=" + b"x" * 2**16 + b" HTTP/1.1\r\nHost: h\r\n\r\n",
    ],
    ids=["no request", "no header", "no length", "a long URL"],
)
def test_what_is_no_http(house: House, sent: bytes) -> None:
    where = urlsplit(house.url)
    with socket.create_connection((where.hostname, where.port)) as client:
        client.sendall(sent)
        received = b"".join(iter(lambda: client.recv(65536), b""))
    head, _, body = received.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ") for line in lines)
    assert status == "HTTP/1.1 400 Bad Request"
    assert headers["content-type"] == "application/json"
    assert headers["x-amzn-errortype"] == "BadRequestException"
    assert UUID(headers["x-amzn-requestid"])
    assert headers["content-length"] == str(len(body))
    assert json.loads(body) == {
        "__type": "BadRequestException",
        "Code": "BadRequest",
        "Message": "Invalid HTTP request received.",
    }
