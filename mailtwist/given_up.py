"""Work in threads that is not begun if nobody waits for it any more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

Result = TypeVar("Result")


def in_pool(
    reactor: Any,
    pool: ThreadPool,
    work: Callable[[], Result],
    *,
    fault: Callable[[], Exception],
    refused: Callable[[], bool] = lambda: False,
    ended: Callable[[], None],
) -> Deferred[Result]:
    """What `work` gives in a thread of `pool`, which is started when first used.

    If the Deferred is cancelled, or `refused` says so, before its turn comes, `work` is
    not run and `fault` stands for its result.  `ended` is called in the reactor's
    thread when its turn is over, whether anybody waits or not.
    """
    if not pool.started:
        pool.start()
    given_up = False

    def unless_given_up() -> Result:
        if given_up or refused():
            raise fault()
        return work()

    def cancelled(_: object) -> None:
        nonlocal given_up
        given_up = True

    def over(result: Any) -> None:
        ended()
        if not given_up:
            answer.callback(result)

    answer: Deferred[Result] = Deferred(cancelled)
    deferToThreadPool(reactor, pool, unless_given_up).addBoth(over)
    return answer
