"""A coroutine of the server's rooms, run to its end by a command."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from ..config.model import Config
from ..service.build import MailService, build

Result = TypeVar("Result")


def awaited(
    config: Config,
    ask: Callable[[MailService], Coroutine[Deferred[Any], Any, Result]],
    *,
    as_server: bool = False,
) -> Result:
    """What `ask` gives, asked with a service that was built and never started.

    `as_server`: with the rights that the server has, so that what is written belongs to
    its user.  Once in a process: the reactor cannot run again.  Raises what `ask`
    raises, and ConfigError if there can be no such service.
    """
    from twisted.internet import reactor

    results: list[Any] = []
    core: Any = reactor
    if config.search.index == "background":  # that is the server's work
        config = evolve(config, search=evolve(config.search, index="manual"))
    service = build(config, reactor=reactor, embedded=not as_server)
    service.privileges.prepare()
    service.privileges.give_up()

    async def ask_once() -> Result:
        try:
            return await ask(service)
        finally:
            await service.close()

    def begin() -> None:
        asked = Deferred.fromCoroutine(ask_once())
        asked.addBoth(results.append)
        asked.addBoth(lambda _: core.stop())

    core.callWhenRunning(begin)
    core.run()
    if isinstance(results[0], Failure):
        results[0].raiseException()
    result: Result = results[0]
    return result
