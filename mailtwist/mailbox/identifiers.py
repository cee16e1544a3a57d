"""What ties a message to others wherever they are: EMAILID and THREADID (RFC 8474)."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping, Sequence
from hashlib import blake2b

from .model import Column
from .threaded import reply_ids

MOST_KEYS = 64  # identifiers of one message that are looked at, the nearest first


# What stands in front of the identifiers that a client is told: no two kinds are ever
# the same (RFC 8474 §5.2), and none begins with a digit (§8.1).
_PREFIXES = {Column.EMAIL_ID: b"M", Column.THREAD_ID: b"T"}


def mailbox_id(object_id: str) -> bytes:
    """MAILBOXID as a client is told it."""
    return b"F" + object_id.encode("ascii")


def object_id(column: Column, value: bytes) -> bytes:
    """EMAILID or THREADID as a client is told it; b"" for none."""
    return _PREFIXES[column] + value if value else b""


def email_id(own: str, object_id: str, uid: int) -> bytes:
    """`own` if the message was copied from another; else made of where it is, which
    no other message ever is."""
    return (own or f"{object_id}-{uid}").encode("ascii")


def thread_keys(fields: bytes, email_id: bytes) -> list[int]:
    """64-bit keys of a message and of those that it answers, from its kept header
    fields: its own first, then the parent, then what is farther away.

    Copies of a message have the same first key, with or without a Message-ID.
    """
    own, references = reply_ids(fields)
    names = [b"<" + own if own else b"=" + email_id]
    names += [b"<" + one for one in reversed(references)]
    return [_key(name) for name in dict.fromkeys(names[:MOST_KEYS])]


def _key(name: bytes) -> int:
    digest = blake2b(name, digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def thread_of(
    keys: Sequence[int], known: MutableMapping[int, int], fresh: Callable[[], int]
) -> int:
    """The thread of a message with these keys; `known` learns of them.

    Threads that turn out to be one stay two for those who were told so: THREADID never
    changes (§5.2).
    """
    thread = next((known[key] for key in keys if key in known), None)
    if thread is None:
        thread = fresh()
    for key in keys:
        known.setdefault(key, thread)
    return thread
