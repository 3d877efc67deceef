"""The parts of the HTTP door, each for itself."""

from pathlib import Path

import pytest
from door import add_account, add_key

from maskline.domain.refusals import (
    AccessDenied,
    BadRequest,
    Conflict,
    LimitExceeded,
    NotFound,
    Refusal,
    Throttled,
    Unavailable,
)
from maskline.model import load
from maskline.operations import AccessKey
from maskline.store import open_store
from maskline.web import answers
from maskline.web.keys import KEPT_SECONDS, KeyRing
from maskline.web.permissions import action_of
from maskline.web.throttle import Throttle

VOICE = load("chime-sdk-voice").operations


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("refusal", "operation", "status", "name"),
    [
        (NotFound("x"), "GetProxySession", 404, "NotFoundException"),
        (NotFound("x"), "CreateVoiceConnector", 400, "BadRequestException"),
        (Conflict("x"), "CreateProxySession", 400, "BadRequestException"),
        (AccessDenied("x"), "PutVoiceConnectorProxy", 403, "AccessDeniedException"),
        (AccessDenied("x"), "GetProxySession", 403, "ForbiddenException"),
        (LimitExceeded("x"), "CreateVoiceConnector", 400, "ResourceLimitExceededException"),
        (Unavailable("x"), "CreateProxySession", 503, "ServiceUnavailableException"),
    ],
)
def test_which_exception_a_refusal_becomes(
    refusal: Refusal, operation: str, status: int, name: str
) -> None:
    answer = answers.refused(refusal, VOICE[operation])
    assert (answer.status, answer.error) == (status, name)


def test_what_may_be_tried_again_says_so_whatever_the_model_lists() -> None:
    assert answers.refused(Throttled("x", retry_after=2), None).status == 429
    assert answers.refused(Unavailable("x"), None).status == 503
    assert answers.refused(BadRequest("x"), None).status == 400


def test_when_to_try_again() -> None:
    answer = answers.refused(Unavailable("x", retry_after=3), None)
    assert (b"retry-after", b"3") in answer.headers


def test_actions_have_the_names_that_policies_know() -> None:
    assert action_of("chime-sdk-voice", "GetProxySession") == "chime:GetProxySession"
    assert action_of("maskline", "ListCalls") == "maskline:ListCalls"


def test_a_bucket_fills_while_nobody_draws() -> None:
    clock = Clock()
    throttle = Throttle(2, clock)
    throttle.take("a")
    throttle.take("a")
    with pytest.raises(Throttled) as told:
        throttle.take("a")
    assert told.value.retry_after == 1
    throttle.take("b")
    clock.now = 0.5
    throttle.take("a")
    with pytest.raises(Throttled):
        throttle.take("a")
    clock.now = 100
    throttle.take("a")
    throttle.take("a")
    with pytest.raises(Throttled):
        throttle.take("a")


async def test_a_key_disabled_by_another_process_stops_soon(tmp_path: Path) -> None:
    clock = Clock()
    store = open_store(f"sqlite:{tmp_path / 'keys.db'}")
    key = await store.write(lambda tx: add_key(tx, add_account(tx)))
    ring = KeyRing(store, clock)
    found = await ring.find(key.id)
    assert found is not None
    assert found.secret_access_key == key.secret
    store._writer._connection.execute(  # type: ignore[attr-defined]
        "UPDATE access_keys SET active = 0"
    )
    assert await ring.find(key.id) == found
    clock.now = KEPT_SECONDS
    found = await ring.find(key.id)
    assert found is not None
    assert not found.active
    store.close()


async def test_a_key_that_changes_while_it_is_looked_up_is_not_kept(tmp_path: Path) -> None:
    store = open_store(f"sqlite:{tmp_path / 'keys.db'}")
    key = await store.write(lambda tx: add_key(tx, add_account(tx)))
    ring = KeyRing(store)
    look_up = ring._look_up

    async def slow(access_key_id: str) -> AccessKey | None:
        found = await look_up(access_key_id)
        ring.changed(access_key_id)
        return found

    ring._look_up = slow  # type: ignore[method-assign]
    assert await ring.find(key.id) is not None
    assert ring._kept == {}
    store.close()


async def test_keys_that_do_not_exist_fill_no_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("maskline.web.keys.MOST_KEPT", 3)
    store = open_store(f"sqlite:{tmp_path / 'keys.db'}")
    ring = KeyRing(store)
    for number in range(10):
        assert await ring.find(f"AKIA{number}") is None
        assert len(ring._kept) <= 3
    store.close()
