"""Signatures, as the server checks them."""

import hashlib
import hmac
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.web import sigv4
from maskline.web.canonical import canonical_path, canonical_query, joined
from maskline.web.faults import (
    Fault,
    IncompleteSignature,
    InvalidSignature,
    MissingSignature,
    RequestExpired,
    UnknownClient,
)
from maskline.web.sigv4 import SignedRequest

KEY, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
TIME = "20200415T161010Z"
NOW = 1_586_967_010
SCOPE = "20200415/us-east-1/chime/aws4_request"
EMPTY = hashlib.sha256(b"").hexdigest()

CANONICAL = f"""\
GET
/voice-connectors
max-results=2
host:localhost:8080
x-amz-date:{TIME}

host;x-amz-date
{EMPTY}"""


def signature_of(canonical: str, scope: str = SCOPE, time: str = TIME) -> str:
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    key = f"AWS4{SECRET}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    to_sign = f"AWS4-HMAC-SHA256\n{time}\n{scope}\n{digest}"
    return hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()


def authorization(
    signature: str = "0" * 64, scope: str = SCOPE, signed: str = "host;x-amz-date"
) -> bytes:
    return (
        f"AWS4-HMAC-SHA256 Credential={KEY}/{scope}, SignedHeaders={signed}, Signature={signature}"
    ).encode()


def request(**changes: object) -> SignedRequest:
    """The request of CANONICAL, rightly signed."""
    right = SignedRequest(
        method="GET",
        path=b"/voice-connectors",
        query=b"max-results=2",
        headers={
            b"host": b"localhost:8080",
            b"x-amz-date": TIME.encode(),
            b"authorization": authorization(signature_of(CANONICAL)),
        },
        body=b"",
    )
    return right._replace(**changes)


def with_headers(**headers: bytes | None) -> SignedRequest:
    changed = dict(request().headers)
    for name, value in headers.items():
        changed.pop(name.replace("_", "-").encode(), None)
        if value is not None:
            changed[name.replace("_", "-").encode()] = value
    return request(headers=changed)


def presigned(expires: str = "900", **changes: object) -> SignedRequest:
    query = (
        "X-Amz-Algorithm=AWS4-HMAC-SHA256"
        f"&X-Amz-Credential={KEY}%2F{SCOPE.replace('/', '%2F')}"
        f"&X-Amz-Date={TIME}&X-Amz-Expires={expires}&X-Amz-SignedHeaders=host"
    )
    canonical = f"GET\n/voice-connectors\n{query}\nhost:localhost:8080\n\nhost\n{EMPTY}"
    signed = f"{query}&X-Amz-Signature={signature_of(canonical)}"
    right = request(query=signed.encode(), headers={b"host": b"localhost:8080"})
    return right._replace(**changes)


def check(asked: SignedRequest, secret: str = SECRET, now: float = NOW) -> None:
    signature = sigv4.read_signature(asked)
    sigv4.check_time(signature, now)
    sigv4.verify(asked, signature, secret)


def test_a_right_signature() -> None:
    check(request())
    assert sigv4.read_signature(request()).claim.access_key_id == KEY


def test_a_right_presigned_url() -> None:
    check(presigned())
    check(presigned(), now=NOW + 900)


@pytest.mark.parametrize("names", ["host;host", "host;x-amz-date;x-amz-date", "a;host;a"])
def test_a_header_that_is_signed_twice(names: str) -> None:
    """16,000 times the same one made half a gigabyte of a head of 64 KiB."""
    with pytest.raises(IncompleteSignature, match="twice"):
        sigv4.read_signature(with_headers(authorization=authorization(signed=names)))
    query = presigned().query.replace(b"SignedHeaders=host", f"SignedHeaders={names}".encode())
    with pytest.raises(IncompleteSignature, match="twice"):
        sigv4.read_signature(presigned(query=query))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: request(method="DELETE"),
        lambda: request(path=b"/voice-connectors/x"),
        lambda: request(query=b"max-results=3"),
        lambda: request(query=b""),
        lambda: request(body=b"{}"),
        lambda: with_headers(host=b"other"),
        lambda: with_headers(authorization=authorization("f" * 64)),
        lambda: with_headers(authorization=authorization("short")),
        lambda: with_headers(authorization=authorization(signature_of(CANONICAL).upper())),
        lambda: with_headers(x_amz_content_sha256=b"UNSIGNED-PAYLOAD"),
        lambda: with_headers(x_amz_content_sha256=hashlib.sha256(b"x").hexdigest().encode()),
        lambda: with_headers(authorization=authorization(signed="host;x-amz-date;x-missing")),
        lambda: with_headers(
            authorization=authorization(scope="20200415/us-east-1/s3/aws4_request")
        ),
        lambda: with_headers(
            authorization=authorization(scope="20200416/us-east-1/chime/aws4_request")
        ),
        lambda: with_headers(
            authorization=authorization(scope="2020/us-east-1/chime/aws4_request")
        ),
        lambda: with_headers(
            authorization=authorization(scope="20200415/us-east-1/chime/aws5_request")
        ),
        lambda: presigned(body=b"{}"),
        lambda: presigned(query=presigned().query + b"&max-results=2"),
    ],
)
def test_what_was_not_signed_like_this(wrong: Callable[[], SignedRequest]) -> None:
    with pytest.raises(InvalidSignature):
        check(wrong())


