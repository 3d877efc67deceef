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


def test_what_comes_of_calls_with_browsers_is_no_complaint() -> None:
    line = "ERR: [0123-4 port 30000]: [core] SRTP output wanted, but no crypto suite was negotiated"
    assert heard(line) == Said(line, grave=False)
    assert heard(f"{line} twice") == Said(f"{line} twice", grave=True)


@pytest.mark.parametrize("starting", [True, False])
@pytest.mark.parametrize(
    "line",
    ["", "From: Ann <sip:ann@x>", "Subject: ERROR: CRIT: WARN", "ERROR: Ann", "ERR: Ann Lee",
     "WARNING: <core> Ann", "ERR: [Ann Lee] here", "3(12) ERROR: Ann",
     "0(7) ERROR: <core> [Ann]: is here"],
)  # fmt: skip
def test_what_goes_on_with_a_line_is_not_told(line: str, starting: bool) -> None:
    """Not even of a start, which may be one among people who speak."""
    assert heard(line, starting=starting) is None


@pytest.mark.parametrize(
    "line",
    [
        '0(7) ERROR: <core> [core/cfg.y:3664]: yyerror_at(): parse error in "kamailio.cfg"',
        "0(7) ERROR: <core> [core/udp_server.c:9]: udp_init(): bind(5, 16) on 192.0.2.1: in use",
        "[1795.81] CRIT: [core] Fatal error: Failed to open port (192.0.2.1:1): in use",
    ],
)
def test_all_is_told_of_the_configuration_at_a_start(line: str) -> None:
    """The operator must see what is wrong."""
    assert heard(line, starting=True) == Said(line, grave=True)
    assert heard(line) != Said(line, grave=True)


def test_why_an_engine_cannot_be_started_is_told() -> None:
    line = "setpriv: failed to execute /usr/sbin/kamailio: No such file or directory"
    assert heard(line, starting=True) == Said(line, grave=True)
    assert heard(line) is None


def test_of_messages_no_more_is_told_at_a_start() -> None:
    line = CORE + "no valid host in sip:ann@example.com"
    assert heard(line, starting=True) == heard(line)


def test_what_is_no_complaint_is_none() -> None:
    said = heard(" 0(1) INFO: <core> [main.c:1]: main(): ERROR rate low")
    assert said is not None
    assert not said.grave


@pytest.mark.parametrize(
    ("says", "spent"),
    [
        ("out of pkg mem!", True),
        ("could not allocate private memory from pkg pool", True),
        ("could not allocate shared memory from shm pool", False),
        ("bad uri <sip:out of pkg mem@x>", False),
    ],
)
def test_that_a_process_has_no_memory_left_is_heard(says: str, spent: bool) -> None:
    said = heard(CORE + says)
    assert said is not None
    assert said.spent is spent
