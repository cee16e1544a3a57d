"""Coroutines that mostly need not wait, run without the cost of a Deferred."""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from types import coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


def step(
    work: Coroutine[Any, Any, Result],
) -> tuple[Result | None, Coroutine[Any, Any, Result] | None]:
    """Run `work` to its first wait: (its result, None) if there was none, otherwise
    (None, what is left of it to await).  Raises what it raises."""
    try:
        waiting = work.send(None)
    except StopIteration as end:
        return end.value, None
    return None, _rest(work, waiting)


@coroutine
def _rest(
    work: Coroutine[Any, Any, Result], waiting: Any
) -> Generator[Any, Any, Result]:
    """Goes on behind a wait that `work` has begun."""
    while True:
        try:
            try:
                result = yield waiting
            except GeneratorExit:
                work.close()
                raise
            except BaseException as fault:
                waiting = work.throw(fault)
            else:
                waiting = work.send(result)
        except StopIteration as end:
            found: Result = end.value
            return found
