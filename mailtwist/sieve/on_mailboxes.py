"""Tests on the owner's mailboxes (RFC 5490, RFC 8579, RFC 9042)."""

from __future__ import annotations

from .compiled import Call
from .questions import Annotations, Asking, MailboxIdKnown, MailboxKnown, UseKnown
from .state import Run

QUESTION = 50  # units of work


def mailboxexists(run: Run, call: Call) -> Asking[bool]:
    for name in run.some(call, "mailboxes"):
        run.budget.spend(QUESTION)
        if not (yield MailboxKnown(name)):
            return False
    return True


def mailboxidexists(run: Run, call: Call) -> Asking[bool]:
    for object_id in run.some(call, "ids"):
        run.budget.spend(QUESTION)
        if not (yield MailboxIdKnown(object_id)):
            return False
    return True


def specialuse_exists(run: Run, call: Call) -> Asking[bool]:
    mailbox = run.one(call, "mailbox") if "mailbox" in call.texts else None
    for use in run.some(call, "uses"):
        run.budget.spend(QUESTION)
        if not (yield UseKnown(use, mailbox)):
            return False
    return True


def _mailbox(run: Run, call: Call) -> str | None:
    return None if call.name.startswith("server") else run.one(call, "mailbox")


def metadata(run: Run, call: Call) -> Asking[bool]:
    """metadata and servermetadata."""
    run.budget.spend(QUESTION)
    value = yield Annotations(_mailbox(run, call), run.one(call, "annotation").lower())
    answer = run.matches(call, [] if value is None else [str(value)])
    return answer if isinstance(answer, bool) else (yield from answer)


def metadataexists(run: Run, call: Call) -> Asking[bool]:
    for name in run.some(call, "annotations"):
        run.budget.spend(QUESTION)
        if (yield Annotations(_mailbox(run, call), name.lower())) is None:
            return False
    return True


TESTS = {
    "mailboxexists": mailboxexists,
    "mailboxidexists": mailboxidexists,
    "metadata": metadata,
    "metadataexists": metadataexists,
    "servermetadata": metadata,
    "servermetadataexists": metadataexists,
    "specialuse_exists": specialuse_exists,
}
