"""Parts of SIP messages, as the script reads them."""

import pytest

from maskline_sip import sip


@pytest.mark.parametrize(
    "uri",
    [
        "sip:+12065550100@a", "sips:+1-206-555-0100@a;user=phone", "tel:+12065550100;cpc=ordinary",
        "sip:+12065550100;cpc=ordinary@a;user=phone", "sip:+12065550100;npdi;rn=+1999@[::1]:5070",
        "sip:%2B12065550100:secret@a", "SIP:+1(206)5550100;phone-context=a@b",
        "tel:2065550100;phone-context=+1", "tel:555-0100;a=b;Phone-Context=+1(206);c",
        "sip:2065550100;phone-context=%2B1@a;user=phone", "tel:+12065550100;phone-context=+44",
    ],
)  # fmt: skip
def test_a_number_is_read_with_its_parameters(uri: str) -> None:
    assert sip.user(uri) == "+12065550100"


@pytest.mark.parametrize(
    "uri", ["tel:5550100;phone-context=a.example", "tel:5550100;ext=1?phone-context=+1"]
)
def test_a_local_number_may_be_of_a_context_without_digits(uri: str) -> None:
    assert sip.user(uri) == "5550100"


@pytest.mark.parametrize("uri", ["sip:a.example", "sip:+12065550100", "tel:", "sip:@a", ""])
def test_there_is_no_number_without_a_user(uri: str) -> None:
    assert sip.user(uri) == ""


def from_there(via: str, host: str = "192.0.2.9", port: int = 5070) -> list[str]:
    raw = (
        f"OPTIONS sip:a SIP/2.0\r\nVia: {via}\r\nVia: SIP/2.0/UDP c\r\nMax-Forwards: 7\r\n"
        "From: <sip:a>;tag=1\r\nTo: <sip:b>\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\n"
        "Content-Length: 0\r\n\r\n"
    )
    return sip.received(sip.parse(raw.encode()), host, port).all("via")


@pytest.mark.parametrize(
    ("via", "told"),
    [
        ("SIP/2.0/UDP 192.0.2.9:5070;branch=z", "SIP/2.0/UDP 192.0.2.9:5070;branch=z"),
        ("SIP/2.0/UDP 10.0.0.1;branch=z", "SIP/2.0/UDP 10.0.0.1;branch=z;received=192.0.2.9"),
        ("SIP/2.0/UDP b;rport;branch=z", "SIP/2.0/UDP b;branch=z;received=192.0.2.9;rport=5070"),
        ("SIP/2.0/UDP 192.0.2.9 ; RPORT", "SIP/2.0/UDP 192.0.2.9;received=192.0.2.9;rport=5070"),
        (
            "SIP/2.0/UDP b;rport, SIP/2.0/UDP d;rport",
            "SIP/2.0/UDP b;received=192.0.2.9;rport=5070, SIP/2.0/UDP d;rport",
        ),
    ],
)
def test_a_reply_tells_its_receiver_where_the_request_came_from(via: str, told: str) -> None:
    """RFC 3261 18.2.1, RFC 3581 4."""
    assert from_there(via) == [told, "SIP/2.0/UDP c"]


def test_an_address_of_version_6_is_itself_with_brackets_and_without() -> None:
    via = "SIP/2.0/UDP [2001:db8::1]:5060;branch=z"
    assert from_there(via, "2001:db8::1") == from_there(via, "[2001:DB8::1]")
    assert from_there(via, "2001:db8::1")[0] == via
    large = via.upper().replace("BRANCH=Z", "branch=z")
    assert from_there(large, "2001:db8::1")[0] == large


def head(*lines: str, start: str = "OPTIONS sip:a SIP/2.0", drop: str = "") -> bytes:
    fixed = [
        "Via: SIP/2.0/UDP c",
        "From: <sip:a>;tag=1",
        "To: <sip:b>",
        "Call-ID: x",
        "CSeq: 1 OPTIONS",
    ]
    kept = [line for line in fixed if not drop or not line.startswith(drop)]
    return "\r\n".join([start, *kept, *lines, "", ""]).encode("latin-1")


@pytest.mark.parametrize(
    ("short", "name"),
    [("b", "referred-by"), ("c", "content-type"), ("e", "content-encoding"), ("f", "from"),
     ("i", "call-id"), ("k", "supported"), ("m", "contact"), ("o", "event"), ("r", "refer-to"),
     ("s", "subject"), ("t", "to"), ("u", "allow-events"), ("v", "via"), ("x", "session-expires")],
)  # fmt: skip
def test_a_short_name_is_the_header_of_the_long_one(short: str, name: str) -> None:
    for written in (short, short.upper(), name, name.upper(), name.title()):
        message = sip.parse(head(f"{written} :\t y "), strict=False)
        assert message.all(name)[-1] == "y"


