"""Everything the cache keeps of a message, in one reading (architecture D5)."""

from __future__ import annotations

from ..mailbox.model import Column
from .header import joined, table
from .parse import read
from .slices import Buffer, Sliced, in_one_go
from .structure import ENVELOPE_FIELDS, both, envelope_of
from .surrogate import surrogate

# Lower-case names of the fields that mail programs fetch for their lists of messages
# and that filters and searches ask for, so that these never open the message file.
KEPT_FIELDS: frozenset[bytes] = frozenset(
    b"""
    date from sender reply-to to cc bcc subject message-id in-reply-to references
    mime-version content-type content-transfer-encoding content-disposition
    content-language content-description content-id
    return-path delivered-to envelope-to x-original-to delivery-date
    resent-date resent-from resent-to resent-cc resent-message-id
    list-id list-post list-unsubscribe list-unsubscribe-post list-help list-subscribe
    list-archive list-owner mailing-list precedence auto-submitted
    importance priority x-priority x-msmail-priority
    disposition-notification-to return-receipt-to
    x-spam-flag x-spam-status x-spam-level x-spam x-spam-score
    x-mailer user-agent newsgroups followup-to organization
    x-mozilla-status x-mozilla-status2 x-mozilla-keys x-mozilla-draft-info
    x-account-key x-uniform-type-identifier x-universally-unique-identifier
    x-label x-keywords keywords comments lines status x-status
    x-tuid x-draft-info x-forwarded-message-id x-mdn-sent
    mail-followup-to mail-reply-to x-k9mail-identity chat-version
    thread-topic thread-index
    face autocrypt
    """.split()
)


def index(buffer: Buffer) -> dict[Column, bytes]:
    """All columns of one message; raises nothing on any octets."""
    return in_one_go(indexed(buffer))


def indexed(buffer: Buffer) -> Sliced[dict[Column, bytes]]:
    """`index`, with pauses in a large message."""
    part, found = yield from read(buffer)
    lower = [(name.lower(), raw) for name, raw in found]
    kept = [(name, raw) for name, raw in lower if name in KEPT_FIELDS]
    enveloped = [field for field in kept if field[0] in ENVELOPE_FIELDS]
    body, bodystructure = yield from both(part, buffer, utf8=True)
    shown = yield from surrogate(part, buffer, KEPT_FIELDS)
    return {
        Column.ENVELOPE: envelope_of(table(enveloped), utf8=True),
        Column.BODY: body,
        Column.BODYSTRUCTURE: bodystructure,
        Column.FIELDS: joined([raw for _, raw in kept]),
        Column.PARTS: part.encode(),
        Column.SURROGATE: shown.encode() if shown else b"",
    }
