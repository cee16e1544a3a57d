"""The agent program: `python -m mailtwist.store.agent.main SETTINGS`.

Started by the keeper with a user's rights and the socket as descriptor 3; see `start`.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import struct
import sys
import traceback
from typing import Any

from .start import SOCKET, settings_of


def main(arguments: list[str]) -> int:
    (settings,) = arguments
    try:
        if 0 in (*os.getresuid(), *os.getresgid()):
            raise PermissionError("agents do not run as root")
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with contextlib.suppress(PermissionError):
            os.setsid()  # a terminal's signals are for the server, which ends us
        modules: dict[str, Any] = sys.modules
        modules["OpenSSL"] = None  # Twisted does without TLS then, and a quarter less
        from .serve import serve
    except Exception:
        tell(traceback.format_exc(limit=-2))
        return 1
    serve(*settings_of(settings))
    return 0


def tell(text: str) -> None:
    """A line for the server's log, as `codec` has it, without all that it needs."""
    line = json.dumps([0, "log", ["critical", f"it cannot serve: {text}"]]).encode()
    with contextlib.suppress(OSError):
        os.write(SOCKET, struct.pack(">II", len(line) + 4, len(line)) + line)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
