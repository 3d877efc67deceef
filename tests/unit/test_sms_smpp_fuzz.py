"""The short form of `make fuzz`: random octets, and seeds with a few octets changed."""

from hypothesis import given
from hypothesis import strategies as st
from smpp_fuzz import SEEDS, one_input


@given(st.binary(max_size=300))
def test_any_octets(octets: bytes) -> None:
    one_input(octets)


@given(
    st.lists(st.sampled_from(SEEDS), min_size=1, max_size=3).map(b"".join),
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=4),
)
def test_seeds_with_octets_changed(octets: bytes, changes: list[tuple[int, int]]) -> None:
    changed = bytearray(octets)
    for place, octet in changes:
        changed[place % len(changed)] = octet
    one_input(bytes(changed))
