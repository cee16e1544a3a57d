"""Messages that a list writes itself, as texts."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from ..address import Address
from ..mime.compose import field_of, text_entity
from .digest import Stamp
from .footer import free_boundary, multipart
from .model import DIGEST, EACH, NOMAIL, PLAIN_DIGEST, MailingList, Member, Pending
from .outgoing import list_fields

MOST_RETURNED = 100_000  # octets of a message that stand in a note

_MODES = {
    EACH: "each post as it comes",
    DIGEST: "digests",
    PLAIN_DIGEST: "digests in plain text",
    NOMAIL: "no mail",
}


@frozen
class Note:
    """Subject and text; `reply_to` who hears of answers (the list's owners if None)."""

    subject: str
    text: str
    reply_to: Address | None = None


def composed(
    mailing_list: MailingList,
    note: Note,
    to: Sequence[Address],
    stamp: Stamp,
    *,
    answers: str = "",
    about: bytes = b"",
) -> bytes:
    """The message (RFC 3834 §3); `answers` is the Message-ID of a mail that asked for
    it, `about` a message that goes with it."""
    sender = mailing_list.at("request")
    reply_to = note.reply_to or mailing_list.at("owner")
    names = ",\r\n\t".join(str(address) for address in to)
    kind = "auto-replied" if answers else "auto-generated"
    head = [
        f"From: {sender}\r\nTo: {names}\r\nReply-To: {reply_to}\r\n".encode(),
        field_of("Subject", note.subject),
        f"Date: {stamp.date}\r\nMessage-ID: {stamp.message_id}\r\n".encode(),
        f"Auto-Submitted: {kind}\r\nPrecedence: bulk\r\n".encode(),
        *list_fields(mailing_list),
        b"X-Loop: " + mailing_list.address.encode() + b"\r\n",
        b"MIME-Version: 1.0\r\n",
    ]
    if answers and answers.isascii():
        head.append(f"In-Reply-To: <{answers}>\r\n".encode())
    text = text_entity(note.text.replace("\n", "\r\n"))
    if not about:
        return b"".join(head) + text
    if len(about) > MOST_RETURNED:
        kind_of = b"Content-Type: text/rfc822-headers\r\n"
        about = about[: about.find(b"\r\n\r\n") + 2][:MOST_RETURNED]
    else:
        kind_of = b"Content-Type: message/rfc822\r\n"
    if not about.isascii():
        kind_of += b"Content-Transfer-Encoding: 8bit\r\n"
        head.append(b"Content-Transfer-Encoding: 8bit\r\n")
    entities = [text, kind_of + b"\r\n" + about]
    boundary = free_boundary(*entities)
    head.append(
        b'Content-Type: multipart/mixed;\r\n\tboundary="' + boundary + b'"\r\n\r\n'
    )
    return b"".join(head) + multipart(boundary, entities)


def confirm(mailing_list: MailingList, pending: Pending, url: str) -> Note:
    """To the address itself: does it want that?"""
    joining = pending.kind == "subscribe"
    what = "join" if joining else "leave"
    deed = "be put on" if joining else "be taken off"
    link = f"\nor open this link:\n\n    {url}\n" if url else ""
    return Note(
        f"Confirm that you want to {what} {mailing_list.name}",
        f"Somebody, hopefully you, asked that {pending.address}\n"
        f"{deed} the mailing list {mailing_list.address}.\n\n"
        f"If you want that, answer this message{link}\n"
        "Nothing will happen if you do not.\n\n"
        f"confirm {pending.token}\n",
        mailing_list.at("confirm", pending.token),
    )


def welcome(mailing_list: MailingList, mode: str) -> Note:
    own = mailing_list.options.welcome_text.strip()
    return Note(
        f"Welcome to {mailing_list.name}",
        f"You are on the mailing list {mailing_list.address} now,\n"
        f"and get {_MODES[mode]}.\n\n"
        + (f"{own}\n\n" if own else "")
        + f"To post, write to {mailing_list.address}.\n"
        f"To leave, write to {mailing_list.at('unsubscribe')}.\n"
        f"For other commands, write help to {mailing_list.at('request')}.\n",
    )


def there_already(mailing_list: MailingList) -> Note:
    return Note(
        f"You are on {mailing_list.name} already",
        f"Somebody, hopefully you, asked that you be put on {mailing_list.address}.\n"
        "You are on that list already, so nothing changed.\n",
    )


def not_there(mailing_list: MailingList) -> Note:
    return Note(
        f"You are not on {mailing_list.name}",
        "Somebody, hopefully you, asked that you be taken off the mailing list\n"
        f"{mailing_list.address}.  This address is not on it: maybe you get its mail\n"
        "by another one.\n",
    )


def goodbye(mailing_list: MailingList) -> Note:
    own = mailing_list.options.goodbye_text.strip()
    return Note(
        f"You left {mailing_list.name}",
        f"You are not on the mailing list {mailing_list.address} any more.\n"
        + (f"\n{own}\n" if own else ""),
    )


def admit(mailing_list: MailingList, pending: Pending) -> Note:
    """To the moderators: may that address join?"""
    return Note(
        f"{pending.address} wants to join {mailing_list.name}",
        f"{pending.address} asks to be put on {mailing_list.address}.\n\n"
        + _verdicts(pending),
        mailing_list.at("confirm", pending.token),
    )


def held(mailing_list: MailingList, pending: Pending) -> Note:
    """To the moderators: may that post go out?"""
    return Note(
        f"A post of {pending.address} to {mailing_list.name} waits",
        f"From: {pending.address}\nSubject: {pending.subject}\n\n"
        f"It waits because {pending.reason}.\n\n" + _verdicts(pending),
        mailing_list.at("confirm", pending.token),
    )


def _verdicts(pending: Pending) -> str:
    return (
        "Answer this message with one of these words in the first line:\n\n"
        "    accept\n    reject\n    discard\n\n"
        "With reject, the sender is told.\n\n"
        f"token {pending.token}\n"
    )


def waits(mailing_list: MailingList, reason: str) -> Note:
    return Note(
        f"Your post to {mailing_list.name} waits for a moderator",
        f"Your message to {mailing_list.address} was not sent on yet:\n"
        f"{reason}.\n\nThe moderators were told, and you need not send it again.\n",
    )


def refused(mailing_list: MailingList, what: str, reason: str = "") -> Note:
    """To the sender of a post, or to who asked to join."""
    return Note(
        f"{mailing_list.name}: {what}",
        f"A moderator of {mailing_list.address} decided: {what}.\n"
        + (f"\n{reason}\n" if reason else "")
        + f"\nThe owners can be reached at {mailing_list.at('owner')}.\n",
    )


def results(mailing_list: MailingList, told: Sequence[tuple[str, str]]) -> Note:
    """What became of commands: (line, answer) of each."""
    parts = [
        f"> {line}\n\n{answer.rstrip()}\n" if line else f"{answer.rstrip()}\n"
        for line, answer in told
    ]
    return Note(
        f"Results of your commands to {mailing_list.at('request')}",
        "\n".join(parts),
        mailing_list.at("request"),
    )


def probe(mailing_list: MailingList) -> Note:
    return Note(
        f"Mail to you from {mailing_list.name} came back",
        f"Messages from {mailing_list.address} to you came back,\n"
        "so nothing more is sent for now.  This message finds out whether your\n"
        "address works: if it does not come back as well, mail will go on.\n\n"
        "You need not do anything.\n",
    )


def stopped(mailing_list: MailingList, member: Member, why: str) -> Note:
    return Note(
        f"{mailing_list.name}: mail to {member.address} was stopped",
        f"Too much mail to {member.address} came back (score {member.score:g}).\n"
        f"Nothing is sent to it until a probe shows that it works.\n\n    {why}\n",
    )


def removed(mailing_list: MailingList, member: Member, why: str, *, gone: bool) -> Note:
    done = "It was removed from the list." if gone else "Its delivery stays stopped."
    return Note(
        f"{mailing_list.name}: {member.address} cannot be reached",
        f"The probe to {member.address} came back.  {done}\n\n    {why}\n",
    )


def unknown_bounce(mailing_list: MailingList) -> Note:
    return Note(
        f"{mailing_list.name}: a message to the address for bounces",
        "The message below came to the address for bounces, and does not say of\n"
        "which member it tells.\n",
    )


def help_text(mailing_list: MailingList) -> str:
    return (
        f"Write commands to {mailing_list.at('request')}, one a line:\n\n"
        "    subscribe [digest|plain|nomail] [address=ADDRESS]\n"
        "    unsubscribe [ADDRESS]\n"
        "    set each|digest|plain|nomail\n"
        "    set vacation on|off        no mail while it is on\n"
        "    set copies on|off          your own posts\n"
        "    which                      what you are on here, and how\n"
        "    who                        the members, if you may know\n"
        "    info                       what the list is about\n"
        "    lists                      the lists of this domain\n"
        "    confirm TOKEN              what a message of the list asked you\n"
        "    end                        what follows is no command\n\n"
        f"A message to {mailing_list.at('subscribe')} or\n"
        f"{mailing_list.at('unsubscribe')} does the same as the command.\n"
        f"People are at {mailing_list.at('owner')}.\n"
    )


def how(mailing_list: MailingList, member: Member) -> str:
    """One line about a membership."""
    more = "".join(
        f", {word}"
        for word, true in (
            ("vacation on", member.vacation),
            ("copies off", not member.copies),
            ("stopped, as mail came back", member.stopped),
        )
        if true
    )
    return f"{mailing_list.address}: {_MODES[member.mode]}{more}"
