"""What THREAD looks at (RFC 5256 §3): made of a message's header fields once.

A store keeps it as Column.THREADING.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..mime.base_subject import base_subject
from ..mime.header import unfold
from ..mime.message_id import message_ids
from ..mime.text import decoded_words, normal
from .interfaces import IMailbox
from .model import Column
from .search_fields import values
from .sort import dates
from .thread import Threaded
from .turns import Turns, chunks

_APART = b"\0"
_NOT_SAID = -(1 << 62)  # an arrival that shows that a message has no date
_US = 4.0  # about what one message costs


async def threaded(
    mailbox: IMailbox, uids: Sequence[int], *, turns: Turns
) -> list[Threaded]:
    """Of those of `uids` (ascending) that are there."""
    rows = await mailbox.rows(list(uids))
    arrived = dict(zip(rows.uids, rows.internal_dates, strict=True))
    found: list[Threaded] = []
    for chunk in chunks(rows.uids):
        read = await mailbox.rendered(chunk, (Column.THREADING,))
        found += [
            _told(uid, row[0], arrived[uid])
            for uid, row in zip(chunk, read, strict=True)
            if row is not None
        ]
        await turns.spent(len(chunk) * _US)
    return found


def digests() -> Callable[[bytes], bytes]:
    """A function that gives Column.THREADING of Column.FIELDS; it remembers the days
    that it read, so use it for many."""
    sent_at = dates()

    def digest(fields: bytes) -> bytes:
        lower = fields.lower()
        own, references = _ids_of(fields, lower)
        subject, reply = base_subject(_subject(fields, lower))
        sent = float(sent_at(fields, lower, _NOT_SAID))
        parts = [
            b"" if sent == _NOT_SAID else repr(sent).encode(),
            b"1" if reply else b"",
            normal(subject).encode("utf-8", "surrogatepass"),
            own or b"",
            *references,
        ]
        return _APART.join([part.replace(_APART, b"\1") for part in parts])

    return digest


def _told(uid: int, octets: bytes, arrived: int) -> Threaded:
    """What a digest was made of."""
    sent, reply, subject, own, *references = octets.split(_APART)
    return Threaded(
        uid,
        own or None,
        tuple(references),
        float(sent or arrived),
        subject.decode("utf-8", "surrogatepass"),
        reply == b"1",
    )


def reply_ids(fields: bytes) -> tuple[bytes | None, list[bytes]]:
    """(Message-ID, what it answers with the parent last) of kept header fields."""
    return _ids_of(fields, fields.lower())


def _ids_of(fields: bytes, lower: bytes) -> tuple[bytes | None, list[bytes]]:
    (own, *_) = [*_ids(fields, lower, b"message-id"), None]
    references = _ids(fields, lower, b"references")
    if not references:
        references = _ids(fields, lower, b"in-reply-to")[:1]
    return own, references


def _ids(fields: bytes, lower: bytes, name: bytes) -> list[bytes]:
    return [
        one
        for start, end in values(lower, name)
        for one in message_ids(unfold(fields[start:end]))
    ]


def _subject(fields: bytes, lower: bytes) -> str:
    """The first one, decoded; "" if there is none."""
    for start, end in values(lower, b"subject"):
        return decoded_words(unfold(fields[start:end]))
    return ""
