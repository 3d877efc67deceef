"""The seal: against OpenSSL's own BLAKE2b and SHAKE256, and against whoever changes a bit."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline_sip.siv import KEY_BYTES, TAG_BYTES, Forged, Siv

KEY = bytes(range(KEY_BYTES))
SEAL = Siv(KEY, b"leg")

# By the openssl command, version 3: the tag is `mac -macopt hexkey:T -macopt size:16 BLAKE2BMAC` of
# the text, the stream `dgst -shake256 -xoflen N` of X and the tag; T and X are
# `mac -macopt hexkey:KEY -macopt size:32 -macopt custom:legtag` (and legxof) of nothing.
LONG = (
    b"1-5711@192.0.2.11 and more than one block of either function, which are 136 octets o"
    b"f SHAKE256 and 128 of BLAKE2b: so this text goes on for quite a while longer."
)
VECTORS = {
    b"a leg": "d5eb057fb82dd3181b51a3157fb53fd91655118f8c",
    LONG: (
        "ef68ee5a4eb9ed71852ebe1d0a616f6b6409e49918c7fc27b96d52172eb2dfd040bb3a532e2ecf99"
        "9926759c73c9afbe5e0e5fa446b477767cc49446241aba0364bc4900a1a1362c6c45a4671025f8a8"
        "385152fcefb7eafe06b2d268b06cb6216f2a5a9d70d385b220eeb94aa8d280f26ea54666a6bb9d57"
        "4aad92574bd52b48bf5170cc944a8ec47b13a3840605054b1e774e687e55daf5bf42ef8244f6163e"
        "6886e2c5a7ae852680a08f8eaf146719ec"
    ),
}


@pytest.mark.parametrize("text", VECTORS)
def test_it_is_what_others_make_of_the_same_functions(text: bytes) -> None:
    assert SEAL.seal(text).hex() == VECTORS[text]
    assert SEAL.open(bytes.fromhex(VECTORS[text])) == text


@given(st.binary(max_size=400))
def test_it_opens_what_it_sealed_and_seals_it_alike_again(text: bytes) -> None:
    sealed = SEAL.seal(text)
    assert (SEAL.open(sealed), SEAL.seal(text), len(sealed)) == (
        text,
        sealed,
        TAG_BYTES + len(text),
    )


@given(st.binary(max_size=100), st.data())
def test_whatever_is_changed_is_refused(text: bytes, data: st.DataObject) -> None:
    sealed = bytearray(SEAL.seal(text))
    bit = data.draw(st.integers(0, 8 * len(sealed) - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(Forged):
        SEAL.open(bytes(sealed))


@given(st.binary(min_size=1, max_size=100), st.data())
def test_a_part_and_more_than_all_are_refused(text: bytes, data: st.DataObject) -> None:
    sealed = SEAL.seal(text)
    for other in (sealed[: data.draw(st.integers(0, len(sealed) - 1))], sealed + b"\0"):
        with pytest.raises(Forged):
            SEAL.open(other)


@pytest.mark.parametrize("other", [Siv(KEY[::-1], b"leg"), Siv(KEY, b"call")])
def test_another_key_and_another_purpose_open_nothing(other: Siv) -> None:
    sealed = SEAL.seal(b"a leg")
    assert other.seal(b"a leg")[TAG_BYTES:] != sealed[TAG_BYTES:]
    with pytest.raises(Forged):
        other.open(sealed)


def test_texts_that_differ_in_one_bit_have_nothing_in_common() -> None:
    """By their tags they have streams of their own: no two texts are hidden under one."""
    ones = [SEAL.seal(bytes([one]) + bytes(63)) for one in range(64)]
    assert len({one[:TAG_BYTES] for one in ones}) == len({one[TAG_BYTES:] for one in ones}) == 64
    differing = [(a ^ b).bit_count() for a, b in zip(*ones[:2], strict=True)]
    assert 8 * len(differing) * 0.4 < sum(differing) < 8 * len(differing) * 0.6


def test_a_key_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="64 bytes"):
        Siv(hashlib.sha256(b"").digest(), b"leg")
