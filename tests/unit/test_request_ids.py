"""Request ids, by which an audit record is found again."""

import os
from uuid import UUID

from maskline.web.pipeline import new_request_id


def said_by_a_child() -> str:
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        os.write(writing, new_request_id().encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        return answer.read()


def test_a_service_that_is_started_again_says_none_twice() -> None:
    """Its guard forks it off, each time from the same memory."""
    said = {new_request_id(), *(said_by_a_child() for _ in range(5))}
    assert len(said) == 6
    assert {UUID(one).version for one in said} == {4}
