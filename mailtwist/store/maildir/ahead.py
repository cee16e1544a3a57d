"""Small messages that are read before they are asked for.

A client that takes a mailbox message by message, in order, would else wait for a thread
each time.  What is kept is little and goes when it was asked for.
"""

from __future__ import annotations

from .live import Live

MOST_OCTETS = 64 * 1024
MOST_MESSAGES = 16


class Ahead:
    """Whole messages of one session, by UID."""

    def __init__(self) -> None:
        self._kept: dict[int, bytes] = {}
        self._last = 0  # the UID asked for last

    def wanted(self, live: Live, at: int) -> list[int]:
        """UIDs to read when the message at `at` is asked for: it and what may follow.

        It alone if the one before it was not the last to be asked for."""
        uid = live.uids[at]
        in_order = at > 0 and live.uids[at - 1] == self._last
        self._last = uid
        uids, room = [uid], MOST_OCTETS - live.octets[at]
        if in_order:
            for place in range(at + 1, min(at + MOST_MESSAGES, len(live))):
                room -= live.octets[place]
                if room < 0:
                    break
                uids.append(live.uids[place])
        return uids

    def take(self, uid: int) -> bytes | None:
        """The message if it was read; it is not kept any longer."""
        octets = self._kept.pop(uid, None)
        if octets is not None:
            self._last = uid
        return octets

    def keep(self, messages: dict[int, bytes]) -> None:
        """Keep these and no others."""
        self._kept = messages

    def clear(self) -> None:
        self._kept.clear()
