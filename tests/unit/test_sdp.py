"""Session descriptions: all that is on the lists passes, as it is, and nothing else."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline_sip import places, sdp

HEAD = "v=0\r\no=- 7 8 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
KEYS = {
    "AES_CM_128_HMAC_SHA1_80": 30, "AES_CM_128_HMAC_SHA1_32": 30, "AES_192_CM_HMAC_SHA1_80": 38,
    "AES_192_CM_HMAC_SHA1_32": 38, "AES_256_CM_HMAC_SHA1_80": 46, "AES_256_CM_HMAC_SHA1_32": 46,
    "AEAD_AES_128_GCM": 28, "AEAD_AES_256_GCM": 44,
}  # fmt: skip


def passed(text: str) -> str:
    """What is written of a description."""
    return sdp.write(sdp.read(text.encode("latin-1")), 7, 8).decode()


def described(*lines: str, media: str = "m=audio 4000 RTP/AVP 0", end: str = "sendrecv") -> str:
    return HEAD + "\r\n".join([media, *lines, f"a={end}", ""])


def inline(octets: int) -> str:
    return base64.b64encode(bytes(255 - number for number in range(octets))).decode()


def crypto(octets: int, suite: str = "AES_CM_128_HMAC_SHA1_80") -> str:
    return f"a=crypto:1 {suite} inline:{inline(octets)}"


@pytest.mark.parametrize(
    "codec",
    ["PCMU/8000", "PCMA/8000", "G722/8000", "G729/8000", "GSM/8000", "opus/48000/2", "ILBC/8000",
     "AMR/8000", "AMR/8000/1", "AMR-WB/16000", "G726-32/8000", "SPEEX/16000", "CN/8000",
     "telephone-event/8000"],
)  # fmt: skip
def test_a_known_codec_passes(codec: str) -> None:
    text = described(f"a=rtpmap:96 {codec}", media="m=audio 4000 RTP/AVP 96 0")
    assert passed(text) == text
    assert passed(text.replace(codec, codec.swapcase())) == text


@pytest.mark.parametrize(
    "codec",
    ["SECRET/8000", "PCMU", "PCMU/800", "PCMU/08000", "PCMU/1000000", "opus/48000/3", "PCMU 8000",
     "opus/48000/2/1", "PCMU/8000 SECRET", "AMR@WB/16000"],
)  # fmt: skip
def test_an_unknown_codec_does_not_pass(codec: str) -> None:
    text = described(f"a=rtpmap:96 {codec}", media="m=audio 4000 RTP/AVP 0 96")
    assert passed(text) == described()


@pytest.mark.parametrize("payload", [0, 3, 8, 9, 13, 18])
def test_a_codec_with_a_number_of_its_own_needs_no_map(payload: int) -> None:
    beside = 8 if payload == 0 else 0  # comfort noise alone is no sound
    text = described(media=f"m=audio 4000 RTP/AVP {payload} {beside}")
    assert passed(text) == text


def test_other_numbers_need_one() -> None:
    unknown = [str(number) for number in range(1, 128) if number not in (3, 8, 9, 13, 18)][:31]
    text = described(media=f"m=audio 4000 RTP/AVP {' '.join([*unknown, '0', '8'])}")
    assert passed(text) == described()  # the 33rd is not looked at
    beyond = ["a=rtpmap:128 PCMA/8000", "a=rtpmap:999 PCMA/8000"]
    assert (
        passed(described(*beyond, media="m=audio 4000 RTP/AVP 128 0 x 0x 999 1000")) == described()
    )


@pytest.mark.parametrize(
    "name",
    ["annexb", "mode", "mode-set", "mode-change-period", "mode-change-neighbor", "octet-align",
     "crc", "robust-sorting", "maxplaybackrate", "sprop-maxcapturerate", "minptime",
     "maxaveragebitrate", "stereo", "sprop-stereo", "cbr", "useinbandfec", "usedtx"],
)  # fmt: skip
@pytest.mark.parametrize("value", ["0", "12345678", "0,1,2,3,4,5,6,7,8", "yes", "no"])
def test_a_known_parameter_passes(name: str, value: str) -> None:
    text = described(f"a=fmtp:0 {name}={value}")
    assert passed(text) == text
    more = f"x=SECRET; {name.upper()} = {value} ;stereo=SECRET"
    assert passed(described(f"a=fmtp:0 {more}")) == text


@pytest.mark.parametrize(
    "text",
    ["x=1", "mode", "mode=", "mode=SECRET", "mode=123456789", "mode=0,1,2,3,4,5,6,7,8,9",
     "mode=1,", "mode=yesno", "0-15 SECRET", "0-", "100", "0-100", "0,,1", "@", "0-x", "0,1-x"],
)  # fmt: skip
def test_no_other_parameter_does(text: str) -> None:
    assert passed(described(f"a=fmtp:0 {text}")) == described()


@pytest.mark.parametrize("events", ["0", "15", "0-15", "0-11,16", "0,4-5,99"])
def test_the_keys_that_can_be_told_pass(events: str) -> None:
    text = described(f"a=fmtp:0 {events}")
    assert passed(text) == text
    assert passed(text.replace("fmtp:0 ", "fmtp:0  ")) == text


@pytest.mark.parametrize(
    ("lines", "seen"),
    [
        (["a=ptime:20", "a=maxptime:150"], ["a=ptime:20", "a=maxptime:150"]),
        (["a=ptime:20", "a=ptime:30", "a=ptime:40"], ["a=ptime:20", "a=ptime:30"]),
        (["a=ptime:1000", "a=ptime:x", "a=minptime:20", "a=ptime:20 SECRET"], []),
    ],
)
def test_the_length_of_a_packet_passes(lines: list[str], seen: list[str]) -> None:
    assert passed(described(*lines)) == described(*seen)


@pytest.mark.parametrize("direction", ["sendrecv", "sendonly", "recvonly", "inactive"])
def test_a_direction_is_a_streams_or_that_of_all(direction: str) -> None:
    text = described(end=direction)
    assert passed(text) == text
    of_all = f"{HEAD}a={direction}\r\na=SECRET\r\nm=audio 4000 RTP/AVP 0\r\n"
    assert passed(of_all) == text
    assert passed(of_all + "a=inactive\r\n") == described(end="inactive")


@pytest.mark.parametrize("place", ["IP4 0.0.0.0", "IP6 ::", "IP6 0:0:0:0:0:0:0:0"])
@pytest.mark.parametrize(
    ("said", "meant"),
    [("sendrecv", "sendonly"), ("recvonly", "inactive"), ("sendonly", "sendonly"),
     ("inactive", "inactive"), ("x", "sendonly")],
)  # fmt: skip
def test_an_address_of_nowhere_is_a_hold(place: str, said: str, meant: str) -> None:
    text = f"v=0\r\nc=IN {place}\r\nm=audio 4000 RTP/AVP 0\r\na={said}\r\n"
    assert sdp.read(text.encode()).streams[0].direction == meant


@pytest.mark.parametrize("profile", ["RTP/AVP", "RTP/AVPF"])
def test_a_plain_profile_passes(profile: str) -> None:
    text = described(media=f"m=audio 4000 {profile} 0")
    assert passed(text) == text
    assert passed(text.replace(profile, profile.lower()).replace("4000", "4000/1")) == text


@pytest.mark.parametrize("profile", ["RTP/SAVP", "RTP/SAVPF"])
@pytest.mark.parametrize(("suite", "octets"), KEYS.items())
def test_a_key_of_the_right_length_is_read(profile: str, suite: str, octets: int) -> None:
    media = f"m=audio 4000 {profile} 0"
    text = described(crypto(octets, suite), media=media)
    assert passed(text) == text
    for more in ("|2^20", "|1048576", ""):
        assert passed(text.replace(inline(octets), inline(octets) + more)) == text
    short = text.replace(inline(octets), inline(octets).rstrip("="))
    assert passed(short) == short
    assert sdp.read(short.encode()).streams[0].secure
    assert sdp.keys(sdp.read(short.encode())) == sdp.keys(sdp.read(text.encode()))
    for wrong in (octets - 3, octets + 3):
        with pytest.raises(sdp.Unacceptable, match="key"):
            sdp.read(described(crypto(wrong, suite), media=media).encode())


@pytest.mark.parametrize(
    "line",
    [crypto(30, "SECRET"), crypto(30) + " UNENCRYPTED_SRTP", crypto(30) + "|2^20|1:4",
     crypto(30).replace("inline", "x"), crypto(30) + "|SECRET", "a=crypto:1 AEAD_AES_128_GCM "],
)  # fmt: skip
def test_another_key_is_none(line: str) -> None:
    assert passed(described(line)) == described()


def test_lines_that_are_none_are_passed_over() -> None:
    assert passed(described("", "SECRET", "a", "a=fmtp:0 " + "mode=1;" * 43)) == described()


def test_keys_are_counted() -> None:
    read = sdp.read(described(*[crypto(30)] * 13).encode())
    assert len(read.streams[0].keys) == 12
    assert read.streams[0].secure


def test_an_address_may_be_each_streams_own() -> None:
    text = (
        "v=0\r\no=- 7 8 IN IP6 2001:db8::1\r\ns=-\r\nc=IN IP6 2001:db8::1\r\nt=0 0\r\n"
        "m=audio 4000 RTP/AVP 0\r\na=sendrecv\r\n"
        "m=audio 65535 RTP/AVP 8\r\nc=IN IP4 192.0.2.2\r\na=sendrecv\r\na=rtcp-mux\r\n"
    )
    assert passed(text) == text
    assert sdp.addresses(sdp.read(text.encode())) == {"2001:db8::1", "192.0.2.2"}
    mapped = text.replace("2001:db8::1", "::ffff:192.0.2.1")
    assert passed(mapped) == mapped
    general = "c=IN IP6 2001:db8::1\r\n"
    for_one = text.replace(general, "").replace("AVP 0\r\n", f"AVP 0\r\n{general}")
    assert passed(for_one) == text


@pytest.mark.parametrize(
    "line",
    ["c=IN IP4 192.0.2", "c=IN IP4 1920.0.2.1", "c=IN IP4 192.0.2.1/127", "c=IN IP6 SECRET",
     "c=IN IP4 x.0.2.1", "c=IN IP4 192.0.2.x", "c=IN IP4 .0.2.1", "c=IN IP6 a b",
     "c=IN IP4 host.example", "c=IP4 192.0.2.1", "c=", "m=audio 65536 RTP/AVP 0", "m=SECRET",
     "m=audio x RTP/AVP 0", "m=audio 4000/2 RTP/AVP 0", "m=audio 4000 RTP/AVP",
     "m=audio 4000 RTP/AVP 0" + " 0" * 200],
)  # fmt: skip
def test_a_line_that_cannot_be_read_is_not_passed_over(line: str) -> None:
    with pytest.raises(sdp.Unacceptable, match=line[:2]):
        sdp.read((described() + line + "\r\n").encode())


@pytest.mark.parametrize(
    ("media", "seen"),
    [
        ("video 5000 RTP/AVP 99", "video 0 RTP/AVP 0"),
        ("image 5000 udptl t38", "image 0 udptl t38"),
        ("text 0 RTP/AVPF 98", "text 0 RTP/AVPF 0"),
        ("message 9 TCP/MSRP *", "message 0 TCP/MSRP *"),
        ("message 9 TCP/TLS/MSRP *", "message 0 TCP/TLS/MSRP *"),
        ("application 9 TCP/BFCP *", "application 0 TCP/BFCP *"),
        ("application 9 UDP/BFCP *", "application 0 UDP/BFCP *"),
        ("audio 9 UDP/TLS/RTP/SAVP 0", "audio 0 UDP/TLS/RTP/SAVP 0"),
        ("audio 9 UDP/TLS/RTP/SAVPF 0", "audio 0 UDP/TLS/RTP/SAVPF 0"),
        ("video 9 RTP/SAVP 0", "video 0 RTP/SAVP 0"),
        ("video 9 RTP/SAVPF 0", "video 0 RTP/SAVPF 0"),
        ("secret 9 SECRET secret", "application 0 RTP/AVP 0"),
    ],
)  # fmt: skip
def test_a_stream_that_is_refused_tells_what_it_was(media: str, seen: str) -> None:
    more = "c=IN IP4 203.0.113.9\r\na=rtpmap:99 SECRET/9\r\na=sendonly\r\na=ptime:20\r\n"
    assert passed(f"{described()}m={media}\r\n{more}") == f"{described()}m={seen}\r\n"
    assert passed(f"{HEAD}m={media}\r\n{more}" + described()[len(HEAD) :]) == (
        f"{HEAD}m={seen}\r\n" + described()[len(HEAD) :]
    )


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("v=0\r\nm=audio 4000 RTP/AVP 0\r\n", "no c="),
        (described(media="m=audio 4000 RTP/AVP 96"), "no codec"),
        (described(media="m=audio 4000 RTP/SAVP 0"), "no key"),
        (HEAD + "m=video 4000 RTP/AVP 0\r\nm=audio 0 RTP/AVP 0\r\n", "that we can carry"),
        (HEAD, "no stream"),
        (HEAD + "m=audio 4000 RTP/AVP 0\r\n" * 9, "too large"),
        (HEAD + "x" * (16_385 - len(HEAD)), "too large"),
    ],
)
def test_what_cannot_be_carried_is_refused(text: str, fault: str) -> None:
    with pytest.raises(sdp.Unacceptable, match=fault):
        sdp.read(text.encode())


def test_a_stream_that_was_given_up_needs_no_place_and_no_codec() -> None:
    text = "v=0\r\nm=audio 0 RTP/AVP 96\r\nm=audio 0 RTP/SAVP 0\r\n"
    assert passed(text).endswith("t=0 0\r\nm=audio 0 RTP/AVP 0\r\nm=audio 0 RTP/SAVP 0\r\n")


def test_what_is_as_large_as_can_be_is_read() -> None:
    most = HEAD + "m=audio 4000 RTP/AVP 0\r\n" * 8
    assert len(sdp.read(most.encode() + b"x" * (16_384 - len(most))).active) == 8


def test_a_refused_streams_address_is_told_to_nobody() -> None:
    """Even where no other stands: what is written names nothing that `addresses` does not."""
    text = (
        "v=0\r\nm=video 5000 RTP/AVP 99\r\nc=IN IP4 203.0.113.9\r\n"
        "m=audio 4000 RTP/AVP 0\r\nc=IN IP4 192.0.2.1\r\n"
    )
    assert sdp.addresses(sdp.read(text.encode())) == {"192.0.2.1"}
    assert "203.0.113.9" not in passed(text)


def read(*media: str) -> sdp.Description:
    lines = [line for one in media for line in (f"m={one}", "c=IN IP4 192.0.2.1")]
    return sdp.read("\r\n".join(["v=0", *lines, ""]).encode())


def test_streams_that_tell_no_place_get_one_and_no_others() -> None:
    nowhere = sdp.read(
        b"v=0\nc=IN IP4 0.0.0.0\nm=audio 4000 RTP/AVP 0\nm=video 0 RTP/AVP 0\n"
        b"m=audio 4002 RTP/AVP 0\nc=IN IP4 192.0.2.2\nm=audio 4004 RTP/AVP 0\n"
    )
    known = [("192.0.2.9", 1), ("192.0.2.9", 2), ("192.0.2.9", 3), ("2001:db8::9", 4)]
    placed = places.placed(nowhere, known)
    assert placed.address == ""
    assert [(stream.address, stream.port) for stream in placed.streams] == [
        ("IP4 192.0.2.9", 1), ("", 0), ("IP4 192.0.2.2", 4002), ("IP6 2001:db8::9", 4),
    ]  # fmt: skip
    somewhere = sdp.read(described().encode())
    assert places.placed(somewhere, known) == somewhere


def test_streams_that_were_moved_can_be_moved_back() -> None:
    given_ = read("audio 4000 RTP/AVP 0", "video 0 RTP/AVP 0", "audio 4002 RTP/AVP 0")
    back = places.moved_back(given_, [("192.0.2.9", 1), ("192.0.2.9", 2), ("192.0.2.1", 4002)])
    assert back
    assert [(stream.address, stream.port) for stream in back.active] == [
        ("IP4 192.0.2.9", 1), ("IP4 192.0.2.1", 4002),
    ]  # fmt: skip
    same = [("192.0.2.1", 4000), ("192.0.2.9", 2), ("192.0.2.1", 4002)]
    assert places.moved_back(given_, same) is None
    assert places.moved_back(given_, []) is None
    held = sdp.read(b"v=0\nc=IN IP4 0.0.0.0\nm=audio 4000 RTP/AVP 0\n")
    assert places.moved_back(held, [("192.0.2.9", 1)]) is None
    resumed = read("audio 4000 RTP/AVP 0")
    back = places.moved_back(resumed, [("192.0.2.9", 1)], held)
    assert back
    assert [(back.place(stream), stream.port) for stream in back.streams] == [("IP4 192.0.2.9", 1)]


def test_refused_streams_stand_as_their_sender_wrote_them() -> None:
    said = read("image 9 udptl t38", "audio 4000 RTP/AVP 0", "video 0 RTP/SAVP 0")
    relayed = read(
        "audio 0 RTP/AVP 0", "audio 6000 RTP/AVP 0", "audio 0 RTP/AVP 0", "text 0 RTP/AVP 0"
    )
    text = sdp.write(sdp.refusing_as(relayed, said), 7, 8).decode()
    assert [line for line in text.split("\r\n") if line.startswith("m=")] == [
        "m=image 0 udptl t38", "m=audio 6000 RTP/AVP 0", "m=video 0 RTP/SAVP 0",
        "m=text 0 RTP/AVP 0",
    ]  # fmt: skip
    accepted = read("audio 0 RTP/AVP 0", "audio 0 RTP/AVP 0")
    taken = sdp.refusing_as(read("audio 6000 RTP/AVP 0"), read("video 0 RTP/SAVP 0"))
    assert [(stream.kind, stream.profile) for stream in taken.streams] == [("audio", "RTP/AVP")]
    kept = sdp.refusing_as(accepted, read("audio 4000 RTP/AVPF 0", "audio 0 RTP/AVPF 0"))
    assert [stream.profile for stream in kept.streams] == ["RTP/AVP", "RTP/AVPF"]


def test_a_carriers_codecs_stay_in_its_order_and_keys_with_them() -> None:
    offered = sdp.read(
        described(
            "a=rtpmap:111 opus/48000/2", "a=rtpmap:101 telephone-event/8000",
            "a=rtpmap:96 AMR/8000", media="m=audio 4000 RTP/AVP 0 3 8 9 18 13 101 111 96",
        ).encode()
    )  # fmt: skip
    assert sdp.limited(offered, ()) == offered
    for codecs, payloads in (
        (["OPUS", "PCMA", "PCMU"], [111, 8, 0, 13, 101]),
        (["G729", "G722", "GSM"], [18, 9, 3, 13, 101]),
        (["AMR", "SPEEX"], [96, 13, 101]),
    ):
        assert sdp.limited(offered, codecs).streams[0].payloads == payloads
    for none in (["SPEEX"], ["AMR-WB"]):
        with pytest.raises(sdp.Unacceptable, match="codecs"):
            sdp.limited(offered, none)
    refused = read("audio 0 RTP/AVP 0", "audio 4000 RTP/AVP 0 8")
    kept = sdp.limited(refused, ["PCMA"])
    assert [stream.payloads for stream in kept.streams] == [[0], [8]]


def test_nobody_answers_from_nowhere() -> None:
    offered = read("video 0 RTP/AVP 0", "audio 4000 RTP/AVP 0 8")
    answer = sdp.nobody(offered)
    assert sdp.addresses(answer) == {"127.0.0.1"}
    assert [(s.port, s.direction) for s in answer.streams] == [(0, "sendonly"), (9, "sendonly")]
    six = sdp.read(b"v=0\nc=IN IP6 2001:db8::1\nm=audio 4000 RTP/AVP 0\n")
    assert sdp.addresses(sdp.nobody(six)) == {"::1"}


MULTIPART = (
    b"preamble\r\n--b 1\r\nContent-Type: text/plain\r\n\r\nSECRET\r\n"
    b"--b 1\r\ncontent-type : Application/SDP\r\nX: y\r\n\r\nv=0\r\n\r\n\r\n"
    b"--b 1\r\nContent-Type: application/sdp\r\n\r\nv=1\r\n--b 1--\r\n"
)


@pytest.mark.parametrize(
    ("kind", "body", "found"),
    [
        ("application/sdp", b"v=0", b"v=0"), (" Application/SDP ; x=y", b"v=0", b"v=0"),
        ('multipart/mixed; a=b; Boundary = "b 1"; c=d', MULTIPART, b"v=0\r\n\r\n"),
        ("Multipart/Alternative;boundary=b 1", MULTIPART, b"v=0\r\n\r\n"),
        ("multipart/mixed", MULTIPART, b""), ("multipart/mixed;boundary=b2", MULTIPART, b""),
        ("text/plain;boundary=b 1", MULTIPART, b""), ("", b"v=0", b""),
        ("multipart/mixed;boundary=b 1", b"--b 1\r\nContent-Type: application/sdp", b""),
    ],
)  # fmt: skip
def test_where_a_description_stands(kind: str, body: bytes, found: bytes) -> None:
    assert sdp.from_body(kind, body) == found


lines = st.sampled_from(
    ["m=audio 4000 RTP/AVP 0 8", "m=audio 0 RTP/AVP 0", "m=video 5000 RTP/AVP 99", "a=inactive",
     "c=IN IP4 192.0.2.1", "c=IN IP4 198.51.100.7", "c=IN IP6 2001:db8::1", "c=IN IP4 0.0.0.0"]
)  # fmt: skip


@given(st.lists(lines, max_size=8))
def test_no_address_is_written_that_is_not_looked_at(text: list[str]) -> None:
    try:
        description = sdp.read("\n".join(["v=0", *text]).encode())
    except sdp.Unacceptable:
        return
    written = sdp.write(description, 7, 8).decode().split("\r\n")
    told = {line.split(" ")[-1] for line in written if line.startswith(("c=", "o="))}
    assert told <= sdp.addresses(description) | {"0.0.0.0"}


def test_usual_codecs_have_the_numbers_of_rfc_3551() -> None:
    lines = (
        "v=0", "c=IN IP4 192.0.2.1", "m=audio 4000 RTP/AVP 96 0 8 9 97 101",
        "a=rtpmap:96 PCMU/8000", "a=rtpmap:0 pcmu/8000", "a=rtpmap:8 G729/8000",
        "a=rtpmap:97 opus/48000/2", "a=rtpmap:101 telephone-event/8000",
        "m=audio 0 RTP/AVP 96",
    )  # fmt: skip
    given = sdp.read("\r\n".join(lines).encode())
    sound, refused = sdp.usual(given).streams
    assert sound.payloads == [0, 9, 101]
    assert refused == given.streams[1]
