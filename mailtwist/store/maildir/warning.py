"""The message that tells an owner how full an account, or one of its mailboxes, is."""

from __future__ import annotations

from email.header import Header
from email.utils import formatdate
from string import Template

from twisted.logger import Logger

from ...directory.model import Account
from .ledger import Crossing

MOST_OCTETS = 64 * 1024  # of the text
SUBJECT = "Subject:"
TEXT = """Subject: Your mailbox is ${percent}% full

The mail of $account${mailbox} takes $held of $limit.

When nothing is left, new mail is refused. Please delete what you do not need
any more, and empty the folder with deleted mail.
"""

log = Logger("mailtwist")
_UNITS = ("octets", "KiB", "MiB", "GiB", "TiB")


def warning(
    crossing: Crossing, account: Account, text: str, hostname: str, now_s: float
) -> bytes:
    """The octets of the message; `text` is a template, as `quota.warning` has it."""
    held, limit = _figures(crossing)
    path = "/".join(crossing.root)
    filled = Template(text or TEXT).safe_substitute(
        account=account.name,
        mailbox=f" in {path}" if path else "",
        percent=crossing.percent,
        held=held,
        limit=limit,
    )
    subject, body = f"Your mailbox is {crossing.percent}% full", filled
    if filled.startswith(SUBJECT):
        line, _, body = filled.partition("\n")
        subject = line.removeprefix(SUBJECT).strip()
        body = body.removeprefix("\n")
    number = f"{crossing.percent}.{int(now_s * 1000)}"
    fields = (
        f"Date: {formatdate(now_s)}",
        f"From: Mail server <postmaster@{hostname}>",
        f"To: <{account.name}>",
        f"Subject: {Header(subject, 'utf-8').encode(linesep='')}"
        if not subject.isascii()
        else f"Subject: {' '.join(subject.split())}",
        f"Message-ID: <quota.{number}@{hostname}>",
        "Auto-Submitted: auto-generated",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: 8bit",
    )
    lines = [*fields, "", *body.splitlines(), ""]
    return "\r\n".join(lines).encode()


def warning_text(path: str) -> str:
    """What the file says; "" if there is none, or if it cannot be read."""
    if not path:
        return ""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read(MOST_OCTETS)
    except (OSError, ValueError) as fault:
        log.error("{path} cannot be read: {fault}", path=path, fault=str(fault))
        return ""


def _figures(crossing: Crossing) -> tuple[str, str]:
    """What is held and may be, of the resource that is scarcer."""
    limits = crossing.limits
    octets = crossing.octets / max(limits.octets, 1) if limits.octets is not None else 0
    if limits.messages is not None:
        messages = crossing.messages / max(limits.messages, 1)
        if messages > octets or limits.octets is None:
            return str(crossing.messages), f"{limits.messages} messages"
    return sized(crossing.octets), sized(limits.octets or 0)


def sized(octets: int) -> str:
    """ "1.5 GiB" """
    number, unit = float(octets), 0
    while number >= 1024 and unit + 1 < len(_UNITS):
        number, unit = number / 1024, unit + 1
    return f"{number:.4g} {_UNITS[unit]}"