@pytest.mark.parametrize(
    "name", ["Via", "Contact", "Content-Length", "User-Agent", "Allow", "Supported",
             "Record-Route", "Route", "Subject"]
)  # fmt: skip
def test_a_header_is_known_by_its_name_in_small_letters(name: str) -> None:
    assert sip.parse(head(f"{name}: 0")).all(name.lower())[-1] == "0"


@pytest.mark.parametrize("start", ["OPTIONS sip:a SIP/2.0", "SIP/2.0 200 OK", "SIP/2.0 100 "])
def test_the_least_that_a_message_holds(start: str) -> None:
    message = sip.parse(head(start=start))
    assert (message.call_id, message.cseq, message.body) == ("x", (1, "OPTIONS"), b"")
    assert message.first("max-forwards") == ""
    for missing in ("Via", "From", "To", "Call-ID", "CSeq"):
        with pytest.raises(sip.Malformed):
            sip.parse(head(start=start, drop=missing))
        sip.parse(head(start=start, drop=missing), strict=False)


@pytest.mark.parametrize(
    "line",
    ["Call-ID: y", "i: y", "CSeq: 1 OPTIONS", "From: <sip:a>", "To: <sip:b>", "t: <sip:b>",
     "Max-Forwards: 1\r\nMax-Forwards: 1", "c: text/plain\r\nContent-Type: text/plain"],
)  # fmt: skip
def test_a_header_that_stands_once_may_not_stand_twice(line: str) -> None:
    with pytest.raises(sip.Malformed, match="twice"):
        sip.parse(head(line))
    assert sip.parse(head("Via: SIP/2.0/UDP d", "Contact: <sip:a>", "m: <sip:b>"))


@pytest.mark.parametrize(
    ("drop", "line"),
    [
        ("Call-ID", "Call-ID:"), ("Call-ID", "Call-ID: a b"), ("Call-ID", "Call-ID: \x7f"),
        ("Call-ID", "Call-ID: " + "x" * 257), ("CSeq", "CSeq: 4294967296 OPTIONS"),
        ("CSeq", "CSeq: 1 BYE"), ("CSeq", "CSeq: 1 options"), ("CSeq", "CSeq: -1 OPTIONS"),
        ("CSeq", "CSeq: 1"), ("CSeq", "CSeq: 1 OPTIONS x"), ("From", "From: <sip:a"),
        ("To", "To: <a>"), ("To", "To: sip:"), ("", "Subject"), ("", "Sub ject: x"), ("", ": x"),
        ("", "Subject: a\nb"), ("", "Subject: a\rb"), ("", "Subject: a\0b"), ("", "\xe4: x"),
        ("", "\r\n".join(["X: y"] * 252)), ("", "X: " + "y" * 32_700),
    ],
)  # fmt: skip
def test_what_is_no_header_is_refused(drop: str, line: str) -> None:
    with pytest.raises(sip.Malformed):
        sip.parse(head(line, drop=drop))


def test_what_just_fits_is_read() -> None:
    call, cseq = "Call-ID: " + "x" * 256, "CSeq: 4294967295 OPTIONS"
    for drop, line in (("Call-ID", call), ("CSeq", cseq), ("", "\r\n".join(["X: y"] * 251))):
        sip.parse(head(line, drop=drop))
    room = 32_768 - len(head("X: ")) + len("\r\n\r\n")
    sip.parse(head("X: " + "y" * room))
    with pytest.raises(sip.Malformed):
        sip.parse(head("X: " + "y" * (room + 1)))


@pytest.mark.parametrize(
    "start",
    ["OPTIONS sip:a SIP/3.0", "OPTIONS sip:a", "OPTIONS  sip:a SIP/2.0", "options sip:a SIP/2.0",
     "A" * 21 + " sip:a SIP/2.0", "OPTIONS sip:a SIP/2.0 ", "SIP/2.0 700 x", "SIP/2.0 099 x",
     "SIP/2.0 20 x", "SIP/2.0 2000 x", "SIP/2.0 2a0 x", "SIP/2.0 20a x",
     "OPTIONSx sip:a SIP/2.0", ""],
)  # fmt: skip
def test_what_does_not_begin_like_a_message_is_none(start: str) -> None:
    with pytest.raises(sip.Malformed, match=r"line|CSeq"):
        sip.parse(head(start=start))


