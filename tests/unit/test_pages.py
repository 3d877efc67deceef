"""Next-tokens as they are seen from outside."""

from pathlib import Path

import pytest

from maskline.domain.refusals import InvalidNextToken
from maskline.operations.pages import MOST_CHARACTERS, Page, read_token
from maskline.store.secrets import Cipher, make_key_file, open_cipher


@pytest.fixture
def cipher(tmp_path: Path) -> Cipher:
    make_key_file(tmp_path / "key")
    return open_cipher(tmp_path / "key")


def token(cipher: Cipher, sequence: int) -> str:
    rows = [{"sequence": sequence}, {"sequence": sequence - 1}]
    answer = Page("calls", "", 1, cipher).answer("Calls", rows, dict)
    given: str = answer["NextToken"]
    return given


def test_no_token_looks_like_an_option_of_a_command(cipher: Cipher) -> None:
    given = [token(cipher, sequence) for sequence in range(1000)]
    assert all(one[0] != "-" for one in given)
    assert [read_token(cipher, "calls", one) for one in given] == [*map(str, range(1000))]


@pytest.mark.parametrize("wrong", ["", "a", "-", "AAAA", "é", "AA=="])
def test_other_tokens_are_refused(cipher: Cipher, wrong: str) -> None:
    with pytest.raises(InvalidNextToken):
        read_token(cipher, "calls", wrong)


def test_a_page_ends_where_its_rows_hold_too_much(cipher: Cipher) -> None:
    half = {"numbers": "x" * (MOST_CHARACTERS // 2)}
    rows = [{"sequence": number, **half} for number in range(9, 4, -1)]
    page = Page("orders", "", 4, cipher)
    answer = page.bounded(rows, "numbers").answer("Orders", rows, dict)
    assert answer["Orders"] == rows[:2]
    assert read_token(cipher, "orders", answer["NextToken"]) == "8"
    last = page.bounded(rows[3:], "numbers").answer("Orders", rows[3:], dict)
    assert last == {"Orders": rows[3:]}
    large = [{"sequence": 1, "numbers": "x" * 2 * MOST_CHARACTERS}]
    assert page.bounded(large, "numbers").answer("Orders", large, dict) == {"Orders": large}
    assert page.bounded([], "numbers").answer("Orders", [], dict) == {"Orders": []}
