"""Signatures made by AWS's own signers, for requests as nasty as can be."""

import random
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote, urlsplit

import botocore.session
import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSPreparedRequest, AWSRequest, AWSResponse
from botocore.config import Config
from botocore.credentials import Credentials
from contract import javascript

from maskline.web import sigv4
from maskline.web.canonical import joined
from maskline.web.faults import Fault, InvalidSignature
from maskline.web.sigv4 import SignedRequest

KEY, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
URL = "http://127.0.0.1:8080"
REGIONS = ("us-east-1", "eu-central-1", "ap-southeast-2", "local")
METHODS = ("GET", "POST", "PUT", "DELETE")
PIECES = (
    "a", "Z", "9", "+", "%", "%2B", "%252F", "/", "//", " ", "  ", "?", "&", "=", "#", ";", ":",
    ",", "~", "-", "_", ".", "..", "/../", "/./", "*", "'", "(", ")", "!", "@", "$", "\\", '"',
    "<", "é", "ß", "漢", "😀", "\u00a0", "\u200b", "\t", "+12065550100",
)  # fmt: skip
ROUNDS = 12


def nasty(dice: random.Random, most: int = 5) -> str:
    return "".join(dice.choices(PIECES, k=dice.randint(1, most)))


def nasty_query(dice: random.Random) -> dict[str, str]:
    return {nasty(dice, 2): nasty(dice) for _ in range(dice.randint(0, 4))}


def seen(
    method: str, url: str, headers: Iterable[tuple[str, str | bytes]], body: bytes
) -> SignedRequest:
    """A request as the server sees it."""
    parts = urlsplit(url)
    lines = [(name.lower().encode(), text.encode() if isinstance(text, str) else text)
             for name, text in headers]  # fmt: skip
    if not any(name == b"host" for name, _ in lines):
        lines.append((b"host", parts.netloc.encode()))
    return SignedRequest(method, parts.path.encode(), parts.query.encode(), joined(lines), body)


def accepted(request: SignedRequest) -> None:
    """The request is accepted as it is, and not with anything changed."""
    signature = sigv4.read_signature(request)
    sigv4.check_time(signature, sigv4.seconds_of(signature.time))
    sigv4.verify(request, signature, SECRET)
    for changed in changes(request):
        with pytest.raises(InvalidSignature):
            sigv4.verify(changed, signature, SECRET)


def changes(request: SignedRequest) -> Iterator[SignedRequest]:
    method, path, query, headers, body = (
        getattr(request, name) for name in ("method", "path", "query", "headers", "body")
    )
    yield SignedRequest("PATCH", path, query, headers, body)
    yield SignedRequest(method, path + b"x", query, headers, body)
    yield SignedRequest(method, path, query + b"&x=1", headers, body)
    yield SignedRequest(method, path, query, headers, body + b" ")
    yield SignedRequest(method, path, query, {**headers, b"host": b"other"}, body)


