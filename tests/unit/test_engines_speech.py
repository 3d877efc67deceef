"""What engines say, and what of it is told."""

import pytest

from maskline.engines.speech import Said, heard

CORE = " 3(1234) ERROR: <core> [core/parser/parse_uri.c:1303]: parse_uri(): "


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (CORE + "bad uri, state 0: <sip> (3) / <sip:ann@x> (9)", CORE + "bad uri, state 0: …"),
        (CORE + "no valid host in sip:ann@example.com", CORE + "no valid host in …"),
        (CORE + 'could not read "Ann"', CORE + "could not read …"),
        (CORE + "out of memory", CORE + "out of memory"),
        ("ERR: [0-4]: [core] Bad packet: [d3:sdp9:v=0]", "ERR: [0-4]: [core] Bad packet: …"),
    ],
)  # fmt: skip
def test_what_is_quoted_is_cut(line: str, told: str) -> None:
    assert heard(line) == Said(told.strip(), grave=True)


@pytest.mark.parametrize("line", ["", "From: Ann <sip:ann@x>", "Subject: ERROR: CRIT: WARN"])
def test_what_goes_on_with_a_line_is_not_told(line: str) -> None:
    assert heard(line) is None


def test_all_is_told_of_a_start() -> None:
    """Nobody has sent anything yet, and the operator must see what is wrong."""
    assert heard("Traceback (most recent call last):", starting=True) is not None
    line = '0(7) ERROR: <core> [core/cfg.y:3664]: yyerror_at(): parse error in "kamailio.cfg"'
    assert heard(line, starting=True) == Said(line, grave=True)


def test_what_is_no_complaint_is_none() -> None:
    said = heard(" 0(1) INFO: <core> [main.c:1]: main(): ERROR rate low")
    assert said is not None
    assert not said.grave
