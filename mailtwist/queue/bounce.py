"""Reports to senders: failures, delays, and successes that were asked for.

Nothing goes to the null reverse-path (RFC 5321 §4.5.5); what failed on its way there is
told to postmaster of this host, and that is the end of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from email.utils import formatdate

from twisted.logger import Logger
from zope.interface import implementer

from ..address import Address
from ..delivery.model import (
    Envelope,
    LocalRecipient,
    Notify,
    RemoteRecipient,
    Route,
    Target,
    Wishes,
)
from ..errors import MailError, OverQuota
from ..interfaces import IContent, IReporter, IRouter
from ..mime.dsn import RecipientStatus, Report, compose
from ..mime.header import fields, unfold
from .jobs import reverse_path
from .model import Outcome, QueuedMessage, Told

log = Logger("mailtwist")

MOST_RETURNED = 50_000  # octets of a message that go back with a report
POSTMASTER = "postmaster"
NEVER = Notify(frozenset({"NEVER"}))

_ASKED = {"failed": "FAILURE", "delayed": "DELAY", "succeeded": "SUCCESS"}
_SUCCESSES = ("delivered", "relayed", "expanded")
_SUBJECTS = {
    "failed": "Undelivered mail returned to sender",
    "delayed": "Delayed mail, still being retried",
    "succeeded": "Successful mail delivery report",
}
_OPENINGS = {
    "failed": "I'm sorry to have to tell you that your message could not be\n"
    "delivered to one or more recipients.  I have given up on these:\n",
    "delayed": "Your message has not been delivered yet.  You need not send it again:\n"
    "I go on trying until {until}.\n",
    "succeeded": "Your message was delivered, or passed on, as told below.\n",
}
_SAID = {
    "delivered": "delivered to the mailbox",
    "relayed": "passed on to a host that sends no reports of its own",
    "passed": "passed on to the next host",
    "expanded": "sent on to the members of a list or alias",
}
_MESSAGE_ID = re.compile(rb"<[!-;=?-~]{1,300}>")


@implementer(IReporter)
class Reporter:
    """Makes reports in the name of `hostname`; the way back is asked of `router`.

    `new_id` gives a message id that no message had or has, `now` seconds of the epoch.
    """

    def __init__(
        self,
        hostname: str,
        router: IRouter,
        *,
        new_id: Callable[[], str],
        now: Callable[[], float],
    ) -> None:
        self._hostname, self._router = hostname, router
        self._new_id, self._now = new_id, now

    def wanted(self, message: QueuedMessage, told: Told, kind: str) -> bool:
        """See IReporter."""
        recipient, outcome = told
        when = recipient.notify.when
        if kind == "succeeded":
            if outcome.action in ("passed", "relayed") and _traced(message):
                path = reverse_path(message, recipient)
                return path is not None and "NEVER" not in (when or ())
            if outcome.action not in _SUCCESSES:
                return False
        if when is not None and _ASKED[kind] not in when:
            return False
        if kind == "failed":
            return True
        return reverse_path(message, recipient) is not None and (
            when is not None or kind == "delayed"
        )

    async def reports(
        self, message: QueuedMessage, content: IContent, told: Sequence[Told], kind: str
    ) -> list[tuple[Envelope, bytes]]:
        """See IReporter."""
        by_path: dict[Address | None, list[Told]] = {}
        for one in told:
            by_path.setdefault(reverse_path(message, one[0]), []).append(one)
        whole, returned = await _returned(message, content, kind)
        made = []
        for path, some in by_path.items():
            to = path or Address(POSTMASTER)
            recipient = await self._way_back(to, message, path is None)
            if recipient is not None:
                report = self._report(message, to, some, kind, whole, returned)
                envelope = self._envelope(
                    report, recipient, require_tls=message.wishes.require_tls
                )
                made.append((envelope, compose(report)))
        return made

    async def _way_back(
        self, to: Address, message: QueuedMessage, doubled: bool
    ) -> RemoteRecipient | None:
        """The recipient of a report; None, and a line in the log, if there is none."""
        mailbox = (Target(to, Route("mailbox")),)
        notify = NEVER if doubled else Notify()
        try:
            found = await self._router.resolve(to, may_relay=True)
        except OverQuota:
            return RemoteRecipient(to, mailbox, notify)  # it waits like other mail
        except MailError as fault:
            if fault.temporary:
                raise
            log.error(
                "{queue_id} report for <{to}> has no way back: {status} {public}",
                queue_id=message.queue_id,
                to=str(to),
                status=fault.status,
                public=fault.public,
            )
            return None
        if isinstance(found, LocalRecipient):
            mailbox = (Target(found.address, Route("mailbox")),)
            return RemoteRecipient(found.address, mailbox, notify)
        return RemoteRecipient(found.address, found.targets, notify)

    def _envelope(
        self, report: Report, recipient: RemoteRecipient, *, require_tls: bool
    ) -> Envelope:
        """`require_tls` if the message did: reports show its header (RFC 8689 §5)."""
        return Envelope(
            report.message_id,
            report.message_id,
            None,
            (recipient,),
            wishes=Wishes(
                "8BITMIME" if report.eight_bit else "7BIT",
                not report.recipient.ascii,
                require_tls=require_tls,
            ),
            signing="author",
        )

    def _report(
        self,
        message: QueuedMessage,
        to: Address,
        told: Sequence[Told],
        kind: str,
        whole: bool,
        returned: bytes,
    ) -> Report:
        until = date_time(message.expires_s)
        return Report(
            message_id=self._new_id(),
            hostname=self._hostname,
            recipient=to,
            subject=_SUBJECTS[kind],
            text=self._text(kind, told, until, whole),
            date=date_time(self._now()),
            arrival=date_time(message.arrived_s),
            statuses=[_status(one, kind, until) for one in told],
            returned=returned,
            whole=whole,
            utf8=message.wishes.smtputf8,
            envid=message.wishes.envid,
            references=_message_id(returned),
        )

    def _text(self, kind: str, told: Sequence[Told], until: bytes, whole: bool) -> str:
        """In plain words, the recipients first."""
        lines = [f"This is the mail system at {self._hostname}.\n"]
        lines.append(_OPENINGS[kind].format(until=until.decode()))
        lines.extend(_sentence(one) for one in told)
        what = "message" if whole else "header of your message"
        lines.append(
            f"\nA report for programs and the {what} follow.  If you need help,\n"
            f"write to postmaster and enclose this report.\n"
        )
        return "\n".join(lines)


def date_time(second: float) -> bytes:
    """date-time (RFC 5322 §3.3) in local time."""
    return formatdate(int(second), localtime=True).encode()


async def _returned(
    message: QueuedMessage, content: IContent, kind: str
) -> tuple[bool, bytes]:
    """(all of it, octets) that go back: RET counts for failures (RFC 3461 §4.3), unless
    the message requires TLS (RFC 8689 §5).

    Without RET a small message goes back whole, as senders find it helpful."""
    octets = await content.read(0, MOST_RETURNED)
    wishes = message.wishes
    whole = (
        kind == "failed"
        and wishes.ret != "HDRS"
        and not wishes.require_tls
        and wishes.body != "BINARYMIME"
        and content.octets <= MOST_RETURNED
    )
    if whole:
        return True, octets
    end = octets.find(b"\r\n\r\n")
    if end < 0:  # a header without end: as many lines as there is room for
        end = octets.rfind(b"\r\n")
    return False, octets[: end + 2]


def _traced(message: QueuedMessage) -> bool:
    """True if each relay is to tell that it passed the message on (RFC 2852)."""
    by = message.wishes.deliver_by
    return by is not None and by.trace


def _message_id(header: bytes) -> bytes:
    """The Message-ID of the returned message, b"" if it has none that can be quoted."""
    for name, raw in fields(header):
        if name.lower() == b"message-id":
            found = _MESSAGE_ID.search(unfold(raw))
            return found[0] if found else b""
    return b""


def _diagnostic(outcome: Outcome) -> str:
    fault = outcome.fault
    return outcome.reply or ("" if fault is None else f"{fault.status} {fault.public}")


def _sentence(told: Told) -> str:
    """What happened to one recipient, for people."""
    recipient, outcome = told
    line = f"<{recipient.address}>"
    if recipient.original != recipient.address:
        line += f" (sent to <{recipient.original}>)"
    if outcome.fault is None:
        return f"{line}: {_SAID[outcome.action]}"
    if outcome.reply:
        return f"{line}: host {outcome.host} said: {outcome.reply}"
    return f"{line}: {outcome.fault.public}"


def _status(told: Told, kind: str, until: bytes) -> RecipientStatus:
    recipient, outcome = told
    fault = outcome.fault
    if kind == "succeeded":
        action, status = outcome.action, "2.0.0"
        if action == "passed":  # told for a trace only
            action = "relayed"
    else:
        action, status = kind, "4.0.0" if fault is None else fault.status
    return RecipientStatus(
        final=recipient.address,
        action=action,
        status=status,
        original=recipient.notify.orcpt,
        remote_mta=outcome.host if outcome.reply else "",
        diagnostic=_diagnostic(outcome),
        last_attempt=date_time(recipient.last_s) if recipient.last_s else b"",
        retry_until=until if kind == "delayed" else b"",
    )