class Captured:
    """A botocore client whose requests end here, as they would have gone out."""

    def __init__(self, service: str, region: str) -> None:
        session = botocore.session.get_session()
        session.set_credentials(KEY, SECRET)
        self.client = session.create_client(
            service,
            region,
            endpoint_url=URL,
            config=Config(parameter_validation=False, retries={"max_attempts": 0}),
        )
        self.requests: list[AWSPreparedRequest] = []
        self.client.meta.events.register("before-send", self._take)

    def _take(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        self.requests.append(request)
        response = AWSResponse(request.url, 200, {}, None)
        response._content = b"{}"
        return response

    def call(self, operation: str, dice: random.Random) -> SignedRequest:
        model = self.client.meta.service_model.operation_model(operation)
        members = model.input_shape.members if model.input_shape else {}
        arguments = {
            name: nasty_value(shape, dice)
            for name, shape in members.items()
            if name in model.input_shape.required_members or dice.random() < 0.7
        }
        self.client._make_api_call(operation, arguments)
        request = self.requests.pop()
        body = request.body or b""
        return seen(request.method, request.url, request.headers.items(), body)


def nasty_value(shape: Any, dice: random.Random, depth: int = 0) -> Any:
    match shape.type_name:
        case "structure":
            members = shape.members.items() if depth < 3 else ()
            return {name: nasty_value(member, dice, depth + 1) for name, member in members}
        case "list":
            return [nasty_value(shape.member, dice, depth + 1) for _ in range(dice.randint(0, 2))]
        case "map":
            return {nasty(dice): nasty(dice)}
        case "integer" | "long" | "timestamp":
            return dice.randint(0, 2**31)
        case "boolean":
            return dice.random() < 0.5
        case "float" | "double":
            return dice.random()
    return nasty(dice)


def test_every_operation_through_a_botocore_client() -> None:
    dice = random.Random(1)
    captured = [Captured("chime-sdk-voice", region) for region in REGIONS]
    operations = captured[0].client.meta.service_model.operation_names
    checked = 0
    for _ in range(ROUNDS):
        for operation in operations:
            accepted(dice.choice(captured).call(operation, dice))
            checked += 1
    assert checked >= 1000


@pytest.mark.parametrize("presigned", [False, True])
def test_the_signer_of_botocore(presigned: bool) -> None:
    dice = random.Random(2)
    for _ in range(500):
        url = f"{URL}/{quote(nasty(dice), safe='/~')}"
        body = b"" if presigned or dice.random() < 0.5 else nasty(dice).encode()
        headers = {
            f"X-Thing-{number}": f"  a {number}   b " for number in range(dice.randint(0, 3))
        }
        query = nasty_query(dice)
        request = AWSRequest(
            dice.choice(METHODS), url, params=query or None, headers=headers, data=body
        )
        signer = SigV4QueryAuth if presigned else SigV4Auth
        credentials = Credentials(KEY, SECRET)
        signer(credentials, "chime", dice.choice(REGIONS)).add_auth(request)
        ready = request.prepare()
        accepted(seen(request.method, ready.url, ready.headers.items(), body))


def test_headers_that_come_twice() -> None:
    request = AWSRequest("GET", f"{URL}/x")
    request.headers.add_header("X-Thing", "b  b")
    request.headers.add_header("X-Thing", "a")
    SigV4Auth(Credentials(KEY, SECRET), "chime", "us-east-1").add_auth(request)
    accepted(seen("GET", request.url, request.headers.items(), b""))


def test_session_tokens_are_refused() -> None:
    for signer in (SigV4Auth, SigV4QueryAuth):
        request = AWSRequest("GET", f"{URL}/x")
        signer(Credentials(KEY, SECRET, "token"), "chime", "us-east-1").add_auth(request)
        ready = request.prepare()
        with pytest.raises(Fault, match="security token"):
            accepted(seen("GET", ready.url, ready.headers.items(), b""))


def test_the_signer_of_the_javascript_sdk() -> None:
    dice = random.Random(3)
    asked: list[dict[str, Any]] = [
        {
            "region": dice.choice(REGIONS),
            "credentials": {"accessKeyId": KEY, "secretAccessKey": SECRET},
            "presign": dice.choice([0, 0, 1, 900, 604_800]),
            "method": dice.choice(METHODS),
            "protocol": "http:",
            "hostname": "127.0.0.1",
            "port": 8080,
            "path": f"/{quote(nasty(dice), safe='/~')}",
            "query": nasty_query(dice),
            "headers": {"host": "127.0.0.1:8080", "x-amz-thing": "  a   b ", "x-thing": "c"},
            "body": "" if dice.random() < 0.5 else nasty(dice),
        }
        for _ in range(400)
    ]
    answers = javascript.run(["sign.mjs"], asked)
    assert len(answers) == 400
    for question, answer in zip(asked, answers, strict=True):
        body = question["body"].encode()
        url = URL + answer["target"]
        accepted(seen(question["method"], url, answer["headers"].items(), body))
