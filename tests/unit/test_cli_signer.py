"""Signatures of our client, against botocore's signer."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from unittest import mock

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from maskline.cli import signer
from maskline.cli.signer import AccessKey, sign

NOW = datetime(2020, 4, 15, 16, 10, 10, tzinfo=UTC)


@pytest.fixture(autouse=True)
def still() -> Iterator[None]:
    """Time stands still, for both signers."""
    with (
        mock.patch.object(signer, "datetime", mock.Mock(now=lambda zone: NOW)),
        mock.patch("botocore.auth.get_current_datetime", return_value=NOW),
    ):
        yield


def theirs(key: AccessKey, method: str, target: str, headers: dict[str, str], body: bytes) -> str:
    # botocore puts these two headers into the canonical request itself; other headers of ours are
    # left out of the signature on purpose, so they are left out here.
    request = AWSRequest(method, f"http://server:8080{target}", data=body)
    request.headers = HTTPHeaders.from_dict(headers)
    SigV4Auth(Credentials(key.id, key.secret, key.token), "chime", "eu-west-1").add_auth(request)
    return str(request.headers["Authorization"])


IDS = st.text(alphabet="abc019-_.~", min_size=1, max_size=8)
SEGMENTS = st.one_of(IDS, st.sampled_from(["%2B1206", "a%20b", "%C3%BC", "%25", ".", ".."]))
QUERY = st.lists(st.tuples(IDS, st.sampled_from(["", "a", "%2B", "b%20c"])), max_size=4)


@given(
    segments=st.lists(SEGMENTS, min_size=1, max_size=4),
    query=QUERY,
    body=st.binary(max_size=20),
    token=st.sampled_from([None, "tok/en="]),
    typed=st.booleans(),
)
def test_signatures_are_those_of_botocore(
    segments: list[str], query: list[tuple[str, str]], body: bytes, token: Any, typed: bool
) -> None:
    key = AccessKey("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG", token)
    pairs = "&".join(f"{name}={value}" for name, value in query)
    target = f"/{'/'.join(segments)}" + (f"?{pairs}" if pairs else "")
    headers = {"Host": "server:8080"} | ({"Content-Type": "application/json"} if typed else {})
    signed = sign(key, "eu-west-1", "POST", target, headers, body)
    assert signed["Authorization"] == theirs(key, "POST", target, headers, body)
    assert signed["X-Amz-Date"] == "20200415T161010Z"
    assert signed.get("X-Amz-Security-Token") == token


def test_other_headers_are_sent_but_not_signed() -> None:
    headers = {"Host": "server", "User-Agent": "me"}
    signed = sign(AccessKey("id", "secret"), "us-east-1", "GET", "/", headers, b"")
    assert signed["User-Agent"] == "me"
    assert "SignedHeaders=host;x-amz-date," in signed["Authorization"]
