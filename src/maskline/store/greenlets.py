"""Synchronous work on the event loop, which goes on whenever the work waits."""

from collections.abc import Callable, Coroutine
from contextvars import copy_context
from typing import Any, TypeVar, cast

from greenlet import getcurrent, greenlet

T = TypeVar("T")


async def spawned(work: Callable[..., T], *given: Any) -> T:
    """What `work` gives. It runs in a greenlet, which hands over what it waits for (`awaited`).

    An exception of what it waits for, cancellation included, is raised where it waits.
    """
    runner = greenlet(work)
    runner.gr_context = copy_context()
    waits_for = runner.switch(*given)
    while not runner.dead:
        try:
            answer = await waits_for
        except BaseException as error:
            waits_for = runner.throw(type(error), error, error.__traceback__)
        else:
            waits_for = runner.switch(answer)
    return cast(T, waits_for)


def awaited(waits_for: Coroutine[Any, Any, T]) -> T:
    """Its result, for work that `spawned` runs."""
    parent = getcurrent().parent
    assert parent is not None, "the work was not spawned"
    return cast(T, parent.switch(waits_for))
