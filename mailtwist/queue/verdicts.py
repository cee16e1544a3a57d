"""What one attempt means for its recipients: done, later, and who is told."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import Factory, define, evolve
from twisted.logger import Logger

from ..config.queueing import Queue
from ..delivery.model import Envelope, Route
from ..errors import MailError
from ..interfaces import IContent, IReporter
from ..log import mail_log
from . import retry
from .model import Job, Outcome, QueuedRecipient, Told

log = Logger("mailtwist")


@define
class Verdicts:
    """What `ISpool.settle` is asked for one job."""

    done: list[int] = Factory(list)
    later: list[QueuedRecipient] = Factory(list)
    reports: list[tuple[Envelope, bytes]] = Factory(list)


@define
class _Told:
    failed: list[Told] = Factory(list)
    delayed: list[Told] = Factory(list)
    succeeded: list[Told] = Factory(list)


async def verdicts(
    job: Job,
    outcomes: Sequence[Outcome],
    content: IContent,
    reporter: IReporter,
    config: Queue,
    now_s: float,
    chance: float,
) -> Verdicts:
    """The verdicts of one attempt, reports made.

    A report that cannot be made now keeps its recipients: a failure and a success are
    decided, so they wait as routes that only end in the report.
    """
    found, told = Verdicts(), _Told()
    message = job.message
    taken: dict[tuple[str, str], list[str]] = {}
    for recipient, outcome in zip(job.recipients, outcomes, strict=True):
        fault = outcome.fault
        if fault is None:
            if job.route.transport not in ("done", "mailbox"):  # which was logged
                key = (outcome.host, outcome.action)
                taken.setdefault(key, []).append(str(recipient.address))
            tried = evolve(recipient, last_s=now_s, host=outcome.host)
            told.succeeded.append((tried, outcome))
            found.done.append(recipient.number)
            continue
        later = None
        if fault.temporary:
            wait_s = retry.retry_after_s(config, recipient.attempts + 1, chance)
            later = retry.after_failure(message, recipient, outcome, now_s, wait_s)
            outcome = outcome if later else retry.expired(recipient, outcome)
        why = outcome.reply or (outcome.fault.public if outcome.fault else "")
        name = str(recipient.address)
        if later is None:
            mail_log.given_up(message.queue_id, name, outcome.host, why)
            told.failed.append((evolve(recipient, last_s=now_s), outcome))
            found.done.append(recipient.number)
            continue
        mail_log.put_off(message.queue_id, name, outcome.host, why, later.due_s - now_s)
        if retry.delay_is_told(config, message, later, now_s):
            later = evolve(later, delay_told=True)
            told.delayed.append((later, outcome))
        found.later.append(later)
    for (host, action), recipients in taken.items():
        mail_log.sent(message.queue_id, recipients, host, action)
    await _report(job, content, reporter, found, told, now_s + config.first_retry_s)
    return found


def bare_verdicts(job: Job, outcomes: Sequence[Outcome], again_s: float) -> Verdicts:
    """Successes are done, everything else waits; nobody is told."""
    found = Verdicts()
    for recipient, outcome in zip(job.recipients, outcomes, strict=True):
        if outcome.fault is None:
            found.done.append(recipient.number)
        else:
            found.later.append(evolve(recipient, due_s=again_s))
    return found


async def _report(
    job: Job,
    content: IContent,
    reporter: IReporter,
    found: Verdicts,
    told: _Told,
    again_s: float,
) -> None:
    for kind, some in (
        ("failed", told.failed),
        ("delayed", told.delayed),
        ("succeeded", told.succeeded),
    ):
        wanted = [each for each in some if reporter.wanted(job.message, each, kind)]
        if not wanted:
            continue
        try:
            made = await reporter.reports(job.message, content, wanted, kind)
        except Exception as cause:
            if not isinstance(cause, MailError):
                log.failure("reporting on {id}", id=job.message.queue_id)
            _keep(found, wanted, kind, again_s)
        else:
            found.reports.extend(made)


def _keep(found: Verdicts, wanted: list[Told], kind: str, again_s: float) -> None:
    """The report is made at a later attempt."""
    for recipient, outcome in wanted:
        if kind == "delayed":
            untold = evolve(recipient, delay_told=False)
            found.later[found.later.index(recipient)] = untold
            continue
        found.done.remove(recipient.number)
        fault = outcome.fault
        if fault is None:
            route = Route("done", outcome.action)
        else:
            text = outcome.reply or fault.public
            route = Route("error", f"{fault.status} {text}")
        found.later.append(
            evolve(
                recipient,
                route=route,
                due_s=again_s,
                host=outcome.host,
                reply=outcome.reply,
            )
        )
