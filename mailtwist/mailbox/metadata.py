"""Annotations of mailboxes and of the account (RFC 5464): names, limits, special uses.

A name is in lower case and begins with /private/ or /shared/.  The account's own
mailboxes are nobody else's, so both kinds are kept alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from attrs import frozen

from ..errors import TooManyAnnotations, UnknownUse
from .model import Annotation, Path
from .special_uses import KINDS

SPECIAL_USE = "/private/specialuse"  # RFC 6154 §4: what LIST tells, as an annotation
PRIVATE, SHARED = "/private/", "/shared/"
ACCOUNT: Path = ()  # stands for the account where a mailbox may stand

_USES = {use.lower(): use for use in KINDS.values()}


@frozen
class Wish:
    """Which annotations: each name, and those up to `depth` levels below it."""

    names: tuple[str, ...]
    depth: int | None = 0  # None: as deep as it goes

    def takes(self, name: str) -> bool:
        return any(self._below(name, top) for top in self.names)

    def _below(self, name: str, top: str) -> bool:
        if name == top:
            return True
        if self.depth == 0 or not name.startswith(f"{top.rstrip('/')}/"):
            return False
        below = name[len(top.rstrip("/")) :].count("/")
        return self.depth is None or below <= self.depth


def changed(
    held: Iterable[str], values: Mapping[str, bytes | None], most: int
) -> tuple[dict[str, bytes], list[str]]:
    """(what to put down, what to forget) of `values`, None for no annotation.

    Special uses are not among them: `uses_in` has them.  Raises TooManyAnnotations if
    the mailbox, which has `held`, would have more than `most` then.
    """
    put = {
        name: value
        for name, value in values.items()
        if value is not None and name != SPECIAL_USE
    }
    gone = [name for name, value in values.items() if value is None]
    after = set(held).difference(gone) | put.keys()
    if len(after) > most and not after <= set(held):
        raise TooManyAnnotations()
    return put, gone


def uses_in(values: Mapping[str, bytes | None]) -> frozenset[str] | None:
    """The special uses that `values` gives a mailbox; None if it says nothing of them.

    Raises UnknownUse."""
    if SPECIAL_USE not in values:
        return None
    words = (values[SPECIAL_USE] or b"").decode("ascii", "replace").lower().split()
    if not _USES.keys() >= set(words):
        raise UnknownUse()
    return frozenset(_USES[word] for word in words)


def annotation_of_uses(path: Path, uses: frozenset[str]) -> list[Annotation]:
    """The annotation that says the same, if there are any."""
    if not uses:
        return []
    return [Annotation(path, SPECIAL_USE, " ".join(sorted(uses)).encode())]


def chosen(found: Iterable[Annotation], names: Sequence[str]) -> list[Annotation]:
    """Those of these names, in their order of names; all if there are none."""
    wanted = set(names)
    kept = [one for one in found if not wanted or one.name in wanted]
    return sorted(kept, key=lambda one: (one.path, one.name))
