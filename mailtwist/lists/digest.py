"""Digests: many posts as one message.

The MIME form is multipart/digest (RFC 2046 §5.1.5) behind a table of contents; the
plain one is text alone, as RFC 1153 §2 wants it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from attrs import frozen

from ..mime.compose import field_of, text_entity
from .footer import footer_of, free_boundary, multipart
from .incoming import Incoming, attachments, incoming, text_of
from .model import DIGEST, MailingList
from .outgoing import list_fields

MOST_POSTS = 200  # of one digest
_RULE = re.compile(r"^(?=-{30})", re.M)
_SHOWN = (b"date", b"from", b"to", b"cc", b"subject", b"message-id")


@frozen
class Stamp:
    """What every message that we write has: `date` (RFC 5322 §3.3) and `message_id`
    with its brackets."""

    date: str
    message_id: str


def digest(
    mailing_list: MailingList,
    kind: str,
    posts: Sequence[bytes],
    issue: int,
    stamp: Stamp,
    *,
    personal: bool = False,
) -> bytes:
    """A digest of whole messages, DIGEST or PLAIN_DIGEST; `issue` counts from 1;
    `personal` as `outgoing.header` has it."""
    read = [incoming(octets, mailing_list.address) for octets in posts]
    subject = f"{mailing_list.name} digest, issue {issue}"
    head = [
        b"From: " + mailing_list.address.encode() + b"\r\n",
        b"To: " + mailing_list.address.encode() + b"\r\n",
        b"Reply-To: " + mailing_list.address.encode() + b"\r\n",
        field_of("Subject", subject),
        f"Date: {stamp.date}\r\nMessage-ID: {stamp.message_id}\r\n".encode(),
        *list_fields(mailing_list, personal=personal),
        b"Precedence: list\r\nX-Loop: ",
        mailing_list.address.encode() + b"\r\nMIME-Version: 1.0\r\n",
    ]
    contents = _contents(mailing_list, read, issue)
    if kind != DIGEST:
        return b"".join(head) + text_entity(
            _plain(mailing_list, read, contents, subject).replace("\n", "\r\n")
        )
    inner = b"".join(posts)
    boundary = free_boundary(inner)
    entities = [b"\r\n" + post for post in posts]
    inside = b"Content-Type: multipart/digest;\r\n\tboundary="
    inside += b'"' + boundary + b'"\r\n'
    if not inner.isascii():
        inside += b"Content-Transfer-Encoding: 8bit\r\n"
        head.append(b"Content-Transfer-Encoding: 8bit\r\n")
    outer = boundary + b"-outer"
    head.append(b'Content-Type: multipart/mixed;\r\n\tboundary="' + outer + b'"\r\n')
    parts = [
        text_entity(contents.replace("\n", "\r\n")),
        inside + b"\r\n" + multipart(boundary, entities),
    ]
    footer = footer_of(mailing_list)
    if footer:
        parts.append(text_entity(footer.replace("\n", "\r\n") + "\r\n"))
    return b"".join(head) + b"\r\n" + multipart(outer, parts)


def _contents(mailing_list: MailingList, read: list[Incoming], issue: int) -> str:
    """The table of contents."""
    lines = [
        f"Posts to {mailing_list.address}, issue {issue}.",
        f"Send posts to {mailing_list.address}, commands such as help to",
        f"{mailing_list.at('request')}.",
        "",
        "In this issue:",
        "",
    ]
    for number, post in enumerate(read, 1):
        author = post.author_name or str(post.author or "somebody")
        lines.append(f"{number:4}. {post.subject or '(no subject)'} ({author})")
    return "\n".join(lines) + "\n\n"


def _plain(
    mailing_list: MailingList, read: list[Incoming], contents: str, subject: str
) -> str:
    """RFC 1153 §2: a preamble, 70 dashes, posts with 30 dashes between them."""
    parts = []
    for post in read:
        shown = [
            f"{name.decode().title()}: {value}"
            for name in _SHOWN
            for value in post.texts(name)[:1]
        ]
        text = text_of(post).rstrip("\n")
        for part in attachments(post.root):
            text += f"\n\n[{part.media_type}/{part.subtype}: {part.body[1]} octets]"
        parts.append("\n".join(shown) + f"\n\n{_no_rules(text)}\n\n")
    rule = "-" * 30 + "\n\n"
    footer = footer_of(mailing_list)
    end = f"End of {subject}"
    closing = f"{footer}\n\n{rule}" if footer else ""
    return (
        f"{contents}{'-' * 70}\n\n"
        + rule.join(parts)
        + rule
        + closing
        + f"{end}\n{'*' * len(end)}\n"
    )


def _no_rules(text: str) -> str:
    """A line of 30 dashes would end a post (RFC 1153 §2)."""
    return _RULE.sub(" ", text)
