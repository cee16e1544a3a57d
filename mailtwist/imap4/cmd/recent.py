"""The \\Recent messages of a session."""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen


@frozen
class Recent:
    """As a container of UIDs."""

    is_recent: Callable[[int], bool]

    def __contains__(self, uid: object) -> bool:
        return isinstance(uid, int) and self.is_recent(uid)