@pytest.mark.parametrize(
    "scope",
    [
        "20200416/us-east-1/chime/aws4_request",
        "20200415/us-east-1/s3/aws4_request",
        "20200415/us-east-1/chime/aws5_request",
    ],
)
def test_a_right_signature_for_another_day_or_service_is_refused_as_such(scope: str) -> None:
    header = authorization(signature_of(CANONICAL, scope), scope)
    with pytest.raises(InvalidSignature, match="credential scope"):
        check(with_headers(authorization=header))


def posted(declared: str) -> SignedRequest:
    """A POST of {} rightly signed by a client that declares this hash of its body."""
    signed = "host;x-amz-content-sha256;x-amz-date"
    covered = f"host:h\nx-amz-content-sha256:{declared}\nx-amz-date:{TIME}\n"
    signature = signature_of(f"POST\n/x\n\n{covered}\n{signed}\n{declared}")
    headers = {
        b"host": b"h",
        b"x-amz-content-sha256": declared.encode(),
        b"x-amz-date": TIME.encode(),
        b"authorization": authorization(signature, signed=signed),
    }
    return SignedRequest("POST", b"/x", b"", headers, b"{}")


def test_a_swapped_body_under_a_signed_hash() -> None:
    signed = posted(hashlib.sha256(b"{}").hexdigest())
    check(signed)
    with pytest.raises(InvalidSignature):
        check(signed._replace(body=b'{"ExpiryMinutes":1}'))


def test_an_unsigned_payload_is_refused_though_rightly_signed() -> None:
    with pytest.raises(InvalidSignature, match="hash of the body"):
        check(posted("UNSIGNED-PAYLOAD"))


@pytest.mark.parametrize(("now", "here"), [(NOW - 600, "160010"), (NOW + 600, "162010")])
def test_a_clock_that_is_wrong_is_told_the_right_time(now: int, here: str) -> None:
    told = f"it is from {TIME}, and the server's clock says 20200415T{here}Z"
    with pytest.raises(InvalidSignature, match=told):
        check(request(), now=now)


def test_another_secret() -> None:
    with pytest.raises(InvalidSignature):
        check(request(), secret="another")


@pytest.mark.parametrize("seconds", [-300, 300])
def test_clocks_may_differ_by_five_minutes(seconds: int) -> None:
    check(request(), now=NOW + seconds)


@pytest.mark.parametrize("seconds", [-301, 301])
def test_clocks_may_not_differ_by_more(seconds: int) -> None:
    with pytest.raises(InvalidSignature):
        check(request(), now=NOW + seconds)


def test_a_presigned_url_has_its_own_end() -> None:
    check(presigned(), now=NOW - 300)
    with pytest.raises(InvalidSignature):
        check(presigned(), now=NOW - 301)
    with pytest.raises(RequestExpired):
        check(presigned(), now=NOW + 901)


def test_the_clock_is_that_of_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    sigv4.seconds_of.cache_clear()
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        check(request())
    time.tzset()


@pytest.mark.parametrize("expires", ["0", "604801", "", "-1", "1.5", "1e3", "9" * 5000, "%D9%A1"])
def test_expires_has_bounds(expires: str) -> None:
    with pytest.raises(IncompleteSignature):
        check(presigned(expires))
    check(presigned("604800"), now=NOW + 604_800)
    check(presigned("1"), now=NOW + 1)


@pytest.mark.parametrize(
    ("query", "fault", "said"),
    [
        (b"X-Amz-Algorithm=AWS4-HMAC-SHA512", IncompleteSignature, "X-Amz-Algorithm"),
        (
            b"X-Amz-Credential=" + b"k" * 256 + b"/d/r/chime/aws4_request",
            IncompleteSignature,
            "Credential",
        ),
        (b"X-Amz-Content-Sha256=UNSIGNED-PAYLOAD", InvalidSignature, "hash of the body"),
    ],
)
def test_a_presigned_url_that_asks_for_something_else(
    query: bytes, fault: type[Fault], said: str
) -> None:
    name = query.partition(b"=")[0]
    others = [part for part in presigned().query.split(b"&") if not part.startswith(name)]
    with pytest.raises(fault, match=said):
        check(presigned(query=b"&".join([*others, query])))


def test_nothing_says_who_asks() -> None:
    with pytest.raises(MissingSignature):
        check(with_headers(authorization=None))


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"Bearer abc",
        b"AWS4-HMAC-SHA256",
        b"AWS4-HMAC-SHA256 Credential=",
        b"AWS4-HMAC-SHA512 " + authorization().partition(b" ")[2],
        authorization(signed="x-amz-date"),
        authorization(""),
        authorization(scope="20200415/us-east-1/chime"),
        authorization(scope="20200415//chime/aws4_request"),
        authorization() + b", Signature=" + b"0" * 64,
        authorization() + b"," + authorization(),
        b"\xff" + authorization(),
        authorization().replace(b"us-east-1", b"\xc3\xa9"),
    ],
)
def test_headers_that_break_the_rules(header: bytes) -> None:
    with pytest.raises(IncompleteSignature):
        check(with_headers(authorization=header))


