"""notify (RFC 5435) by mail (RFC 5436)."""

from __future__ import annotations

import re
from urllib.parse import unquote

from attrs import frozen

from ..address import Address
from .actions import Notify
from .check_values import ROLES, address_of
from .compiled import Call
from .do_vacation import fcc
from .questions import Asking
from .state import Run

MOST_RECIPIENTS = 5
MOST_TEXT = 16_384  # characters

# RFC 5436 §2.3: fields that a URI may not set.
_REFUSED = frozenset(
    (
        *("from", "sender", "reply-to", "date", "message-id", "received", "to", "bcc"),
        *("auto-submitted", "return-path", "mime-version", "content-type"),
        *("content-transfer-encoding", "subject", "body", "cc"),
    )
)
_BROKEN = re.compile(r"%(?![0-9A-Fa-f]{2})")


class BadMethod(ValueError):
    """A URI that cannot be notified."""


@frozen
class Mailto:
    """What a mailto URI says (RFC 6068 §2)."""

    recipients: tuple[Address, ...]
    subject: str | None
    body: str | None
    fields: tuple[tuple[str, str], ...]


def mailto(uri: str) -> Mailto:
    """Raises BadMethod."""
    scheme, colon, rest = uri.partition(":")
    if scheme.lower() != "mailto" or not colon:
        raise BadMethod("only mailto: can be notified")
    if _BROKEN.search(rest):
        raise BadMethod("a % without two digits")
    path, _, query = rest.partition("?")
    said = [unquote(each) for each in path.split(",") if each]
    subject = body = None
    fields: list[tuple[str, str]] = []
    for pair in query.split("&") if query else ():
        name, _, value = pair.partition("=")
        name, value = unquote(name).lower(), unquote(value)
        if name in ("to", "cc", "bcc"):
            said += [each for each in value.split(",") if each.strip()]
        elif name == "subject":
            subject = value
        elif name == "body":
            body = value
        elif name not in _REFUSED and ROLES["field"][0](name):
            fields.append((name, value))
    recipients = []
    for each in said:
        address = address_of(each)
        if address is None:
            raise BadMethod(f'"{each[:80]}" is not an address')
        recipients.append(address)
    if not recipients:
        raise BadMethod("nobody to notify")
    if len(recipients) > MOST_RECIPIENTS:
        raise BadMethod(f"more than {MOST_RECIPIENTS} recipients")
    return Mailto(tuple(dict.fromkeys(recipients)), subject, body, tuple(fields[:10]))


def notify(run: Run, call: Call) -> None:
    try:
        method = mailto(run.one(call, "method"))
    except BadMethod as bad:
        raise run.budget.fail(str(bad)) from None
    sender = run.one(call, "from") or None
    importance = run.one(call, "importance", "2")
    message = run.one(call, "message") or method.subject or _told(run)
    made = Notify(
        method.recipients,
        message[:MOST_TEXT],
        (method.body or "")[:MOST_TEXT],
        int(importance) if importance in ("1", "2", "3") else 2,
        sender if sender and address_of(sender) else None,
        method.fields,
        fcc(run, call),
        call.place,
    )
    run.act(made)
    run.note(call.place, lambda: f"notify {', '.join(map(str, made.recipients))}")


def _told(run: Run) -> str:
    """What is said if the script says nothing (RFC 5436 §2.7)."""
    header = run.message.header
    sender = (header.texts(b"from") or [""])[0]
    subject = (header.texts(b"subject") or [""])[0]
    return f"Mail from {sender[:200]}: {subject[:500]}"


def _valid(uri: str) -> bool:
    try:
        mailto(uri)
    except BadMethod:
        return False
    return True


def valid_notify_method(run: Run, call: Call) -> bool:
    return all(_valid(uri) for uri in run.some(call, "uris"))


def notify_method_capability(run: Run, call: Call) -> bool | Asking[bool]:
    """RFC 5435 §5: nobody knows who reads mail now."""
    if run.one(call, "capability").lower() != "online":
        return False
    return _valid(run.one(call, "uri")) and run.matches(call, ["maybe"])


COMMANDS = {"notify": notify}
TESTS = {
    "valid_notify_method": valid_notify_method,
    "notify_method_capability": notify_method_capability,
}
