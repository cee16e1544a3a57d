"""What a source said of a password, for a short time and without the password."""

from __future__ import annotations

import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable

from attrs import frozen

MOST_REMEMBERED = 50_000  # answers of one source


@frozen
class Answer:
    """`avatar_id` is None for a refusal."""

    until: float
    key: str
    avatar_id: bytes | None


class PasswordCache:
    """`now` gives seconds on a clock that never goes back.

    An answer is found under an HMAC of user, protocol and password; the key of the HMAC
    is random and this process's own.  A right password makes what was remembered of
    other passwords of that user void: it may have been changed.
    """

    def __init__(
        self, now: Callable[[], float], right_s: float, wrong_s: float
    ) -> None:
        self._now, self._right_s, self._wrong_s = now, right_s, wrong_s
        self._secret = secrets.token_bytes(32)
        self._answers: OrderedDict[bytes, Answer] = OrderedDict()
        self._right: dict[str, set[bytes]] = {}  # by user: their right passwords
        self._stamp: object = None

    def __repr__(self) -> str:
        return f"PasswordCache({len(self._answers)} answers)"

    def fresh(self, stamp: object) -> None:
        """Forget everything if the source's `stamp` is not what it was."""
        if stamp != self._stamp:
            self._answers.clear()
            self._right.clear()
            self._stamp = stamp

    def find(self, key: str, protocol: str, password: bytes) -> Answer | None:
        """What was said of this password; None if nothing is remembered."""
        known = self._answers.get(self._mark(key, protocol, password))
        return known if known is not None and self._now() < known.until else None

    def keep(
        self, key: str, protocol: str, password: bytes, avatar_id: bytes | None
    ) -> None:
        """Remember that `avatar_id`, or nobody, logged in."""
        kept_s = self._wrong_s if avatar_id is None else self._right_s
        mark = self._mark(key, protocol, password)
        if avatar_id is not None:
            for other in self._right.get(key, set()) - {mark}:
                self._forget(other)
        if not kept_s:
            self._forget(mark)
            return
        self._forget(mark)
        self._answers[mark] = Answer(self._now() + kept_s, key, avatar_id)
        if avatar_id is not None:
            self._right.setdefault(key, set()).add(mark)
        while len(self._answers) > MOST_REMEMBERED:
            self._forget(next(iter(self._answers)))

    def _forget(self, mark: bytes) -> None:
        known = self._answers.pop(mark, None)
        if known is None or known.avatar_id is None:
            return
        marks = self._right.get(known.key, set())
        marks.discard(mark)
        if not marks:
            self._right.pop(known.key, None)

    def _mark(self, key: str, protocol: str, password: bytes) -> bytes:
        # Neither a key nor the name of a protocol has a NUL.
        text = f"{key}\0{protocol}\0".encode(errors="surrogateescape") + password
        return hmac.digest(self._secret, text, "sha256")
