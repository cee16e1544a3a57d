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
from .outgoing import unsubscribe_fields
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
        compose: Callable[..., bytes],
        *,
        archived: bool = False,
        wishes: Wishes = NO_WISHES,
    ) -> tuple[Mail, ...]:
        """The mail of one message to these members, and to the archive if it is
        `archived`; none if it is to nobody.  `compose(personal=...)` makes it: with
        links of its own each copy gets fields in front."""
        options = mailing_list.options
        personal = bool(options.one_click and self._url)
        verp = options.verp or personal
        people = [
            To(
                str(member.address),
                str(bounces_of(mailing_list, member)) if verp else None,
                self._own_fields(mailing_list, member) if personal else "",
            )
            for member in members
        ]
        if archived:
            plain = b"".join(unsubscribe_fields(mailing_list)).decode()
            archive = str(mailing_list.at(ARCHIVE))
            people.append(To(archive, "", plain if personal else ""))
        if not people:
            return ()
        octets = compose(personal=personal)
        sender = str(mailing_list.at(BOUNCES))
        wishes = wishes_of(octets, wishes)
        return (Mail(self.token(), sender, people, octets, wishes),)

    def _own_fields(self, mailing_list: MailingList, member: Member) -> str:
        link = f"{self._url}/u/{token_for(mailing_list, member)}"
        return b"".join(unsubscribe_fields(mailing_list, link)).decode()

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
