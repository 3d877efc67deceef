import pytest

from maskline.domain.permissions import EVERYTHING, Grant

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
