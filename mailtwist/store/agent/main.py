"""The agent program: `python -m mailtwist.store.agent.main UID GID SETTINGS`.

Started by the root side with its socket as descriptor 3; see `start`.  What it is made
of is loaded only once root's rights are gone.
"""

from __future__ import annotations

import contextlib
import os
import resource
import sys

from .start import become, settings_of


def main(arguments: list[str]) -> int:
    uid, gid, settings = int(arguments[0]), int(arguments[1]), arguments[2]
    become(uid, gid)
    os.umask(0o077)
    os.chdir("/")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(PermissionError):
        os.setsid()  # a terminal's signals are for the server, which ends us
    from .serve import serve

    serve(uid, *settings_of(settings))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
