"""Files that root makes for the server belong to the server."""

from __future__ import annotations

import os
from pathlib import Path


def give_to_owner_of(folder: Path, *paths: Path) -> None:
    """If we are root, make `paths` belong to whom `folder` belongs."""
    if os.geteuid() != 0:
        return
    owner = folder.stat()
    for path in paths:
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