@pytest.mark.parametrize("time", [b"20200415", b"20200415T161010", b"20200415T99101 Z", b""])
def test_times_that_are_none(time: bytes) -> None:
    with pytest.raises(Fault):
        check(with_headers(x_amz_date=time))


@pytest.mark.parametrize("time", ["20200415T16101Z", "20200415T1610100Z", "20200415T161060Z"])
def test_a_right_signature_of_a_time_that_is_none(time: str) -> None:
    canonical = CANONICAL.replace(TIME, time)
    header = authorization(signature_of(canonical, time=time))
    with pytest.raises(IncompleteSignature, match="X-Amz-Date"):
        check(with_headers(authorization=header, x_amz_date=time.encode()))


@pytest.mark.parametrize("name", [b"X-Amz-Date", b"x-amz-date", b"X-Amz-Credential", b"X-Amz-Foo"])
def test_a_signing_parameter_twice(name: bytes) -> None:
    with pytest.raises(IncompleteSignature):
        check(presigned(query=presigned().query + b"&" + name + b"=x&" + name + b"=y"))


def test_signed_twice_over() -> None:
    asked = presigned()
    both = asked._replace(headers={**asked.headers, b"authorization": authorization()})
    with pytest.raises(IncompleteSignature):
        check(both)


def test_session_tokens_are_not_given_out() -> None:
    with pytest.raises(UnknownClient):
        check(with_headers(x_amz_security_token=b"token"))
    with pytest.raises(UnknownClient):
        check(presigned(query=presigned().query + b"&X-Amz-Security-Token=token"))


def test_repeated_headers_are_joined() -> None:
    assert joined([(b"a", b"1"), (b"b", b"x"), (b"a", b" 2 ")]) == {b"a": b"1,2", b"b": b"x"}


@pytest.mark.parametrize(
    ("path", "canonical"),
    [
        (b"", b"/"),
        (b"/", b"/"),
        (b"/phone-numbers/%2B12065550100", b"/phone-numbers/%252B12065550100"),
        (b"/a~b/c d", b"/a~b/c%20d"),
        (b"/voice-connectors//proxy-sessions/", b"/voice-connectors/proxy-sessions/"),
        (b"/a/./b/../c/..", b"/a"),
        (b"/../..", b"/"),
        (b"/.hidden/..more", b"/.hidden/..more"),
    ],
)
def test_paths(path: bytes, canonical: bytes) -> None:
    assert canonical_path(path) == canonical


@pytest.mark.parametrize(
    ("query", "canonical"),
    [
        (b"", b""),
        (b"b=2&a=1&a=0", b"a=0&a=1&b=2"),
        (b"a=%7e%2f+%2b", b"a=~%2F%20%2B"),
        (b"flag", b"flag="),
        (b"a=\xff&b=%FF", b"a=%FF&b=%FF"),
        (b"a=1&X-Amz-Signature=f", b"a=1"),
    ],
)
def test_queries(query: bytes, canonical: bytes) -> None:
    assert canonical_query(query) == canonical


@given(
    method=st.sampled_from(["GET", "POST"]),
    path=st.binary(max_size=40),
    query=st.binary(max_size=80) | st.just(b"X-Amz-Signature=1&x-amz-expires=2"),
    authorization=st.none() | st.binary(max_size=80) | st.just(authorization()),
    date=st.binary(max_size=17) | st.just(TIME.encode()),
    body=st.binary(max_size=10),
)
def test_any_bytes_are_refused_by_a_fault(
    method: str, path: bytes, query: bytes, authorization: bytes | None, date: bytes, body: bytes
) -> None:
    headers = {b"host": b"h", b"x-amz-date": date}
    if authorization is not None:
        headers[b"authorization"] = authorization
    with pytest.raises(Fault):
        check(SignedRequest(method, path, query, headers, body))


@pytest.mark.parametrize("more", [b",", b",=", b", ", b", Signature=x", b", Credential=x"])
def test_a_signature_with_more_behind_it_is_refused(more: bytes) -> None:
    right = authorization(signature_of(CANONICAL))
    check(with_headers(authorization=right))
    with pytest.raises(IncompleteSignature):
        check(with_headers(authorization=right + more))


@pytest.mark.parametrize(
    ("written", "instead"),
    [(b", Signature", b", XSignature"), (b", Signature", b" Signature"), (b"/us", b"/us" * 100)],
)
def test_a_claim_that_is_written_otherwise_is_refused(written: bytes, instead: bytes) -> None:
    right = authorization(signature_of(CANONICAL))
    with pytest.raises(IncompleteSignature):
        check(with_headers(authorization=right.replace(written, instead)))
