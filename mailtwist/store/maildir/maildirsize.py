"""The file `maildirsize` of Maildir++, which Courier, maildrop and Dovecot keep too.

    1000000S,500C      the limits of the account: octets (S), messages (C)
    4711 3             what there is, or what came
    -2048 -1           and what went; lines are only ever appended

The sum of the lines is what the account holds.  A file that has grown to 5120 octets,
or whose limits are others now, is replaced by a new one with one line.
"""

from __future__ import annotations

import contextlib
import os
import re

from ...mailbox.model import Limits
from . import durable
from .ledger import Page

NAME = "maildirsize"
MOST_OCTETS = 5120
NONE, OTHERS = -1, -2  # in place of its size: no file, one that others wrote to

_LINE = re.compile(rb"[ \t]*(-?\d{1,18})[ \t]+(-?\d{1,18})[ \t]*\Z", re.ASCII)
_APPEND = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC


def header(limits: Limits) -> str:
    """The first line for these limits, without its line end; "" for none."""
    parts = ((limits.octets, "S"), (limits.messages, "C"))
    return ",".join(f"{limit}{kind}" for limit, kind in parts if limit is not None)


def parsed(octets: bytes) -> tuple[str, int, int] | None:
    """(first line, octets, messages) of the file; None if it cannot be read so."""
    first, *lines = octets.split(b"\n")
    if not lines or lines[-1]:
        return None  # somebody is writing, or was cut off
    held, messages = 0, 0
    for line in lines[:-1]:
        found = _LINE.match(line)
        if found is None:
            return None
        held += int(found[1])
        messages += int(found[2])
    return first.decode("ascii", "replace"), held, messages


def read(maildir: str) -> tuple[str, int, int] | None:
    """What the file says; None if it is not there or makes no sense."""
    try:
        with open(f"{maildir}/{NAME}", "rb") as file:
            return parsed(file.read(4 * MOST_OCTETS))
    except FileNotFoundError:
        return None


def appended(maildir: str, octets: int, messages: int) -> tuple[int, int] | None:
    """Put a line behind the others: the file's size before and after.

    None if there is no file."""
    try:
        descriptor = os.open(f"{maildir}/{NAME}", _APPEND)
    except FileNotFoundError:
        return None
    try:
        before = os.fstat(descriptor).st_size
        line = b"%d %d\n" % (octets, messages)
        os.write(descriptor, line)
    finally:
        os.close(descriptor)
    return before, before + len(line)


def replace(maildir: str, draft: str, limits: Limits, held: tuple[int, int]) -> int:
    """A new file with one line, written as `tmp/DRAFT`; its size."""
    text = b"%s\n%d %d\n" % (header(limits).encode(), *held)
    path = f"{maildir}/tmp/{draft}"
    descriptor = durable.create(path)
    try:
        os.write(descriptor, text)
    finally:
        os.close(descriptor)
    try:
        os.rename(path, f"{maildir}/{NAME}")
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(path)
        raise
    return len(text)


def keep(
    maildir: str,
    draft: str,
    page: Page,
    limits: Limits,
    more: tuple[int, int],
    *,
    looked: bool = False,
) -> None:
    """The account holds so much `more`, as `page` says already.

    After a look that is perhaps what another program did, and put down itself.  What
    others wrote at any other time puts the page in doubt."""
    head = header(limits)
    if head and head != page.header:
        page.header = head
        page.size = replace(maildir, draft, limits, page.amount(""))
        return
    if not any(more):
        return
    if looked:
        there = _size(maildir)
        said = read(maildir)
        if said is not None and said[1:] == page.amount(""):
            page.size = there
            return
        if page.size != there:  # the lines of others are of what other looks will find
            page.doubt, page.size = True, OTHERS
            return
    sizes = appended(maildir, *more)
    if sizes is not None:
        if page.size == sizes[0]:
            page.size = sizes[1]
        else:
            page.doubt, page.size = True, OTHERS
    if head and (sizes is None or sizes[1] > MOST_OCTETS):
        page.size = replace(maildir, draft, limits, page.amount(""))


def _size(maildir: str) -> int:
    """Of the file; NONE if it is not there."""
    try:
        return os.stat(f"{maildir}/{NAME}").st_size
    except FileNotFoundError:
        return NONE


def renew(maildir: str, draft: str, page: Page, limits: Limits) -> None:
    """All was counted: a new file, unless it says just that already."""
    page.header, page.size = header(limits), _size(maildir)
    said = page.header, *page.amount("")
    if page.header and read(maildir) != said:
        page.size = replace(maildir, draft, limits, page.amount(""))
