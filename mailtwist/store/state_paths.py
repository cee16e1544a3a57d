"""Paths of mailboxes as they stand in the state database."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from ..mailbox.model import Path


def path_text(path: Path) -> str:
    return json.dumps(path, ensure_ascii=False)


def paths_of(texts: Iterable[str]) -> Iterator[Path]:
    """The paths that `path_text` made these of, all read at once."""
    return map(tuple, json.loads(f"[{','.join(texts)}]"))
