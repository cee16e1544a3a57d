"""Whether a post goes out, waits for a moderator, is refused, or is dropped."""

from __future__ import annotations

from collections.abc import Collection

from attrs import frozen

from ..config.listing import ListOptions
from ..sieve.replies import forged
from .incoming import Incoming, attachments, looped, recipients
from .model import BANNED, MODERATOR, OWNER, POSTER, MailingList, Member

ACCEPT, HOLD, REJECT, DISCARD = "accept", "hold", "reject", "discard"


@frozen
class Judged:
    """`action` of those above, `why` a clause for people; `status` of a refusal
    (RFC 3463)."""

    action: str
    why: str = ""
    status: str = "5.7.1"


ACCEPTED = Judged(ACCEPT)


def judged(
    message: Incoming,
    mailing_list: MailingList,
    member: Member | None,
    roles: Collection[str],
    *,
    seen: bool = False,
) -> Judged:
    """What becomes of a post of an author who is `member` and has `roles`.

    `seen` if its Message-ID came before."""
    options = mailing_list.options
    if looped(message, mailing_list):
        return Judged(DISCARD, "it came from the list before")
    if seen:
        return Judged(DISCARD, "it came before")
    if message.automatic:
        return Judged(DISCARD, message.automatic)
    if message.author is None:
        return Judged(REJECT, "its From names nobody", "5.6.0")
    if BANNED in roles:
        return Judged(DISCARD, "its author is banned")
    trusted = OWNER in roles or MODERATOR in roles
    if not trusted and not _may_post(options, member, roles):
        return Judged(options.strangers, _NOT[options.posting])
    if forged(message.texts(b"authentication-results")):
        return Judged(HOLD, "its author may be forged")
    return _sized(message, options) or _moderated(
        message, options, member, roles, trusted
    )


def _may_post(
    options: ListOptions, member: Member | None, roles: Collection[str]
) -> bool:
    match options.posting:
        case "anyone":
            return True
        case "members":
            return member is not None or POSTER in roles
        case "named":
            return POSTER in roles
    return False


_NOT = {
    "anyone": "",
    "members": "its author is no member of the list",
    "named": "its author is not among those who may post to the list",
    "moderators": "only moderators post to the list",
}


def _sized(message: Incoming, options: ListOptions) -> Judged | None:
    octets = len(message.octets)
    if options.most_octets and octets > options.most_octets:
        why = f"it has {octets} octets, and the list takes {options.most_octets}"
        return Judged(options.too_large, why, "5.3.4")
    if options.attachments != ACCEPT and attachments(message.root):
        return Judged(options.attachments, "it has attachments", "5.7.1")
    return None


def _moderated(
    message: Incoming,
    options: ListOptions,
    member: Member | None,
    roles: Collection[str],
    trusted: bool,
) -> Judged:
    if not trusted and options.moderation == "all":
        return Judged(HOLD, "all posts to the list are moderated")
    if not trusted and member is not None and member.moderated:
        return Judged(HOLD, "posts of its author are moderated")
    first = member is None or not member.accepted
    if not trusted and POSTER not in roles and options.moderation == "first" and first:
        return Judged(HOLD, "it is the first post of its author")
    most = options.most_recipients
    if most and len(recipients(message)) > most:
        return Judged(HOLD, f"it names more than {most} recipients")
    if message.bulk and not trusted:
        return Judged(HOLD, "it is bulk mail, or comes from another list")
    return ACCEPTED
