"""When a registration is sent anew."""

import pytest

from maskline.domain.trunk import Target
from maskline.engines.control import Reply
from maskline.engines.registration import attempt

FIRST, SECOND = Target("192.0.2.1:5060", "udp"), Target("192.0.2.2:5060", "udp")


@pytest.mark.parametrize(
    ("replies", "state", "pause"),
    [
        ([Reply(200, expires=100)], "registered", 80),
        ([Reply(200)], "registered", 480),
        ([Reply(503, retry_after=9.0), Reply(200, expires=100)], "registered", 80),
        ([Reply(503, retry_after=9.0), Reply(403)], "refused 403", 20),
        ([Reply(403), Reply(503, retry_after=300.0)], "refused 503", 300),
        ([None, Reply(503, retry_after=9.0)], "refused 503", 20),
        ([Reply(403), Reply(503, retry_after=999_999.0)], "refused 503", 3600),
        ([Reply(503, retry_after=300.0), None], "no answer", 20),
        ([], "no place", 20),
    ],
)
async def test_a_registrar_is_asked_again_when_it_wants(
    replies: list[Reply | None], state: str, pause: float
) -> None:
    left = list(replies)

    async def register(_name: str, _target: Target, seconds: int) -> Reply | None:
        assert seconds == 600
        return left.pop(0)

    targets = [FIRST, SECOND][: len(replies)]
    assert await attempt("acme", 600, targets, register) == (state, pause)
    assert not left
