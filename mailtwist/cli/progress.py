"""A bar on a terminal that shows how far work is."""

from __future__ import annotations

import os
import time
from typing import TextIO

from ..carry.run import Figures

LEAST_S = 0.1  # between two drawings
BAR = 24  # characters


class Progress:
    """Draws on `stream` if that is a terminal; the line is gone in the end."""

    def __init__(self, stream: TextIO, quiet: bool = False) -> None:
        self._stream = stream
        self._on = not quiet and stream.isatty()
        self._began, self._drawn_at = time.monotonic(), 0.0

    def show(self, figures: Figures) -> None:
        now = time.monotonic()
        if not self._on or now - self._drawn_at < LEAST_S:
            return
        self._drawn_at = now
        try:
            width = os.get_terminal_size(self._stream.fileno()).columns
        except OSError:
            width = 80
        line = drawn(figures, now - self._began)
        self._stream.write(f"\r\033[K{line[: max(1, width - 1)]}")
        self._stream.flush()

    def end(self) -> None:
        if self._on and self._drawn_at:
            self._stream.write("\r\033[K")
            self._stream.flush()


def drawn(figures: Figures, seconds: float) -> str:
    """The bar is of the folders that were looked at so far."""
    done = figures.there + figures.carried + len(figures.failed)
    share = min(1.0, done / figures.total) if figures.total else 0.0
    full = int(BAR * share)
    rate = figures.carried / seconds if seconds >= 1 else 0.0
    return (
        f"[{'#' * full}{'.' * (BAR - full)}] {done}/{figures.total} messages, "
        f"{figures.octets / 1e6:.1f} MB" + (f", {rate:.0f}/s" if rate else "")
    )
