"""Mails of a list as the outbox takes them: ids, dates, senders, wishes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from email.utils import formatdate

from attrs import evolve

from ..address import Address
from ..delivery.model import NO_WISHES, Wishes
from ..mime.header import unfold_all
from . import notes
from .addressing import ARCHIVE, BOUNCES, bounces_of
from .digest import Stamp
from .links import token_for
from .model import MailingList, Member
from .notes import Note
from .outgoing import NO_LINKS, Links
from .plan import Mail, To


class Writer:
    """`now` gives seconds of the epoch, `token` 24 letters and digits that nobody can
    guess; `url` is where the web pages of lists are, "" for nowhere."""

    def __init__(
        self, now: Callable[[], float], token: Callable[[], str], url: str = ""
    ) -> None:
        self.now, self.token, self._url = now, token, url

    def stamp(self, mailing_list: MailingList) -> Stamp:
        """For a message that is written now."""
        domain = mailing_list.address.encode().decode().rpartition("@")[2]
        date = formatdate(self.now(), localtime=False, usegmt=False)
        return Stamp(date, f"<{self.token()}@{domain}>")

    def note(
        self,
        mailing_list: MailingList,
        note: Note,
        to: Sequence[Address],
        *,
        answers: str = "",
        about: bytes = b"",
        sender: Address | None = None,
        null_sender: bool = False,
    ) -> tuple[Mail, ...]:
        """The mail of a note; none if it is to nobody.  What comes back goes to
        `sender`, the list's address for bounces if None; nowhere with `null_sender`."""
        if not to:
            return ()
        octets = notes.composed(
            mailing_list,
            note,
            to,
            self.stamp(mailing_list),
            answers=answers,
            about=about,
        )
        path = "" if null_sender else str(sender or mailing_list.at(BOUNCES))
        people = [To(str(address)) for address in to]
        wishes = wishes_of(octets, NO_WISHES)
        return (Mail(self.token(), path, people, octets, wishes, "author"),)

    def to_members(
        self,
        mailing_list: MailingList,
        members: Sequence[Member],
        octets: Callable[[Links], bytes],
        *,
        archived: bool = False,
        wishes: Wishes = NO_WISHES,
    ) -> tuple[Mail, ...]:
        """Mails of one message, made by `octets`, to these members: one for all, or one
        for each if it has a link of its own.  The archive is one more recipient."""
        options = mailing_list.options
        sender = mailing_list.at(BOUNCES)
        path, archive = str(sender), To(str(mailing_list.at(ARCHIVE)), "")
        mails = []
        alone = options.one_click and self._url
        if alone:
            for member in members:
                made = octets(self.links(mailing_list, member))
                to = [To(str(member.address))]
                own = str(bounces_of(mailing_list, member))
                mails.append(Mail(self.token(), own, to, made, wishes_of(made, wishes)))
        people = (
            []
            if alone
            else [
                To(
                    str(member.address),
                    str(bounces_of(mailing_list, member)) if options.verp else None,
                )
                for member in members
            ]
        )
        if archived:
            people.append(archive)
        if people:
            made = octets(self.links(mailing_list))
            mails.append(
                Mail(self.token(), path, people, made, wishes_of(made, wishes))
            )
        return tuple(mails)

    def links(self, mailing_list: MailingList, member: Member | None = None) -> Links:
        """What the web has of the list, for this member."""
        if not self._url or member is None:
            return NO_LINKS
        return Links(unsubscribe=f"{self._url}/u/{token_for(mailing_list, member)}")

    def confirm_url(self, token: str) -> str:
        return f"{self._url}/c/{token}" if self._url else ""


def wishes_of(octets: bytes, wishes: Wishes) -> Wishes:
    """`wishes` of the message that came, for what became of it."""
    if octets.isascii():
        return evolve(wishes, body="7BIT")
    head = unfold_all(octets[: octets.find(b"\r\n\r\n") + 2])
    return evolve(
        wishes, body="8BITMIME", smtputf8=wishes.smtputf8 or not head.isascii()
    )
