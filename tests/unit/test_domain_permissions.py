import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from maskline.domain.permissions import (
    EVERYTHING,
    MOST_STARS,
    Grant,
    fits,
    require_few_stars,
)
from maskline.domain.refusals import BadRequest

ARN = "arn:aws:chime:us-east-1:123456789012:vc/abc"


@pytest.mark.parametrize(
    ("grant", "allowed"),
    [
        (EVERYTHING, True),
        (Grant(("chime:*",), ("*",)), True),
        (Grant(("chime:GetProxySession",), (ARN,)), True),
        (Grant(("chime:Get*",), ("arn:aws:chime:*:123456789012:vc/*",)), True),
        (Grant(("chime:PutVoiceConnectorProxy", "chime:GetProxySession"), ("x", ARN)), True),
        (Grant(("chime:get*",), ("*",)), False),
        (Grant(("chime:GetProxy",), ("*",)), False),
        (Grant(("GetProxySession",), ("*",)), False),
        (Grant(("chime:*",), (ARN + "d",)), False),
        (Grant(("chime:.*",), ("*",)), False),
        (Grant((), ("*",)), False),
        (Grant(("*",), ()), False),
    ],
)
def test_what_a_grant_allows(grant: Grant, allowed: bool) -> None:
    assert grant.allows("chime:GetProxySession", ARN) is allowed


def test_a_grant_covers_what_is_within_it() -> None:
    reads = Grant(("chime:Get*", "chime:List*"), ("*",))
    assert EVERYTHING.covers(reads)
    assert reads.covers(Grant(("chime:GetProxySession", "chime:List*"), (ARN,)))
    assert not reads.covers(EVERYTHING)
    assert not reads.covers(Grant(("chime:*",), ("*",)))
    assert not Grant(("*",), (ARN,)).covers(reads)
    for actions, resources in (
        (("chime:GetProxySession", "chime:DeleteProxySession"), (ARN,)),
        (("chime:GetProxySession",), (ARN, ARN + "d")),
    ):
        assert not Grant(("chime:Get*",), (ARN,)).covers(Grant(actions, resources))


def as_regular_expression(pattern: str) -> str:
    return ".*".join(map(re.escape, pattern.split("*")))


@given(st.text("ab*", max_size=8), st.text("ab*\n.", max_size=8))
@example("a*a", "a")
@example("ab*ba", "aba")
@example("*a*b", "ab")
@example("**", "")
def test_a_pattern_fits_what_its_regular_expression_does(pattern: str, text: str) -> None:
    naive = re.fullmatch(as_regular_expression(pattern), text, re.DOTALL)
    assert fits(pattern, text) is (naive is not None)


@given(*[st.text("ab*", max_size=6)] * 2, st.text("ab", max_size=6))
def test_what_is_covered_allows_no_more(wide: str, narrow: str, text: str) -> None:
    if fits(wide, narrow) and fits(narrow, text):
        assert fits(wide, text)


def test_patterns_that_would_take_a_regular_expression_years() -> None:
    hostile = Grant(("*",), ("arn:" + "*a" * 500 + "b", "arn:" + "*" * 1000 + "b"))
    assert not hostile.allows("chime:GetProxySession", "arn:" + "a" * 1000)
    assert not hostile.covers(Grant(("*",), ("arn:" + "a*" * 500,)))
    assert hostile.allows("chime:GetProxySession", "arn:" + "a" * 1000 + "b")


def test_a_pattern_holds_few_stars() -> None:
    require_few_stars(Grant(("chime:*",), ("arn:aws:chime:" + "*" * MOST_STARS,)))
    for grant in (Grant(("chime:" + "A*" * 17,), ("*",)), Grant(("*",), ("arn:" + "*" * 17,))):
        with pytest.raises(BadRequest, match="at most 16 stars"):
            require_few_stars(grant)