@pytest.mark.parametrize(
    ("length", "body", "read"),
    [("Content-Length: 3", b"abcdef", b"abc"), ("l: 0", b"abc", b""), ("X: y", b"abc", b"abc"),
     ("Content-Length: 6", b"abcdef", b"abcdef"), ("Content-Length: x", b"abc", b"abc")],
)  # fmt: skip
def test_a_body_is_as_long_as_it_says(length: str, body: bytes, read: bytes) -> None:
    assert sip.parse(head(length) + body).body == read
    with pytest.raises(sip.Malformed, match="not all there"):
        sip.parse(head("Content-Length: 7") + b"abcdef")
    assert sip.parse(head("Content-Length: 7") + b"abcdef", strict=False).body == b"abcdef"


@pytest.mark.parametrize("fold", ["\r\n ", "\r\n\t", " \r\n  \t"])
def test_a_folded_header_is_one(fold: str) -> None:
    assert sip.parse(head(f"Subject: a{fold}b")).first("subject").split() == ["a", "b"]


@pytest.mark.parametrize(
    ("value", "parts"),
    [
        ("", []), (" ", []), ("a", ["a"]), (" a , b ", ["a", "b"]), ("a,,b,", ["a", "b"]),
        ('"a,b" <sip:a>, c', ['"a,b" <sip:a>', "c"]), ("<sip:a,b>,c", ["<sip:a,b>", "c"]),
        (r'"a\",b",c', [r'"a\",b"', "c"]), (r'"a\\",b', [r'"a\\"', "b"]),
        ('"<",a,">"', ['"<"', "a", '">"']), (r"a\,b", ["a\\", "b"]),
    ],
)  # fmt: skip
def test_a_list_is_parted_at_its_own_commas(value: str, parts: list[str]) -> None:
    assert sip.split(value) == parts


@pytest.mark.parametrize(
    ("value", "uri", "tag"),
    [
        ("<sip:a@b>;tag=x", "sip:a@b", "x"), ("sip:a@b;tag=x", "sip:a@b", "x"),
        ("sip:a@b", "sip:a@b", ""), ("A <sip:a@b;tag=no>;x=y ; Tag = x;z", "sip:a@b;tag=no", "x"),
        ('"<sip:no>;tag=no" <sip:a@b>', "sip:a@b", ""), (r'"\"<sip:no>" <sip:a>', "sip:a", ""),
        (r'"\\" <sip:a>', "sip:a", ""), ("<sip:a@b", "", ""), ("<a b>", "", ""), ("", "", ""),
        ("<tel:+1;x=y>;tag=1>", "tel:+1;x=y", "1"), ("<sip:a b>;tag=x", "", "x"), ('"a', "", ""),
        ("<sip:a>;tag=x y", "sip:a", "x"), ("<sip:a>;tag=x,<sip:b>", "sip:a", "x"),
        ("<sip:a>;tag=", "sip:a", ""), ("1sip:a", "", ""),
        ("<x-y.z+1:a>", "x-y.z+1:a", ""), ("<sip:>", "", ""),
    ],
)  # fmt: skip
def test_an_address_is_a_uri_and_a_tag(value: str, uri: str, tag: str) -> None:
    assert sip.address(value) == sip.Address(uri, tag)
    assert sip.address(value).text == f"<{uri}>"


@pytest.mark.parametrize(
    ("uri", "host"),
    [("sip:a@b.example:5060;x=y", "b.example"), ("SIPS:b?x=y", "b"), ("sip:a@[::1]:5060", "[::1]"),
     ("sip:a:p@b>", "b"), ("tel:+1", ""), ("sip:", ""), ("sip:@b", "b"), ("x:sip:b", ""),
     ("sip:[x]", "[x]")],
)  # fmt: skip
def test_the_host_of_a_uri(uri: str, host: str) -> None:
    assert sip.host(uri) == host


@pytest.mark.parametrize(
    ("uri", "user"),
    [("sip:a%20b@h", "a b"), ("sip:anonymous@h", "anonymous"), ("sip:1-2.3(4) 5@h", "12345"),
     ("TEL:+1(2)3?x", "+123"), ("tel:+1;x=?", "+1"), ("x:sip:a@h", ""),
     ("sip:x-1.2@h", "x-1.2"), ("sip:1-x.2@h", "1-x.2"), ("sip:a%2x@h", "a%2x")],
)  # fmt: skip
def test_the_user_of_a_uri(uri: str, user: str) -> None:
    assert sip.user(uri) == user


def test_what_is_written_tells_the_length_of_its_body() -> None:
    headers = [("Q", "y"), ("Z", "\xe4")]
    written = b"BYE sip:a SIP/2.0\r\nQ: y\r\nZ: \xe4\r\nContent-Length: 3\r\n\r\nabc"
    assert sip.write("BYE sip:a SIP/2.0", headers, b"abc") == written
    message = sip.parse(written, strict=False)
    assert message.headers == (("q", "y"), ("z", "\xe4"), ("content-length", "3"))
    assert (message.method, message.uri, message.is_reply) == ("BYE", "sip:a", False)
