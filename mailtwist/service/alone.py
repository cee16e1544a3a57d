"""What can be asked of a server that is one process."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

from ..errors import MailError
from .build import MailService
from .control import Deed


def deeds_of(service: MailService) -> Mapping[str, Deed]:
    """See Control."""
    since_s = time.time()

    async def status() -> dict[str, Any]:
        worker = {"number": 0, "pid": os.getpid(), "state": "serving"}
        worker |= service.state()
        return {"pid": os.getpid(), "since_s": since_s, "workers": [worker]}

    async def reload() -> str:
        raise MailError("One process cannot replace itself: see process.workers")

    return {"status": status, "reload": reload}
