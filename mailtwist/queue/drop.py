"""The folder into which local programs drop mail, whether the server runs or not.

Everybody may make files there and nobody but the server may list them (mode 3733, the
server's own group).  A file is being written while only its owner may write it (0200)
and whole once the group may read it (0440): the mode is changed behind the last octet
and made durable with it, so no rename and no look into the folder is needed.

A file is one line of JSON (ASCII) and then the message with CRLF line ends.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attrs import asdict, frozen

from ..address import Address
from ..delivery.model import NO_WISHES, NOTHING_SAID, DeliverBy, Notify, Wishes
from ..errors import BadMessage, MailError, StorageFull

FOLDER_MODE = 0o3733
WRITING, WHOLE = 0o200, 0o440
MOST_HEAD = 1024 * 1024  # octets of the line of JSON
STALE_S = 86400.0  # a file that is not whole after this was given up


@frozen
class Dropped:
    """What stands in front of a dropped message.

    `sender` None is the null path; `uid` the user who dropped it (told by the file,
    not by its content)."""

    sender: Address | None
    recipients: tuple[Address, ...]
    wishes: Wishes = NO_WISHES
    notify: Notify = NOTHING_SAID
    uid: int = -1


def make_folder(folder: Path) -> None:
    """Have the folder; raises MailError that says what is wrong with it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if stat.S_IMODE(folder.stat().st_mode) != FOLDER_MODE:
            folder.chmod(FOLDER_MODE)
    except OSError as fault:
        raise MailError(f"{folder}: {fault.strerror}") from fault


def put(folder: Path, dropped: Dropped, octets: bytes) -> str:
    """Drop one message; its name, once it is durable.

    Raises StorageFull, or MailError if the folder cannot be used.
    """
    name = secrets.token_hex(16)
    try:
        descriptor = os.open(
            folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, WRITING
        )
        try:
            with open(descriptor, "wb", closefd=False) as file:
                file.write(_head(dropped))
                file.write(octets)
            os.fchmod(descriptor, WHOLE)
            os.fsync(descriptor)
        except OSError:
            os.unlink(folder / name)
            raise
        finally:
            os.close(descriptor)
    except OSError as fault:
        if fault.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull() from fault
        raise MailError(f"{folder}: {fault.strerror}") from fault
    return name


def waiting(folder: Path, now_s: float) -> Iterator[str]:
    """Names of the files that are whole; what was given up is removed."""
    with os.scandir(folder) as found:
        for entry in found:
            about = entry.stat(follow_symlinks=False)
            if about.st_mode & stat.S_IRGRP:
                yield entry.name
            elif stat.S_ISREG(about.st_mode) and about.st_mtime < now_s - STALE_S:
                os.unlink(entry.path)


def take(folder: Path, name: str, most_octets: int) -> tuple[Dropped, bytes]:
    """The dropped message in the file `name`, which stays.

    Raises BadMessage for what is none: a link, a device, a file with two names, one
    over `most_octets`, or content that `put` did not write.  Raises OSError.
    """
    try:
        descriptor = os.open(
            folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        )
    except OSError as fault:
        if fault.errno == errno.ELOOP:
            raise BadMessage("A link was dropped") from fault
        raise
    with open(descriptor, "rb") as file:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode) or about.st_nlink != 1:
            raise BadMessage("What was dropped is no file of its own")
        if about.st_size > most_octets + MOST_HEAD:
            raise BadMessage("What was dropped is too large")
        head = file.readline(MOST_HEAD)
        octets = file.read(most_octets + 1)
    if len(octets) > most_octets:
        raise BadMessage("What was dropped is too large")
    return _read_head(head, about.st_uid), octets


def _head(dropped: Dropped) -> bytes:
    head = {
        "sender": "" if dropped.sender is None else str(dropped.sender),
        "recipients": [str(address) for address in dropped.recipients],
        "wishes": asdict(dropped.wishes),
        "when": None if dropped.notify.when is None else sorted(dropped.notify.when),
        "orcpt": dropped.notify.orcpt,
    }
    return json.dumps(head).encode() + b"\n"


def _read_head(line: bytes, uid: int) -> Dropped:
    """Raises BadMessage for anything that `_head` does not write."""
    try:
        head: dict[str, Any] = json.loads(line)
        wishes, when = head["wishes"], head["when"]
        if wishes["deliver_by"] is not None:
            wishes = wishes | {"deliver_by": DeliverBy(**wishes["deliver_by"])}
        recipients = tuple(Address.parse(text) for text in head["recipients"])
        sender = Address.parse(head["sender"]) if head["sender"] else None
        notify = Notify(None if when is None else frozenset(when), str(head["orcpt"]))
        dropped = Dropped(sender, recipients, Wishes(**wishes), notify, uid)
        if not recipients or not _plain(dropped.wishes):
            raise ValueError
    except (ValueError, TypeError, KeyError, AttributeError, MailError) as fault:
        raise BadMessage("What was dropped was not written by sendmail") from fault
    return dropped


def _plain(wishes: Wishes) -> bool:
    """True if each field is of the kind that its default is of."""
    by = wishes.deliver_by
    return (
        all(
            isinstance(getattr(wishes, name), str | type(None))
            for name in ("body", "ret", "envid", "auth")
        )
        and all(
            isinstance(flag, bool) for flag in (wishes.smtputf8, wishes.require_tls)
        )
        and isinstance(wishes.hold_until_s, int | float)
        and isinstance(wishes.priority, int)
        and -9 <= wishes.priority <= 9
        and wishes.body in ("7BIT", "8BITMIME", "BINARYMIME")
        and (by is None or isinstance(by.deadline_s, int | float))
    )
