"""What comes back: scored, probed, and in the end the member removed."""

from __future__ import annotations

from ..address import Address
from ..errors import MailError
from . import notes
from .addressing import BOUNCES, bounced
from .bounce import DELAYED, HARD, Failed, parsed
from .commands import TOKEN
from .incoming import Incoming
from .interfaces import IListBook
from .model import OWNER, MailingList, Member, Pending
from .plan import NOTHING, Alter, Bounced, Change, Leave, Pend, Plan, Unpend
from .scoring import scored
from .writer import Writer


class Bounces:
    """See Desk."""

    def __init__(self, book: IListBook, writer: Writer) -> None:
        self._book, self._writer = book, writer

    async def came(
        self, mailing_list: MailingList, message: Incoming, detail: str
    ) -> Plan:
        """What a message to `dev-bounces+detail` does."""
        try:
            report = parsed(message.octets)
        except MailError as fault:
            return Plan(told=fault.public)
        if TOKEN.fullmatch(detail.lower()):
            return await self._probe_back(mailing_list, detail.lower(), report.failed)
        named = await self._named(mailing_list, detail)
        if not report.failed:
            if report.reason == "no report" and not named and _a_letter(message):
                return await self._passed_on(mailing_list, message)
            return Plan(told=f"a bounce that is none: {report.reason}")
        plan = NOTHING
        failed = report.failed[:1] if named else report.failed
        for one in failed:
            member = named
            if member is None and one.address is not None:
                place = await self._book.standing(mailing_list.number, one.address)
                member = place.member
            if member is not None:
                plan += await self._scored(mailing_list, member, one)
        return plan if plan != NOTHING else Plan(told="a bounce of nobody here")

    async def _named(self, mailing_list: MailingList, detail: str) -> Member | None:
        """The member that the address names."""
        found = bounced(detail)
        if isinstance(found, Address):
            return (await self._book.standing(mailing_list.number, found)).member
        if found is not None:
            return await self._book.member(mailing_list.number, found)
        return None

    async def _scored(
        self, mailing_list: MailingList, member: Member, failed: Failed
    ) -> Plan:
        now_s, options = self._writer.now(), mailing_list.options
        after = scored(member, failed.kind, options, now_s)
        changes: list[Change] = [_noted(member, failed, now_s)]
        told = f"{failed.kind} bounce of {member.address}, score {after.score:g}"
        if after != member:
            changes.append(Alter(after))
        plan = Plan(tuple(changes), told=told)
        if not after.stopped or member.stopped:
            return plan
        plan += self._probe(mailing_list, after)
        if options.bounce_notice:
            note = notes.stopped(mailing_list, after, _why(failed))
            plan += await self._to_owners(mailing_list, note)
        return plan

    def _probe(self, mailing_list: MailingList, member: Member) -> Plan:
        now_s, token = self._writer.now(), self._writer.token()
        until_s = now_s + mailing_list.options.bounce_probe_s
        pending = Pending(token, "probe", member.address, now_s, until_s)
        mails = self._writer.note(
            mailing_list,
            notes.probe(mailing_list),
            [member.address],
            sender=mailing_list.at(BOUNCES, token),
        )
        return Plan((Pend(pending),), mails, told="delivery stopped, probe sent")

    async def _probe_back(
        self, mailing_list: MailingList, token: str, failed: tuple[Failed, ...]
    ) -> Plan:
        found = await self._book.pending(token)
        if found is None or found[0].number != mailing_list.number:
            return Plan(told="a probe that nobody waits for")
        worst = [one for one in failed if one.kind != DELAYED]
        if not worst or found[1].kind != "probe":
            return Plan(told="a probe that is still on its way")
        address = found[1].address
        member = (await self._book.standing(mailing_list.number, address)).member
        changes: list[Change] = [Unpend(token)]
        if member is None:
            return Plan(tuple(changes))
        changes.append(_noted(member, worst[0], self._writer.now()))
        gone = mailing_list.options.bounce_remove
        if gone:
            changes.append(Leave(str(address)))
        plan = Plan(tuple(changes), told=f"the probe of {address} came back")
        if mailing_list.options.bounce_notice:
            note = notes.removed(mailing_list, member, _why(worst[0]), gone=gone)
            plan += await self._to_owners(mailing_list, note)
        return plan

    async def _passed_on(self, mailing_list: MailingList, message: Incoming) -> Plan:
        note = notes.unknown_bounce(mailing_list)
        return await self._to_owners(mailing_list, note, message.octets)

    async def _to_owners(
        self, mailing_list: MailingList, note: notes.Note, about: bytes = b""
    ) -> Plan:
        """What cannot be told to the owners comes back to nobody."""
        owners = await self._book.people(mailing_list.number, OWNER)
        mails = self._writer.note(
            mailing_list, note, owners, about=about, null_sender=True
        )
        return Plan(mails=mails, told="the owners are told")


def _a_letter(message: Incoming) -> bool:
    """True for what might be a report that we cannot read, or a person."""
    return message.automatic != "a program sent it" and not message.bulk


def _noted(member: Member, failed: Failed, at_s: float) -> Bounced:
    return Bounced(
        str(member.address), failed.kind, failed.status, failed.diagnostic, at_s
    )


def _why(failed: Failed) -> str:
    kind = "permanent" if failed.kind == HARD else "temporary"
    return failed.diagnostic or f"{kind} failure {failed.status}".strip()
