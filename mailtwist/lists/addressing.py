"""The addresses of a list: what each is for, and senders that name a member (VERP)."""

from __future__ import annotations

from attrs import frozen

from ..address import MOST_LOCAL_PART, Address, ascii_domain
from ..config.listing import MOST_NAME
from ..errors import BadAddress
from .model import MailingList, Member

POST, REQUEST, OWNER, BOUNCES = "post", "request", "owner", "bounces"
SUBSCRIBE, UNSUBSCRIBE, CONFIRM, HELP = "subscribe", "unsubscribe", "confirm", "help"
ARCHIVE = "archive"  # inside only: where the queue puts posts into the archive
OUTSIDE = (REQUEST, OWNER, BOUNCES, SUBSCRIBE, UNSUBSCRIBE, CONFIRM, HELP)
_ALSO = {"join": SUBSCRIBE, "leave": UNSUBSCRIBE, "admin": OWNER, "errors": BOUNCES}
_OWNER_FIRST = "owner-"


@frozen
class Meant:
    """What an address may be: the function `function` of the list named `name`."""

    name: str
    function: str
    detail: str = ""


def meanings(local_part: str) -> list[Meant]:
    """What a local part may be, the likeliest first; whether such a list is there is
    another question.  `detail` keeps its case."""
    whole, _, detail = local_part.partition("+")
    lower = whole.lower()
    if len(lower) > MOST_NAME + 20:
        return []
    found = [Meant(lower, POST, detail)] if not detail else []
    name, dash, last = lower.rpartition("-")
    function = _ALSO.get(last, last)
    if name and dash and function in (*OUTSIDE, ARCHIVE):
        found.append(Meant(name, function, detail))
    if lower.startswith(_OWNER_FIRST) and not detail:
        found.append(Meant(lower.removeprefix(_OWNER_FIRST), OWNER))
    return found


def bounces_of(mailing_list: MailingList, member: Member) -> Address:
    """The sender of mail to one member: `dev-bounces+ann=example.org@`.

    An address that is too long for that, or that is not ASCII, is named by the
    member's number."""
    address = member.address
    detail = f"{address.local_part}={ascii_domain(address.domain)}"
    made = mailing_list.at(BOUNCES, detail)
    plain = address.ascii and address.quoted_local_part == address.local_part
    if plain and len(made.local_part) <= MOST_LOCAL_PART:
        return made
    return mailing_list.at(BOUNCES, str(member.number))


def bounced(detail: str) -> Address | int | None:
    """Whom the detail of such a sender names: an address, a member's number, or
    nobody."""
    if detail.isascii() and detail.isdigit() and len(detail) < 16:
        return int(detail)
    local_part, mark, domain = detail.rpartition("=")
    if not mark:
        return None
    try:
        address = Address.parse(f"{local_part}@{domain}")
    except BadAddress:
        return None
    return address if address.domain else None
