"""Work that goes on when nobody waits for it any longer."""

from __future__ import annotations

from typing import TypeVar

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from .errors import MailError

log = Logger()

Result = TypeVar("Result")


def shielded(inner: Deferred[Result]) -> Deferred[Result]:
    """The same result; cancelling it abandons the wait and not the work."""
    outer: Deferred[Result] = Deferred()

    def pass_on(result: Result | Failure) -> None:
        if not outer.called:
            outer.callback(result)
        elif isinstance(result, Failure) and not result.check(MailError):
            log.failure("work that nobody waits for", failure=result)

    inner.addBoth(pass_on)
    return outer
