"""A Logger for events that come with every message."""

from __future__ import annotations

from time import time
from typing import Any

from twisted.logger import Logger


class QuickLogger(Logger):
    """As Logger, but trusts its callers to name a level that there is: Logger lists and
    sorts all levels for each event to check that."""

    def emit(self, level: Any, format: str | None = None, **event: object) -> None:
        """See Logger."""
        event.update(
            log_logger=self,
            log_level=level,
            log_namespace=self.namespace,
            log_source=self.source,
            log_format=format,
            log_time=time(),
        )
        self.observer(event)
