"""`[lists]` and `[[list]]`: mailing lists.

The options of a list are the same whether the configuration or `mailtwist list` makes
it; the ones kept in the database are checked against this class too.
"""

from __future__ import annotations

import re

from attrs import frozen

from ..address import Address
from ..errors import BadAddress
from .checks import Check, between, ge, in_, matches_re, none_or_ge
from .option import DAY_S, HOUR_S, KIB, MIB, MINUTE_S, option, required

MOST_NAME = 30  # octets, so that the list's other addresses fit into a local part
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?")
_FUNCTIONS = ("request", "owner", "bounces", "subscribe", "unsubscribe", "confirm")
FUNCTIONS = (*_FUNCTIONS, "join", "leave", "help", "archive")
_ALLOWED = (
    f"an address like dev@example.org: a name of at most {MOST_NAME} letters, "
    "digits, dots, dashes and underscores, without a last part like -request"
)

SUBSCRIPTIONS = ("open", "confirm", "moderated", "confirm and moderated", "closed")
POSTINGS = ("members", "anyone", "named", "moderators")


def list_address(text: str) -> Address:
    """The address of a list, its local part lower case; raises ValueError with what may
    be."""
    try:
        address = Address.parse(text)
    except BadAddress as fault:
        raise ValueError(_ALLOWED) from fault
    name = address.local_part.lower()
    wrong = not address.domain or len(name) > MOST_NAME or not _NAME.fullmatch(name)
    first, _, last = name.rpartition("-")
    if wrong or (first and last in FUNCTIONS) or name.startswith("owner-"):
        raise ValueError(_ALLOWED)
    return Address(name, address.domain)


def person_address(text: str) -> Address:
    """The address of an owner or member; raises ValueError."""
    try:
        address = Address.parse(text.strip())
    except BadAddress as fault:
        raise ValueError(text) from fault
    if not address.domain:
        raise ValueError(text)
    return address


def _is_list(text: str) -> bool:
    try:
        return list_address(text) is not None
    except ValueError:
        return False


def _are_people(texts: tuple[str, ...]) -> bool:
    try:
        return all(person_address(text) is not None for text in texts)
    except ValueError:
        return False


LIST_ADDRESS = Check(_ALLOWED, _is_list)
PEOPLE = Check('addresses like "ann@example.org"', _are_people)
ONE_LINE = matches_re(r"[^\x00-\x1f\x7f]{0,200}", "one line of at most 200 characters")


@frozen(kw_only=True)
class Lists:
    """What all mailing lists share."""

    enabled: bool = option(
        True, "Serve mailing lists; off, their addresses are unknown here."
    )
    url: str = option(
        "",
        "Where the web pages of lists are reached from outside, such as "
        "`https://lists.example.org/lists`; no links are sent if empty. `one_click` "
        "needs it.",
        matches_re(r"(?:https?://[!-~]+[^/])?", "empty, or a URL without / at its end"),
    )
    archive_folder: str = option(
        "Lists",
        "Name of the public folder with the archives: members read "
        "`Shared/Lists/dev@example.org` over IMAP.",
        matches_re(r"[^/.\\*%\x00-\x1f\x7f]{1,100}", "a name without / . \\ * %"),
    )
    look_s: float = option(
        15.0,
        "How often digests, probes and what `mailtwist list` queued are looked at.",
        between(0.1, HOUR_S),
    )


@frozen(kw_only=True)
class ListOptions:
    """What may be set for each list, `mailtwist list set`."""

    description: str = option("", "One line about the list.", ONE_LINE)
    info: str = option("", "Text that the command `info` answers with.")
    subscription: str = option(
        "confirm",
        "Who may join: `open` (whoever asks, which lets anybody subscribe others), "
        "`confirm` (who answers a message to the address), `moderated` (whom a "
        "moderator lets in), `confirm and moderated`, or `closed` (only owners add).",
        in_(SUBSCRIPTIONS),
    )
    unsubscription: str = option(
        "confirm",
        "How members leave by mail: `confirm` (an answer to a message is needed) or "
        "`open`. Links with a signature need no further answer.",
        in_(("open", "confirm")),
    )
    posting: str = option(
        "members",
        "Who may post: `members`, `anyone`, `named` (those with the role `poster`) or "
        "`moderators`. Owners and moderators always may.",
        in_(POSTINGS),
    )
    strangers: str = option(
        "hold",
        "What becomes of posts of others: `hold` for a moderator, `reject` with a "
        "report to the sender, or `discard`.",
        in_(("hold", "reject", "discard")),
    )
    moderation: str = option(
        "none",
        "Which posts of those who may post wait for a moderator: `none`, `first` "
        "(until one was accepted) or `all`.",
        in_(("none", "first", "all")),
    )
    most_octets: int = option(1 * MIB, "Largest post; 0 for no limit.", none_or_ge(KIB))
    too_large: str = option(
        "hold", "What becomes of a larger one.", in_(("hold", "reject"))
    )
    attachments: str = option(
        "accept",
        "What becomes of posts with attachments: `accept`, `hold` or `reject`. "
        "Signatures and the HTML form of a text are none.",
        in_(("accept", "hold", "reject")),
    )
    most_recipients: int = option(
        20, "Hold posts with more addresses in To and Cc; 0 for no limit.", ge(0)
    )
    prefix: str = option("", "Put in front of subjects, such as `[dev]`.", ONE_LINE)
    footer: str = option(
        "",
        "Text put behind posts. `{list}`, `{request}`, `{description}` and "
        "`{unsubscribe}` stand for what they name.",
    )
    footer_in_signed: bool = option(
        False, "Put it behind signed posts too, whose signature is then broken."
    )
    reply_to: str = option(
        "keep",
        "Reply-To of posts: `keep` what the author wrote, `list` (the list alone) or "
        "`both` (the list and what the author wrote).",
        in_(("keep", "list", "both")),
    )
    from_rewriting: str = option(
        "dmarc",
        "Posts come from the list's address, with the author in Reply-To: `dmarc` (if "
        "the author's domain asks to quarantine or reject what it did not sign), "
        "`always` or `never`.",
        in_(("dmarc", "always", "never")),
    )
    verp: bool = option(
        True, "Give each member a sender of its own, which tells whose mail bounced."
    )
    one_click: bool = option(
        False,
        "Give each member a copy with an unsubscription link of its own (RFC 8058); "
        "needs `lists.url`.",
    )
    digests: bool = option(True, "Members may choose digests.")
    digest_octets: int = option(
        64 * KIB, "A digest of this size is sent at once.", ge(KIB)
    )
    digest_s: float = option(
        DAY_S, "The oldest post in a digest waits no longer.", ge(MINUTE_S)
    )
    archive: bool = option(True, "Keep posts in the archive.")
    archive_access: str = option(
        "members",
        "Who may read it: `public`, `members` or `owners`.",
        in_(("public", "members", "owners")),
    )
    who: str = option(
        "owners",
        "Who is told the members' addresses: `anyone`, `members` or `owners`.",
        in_(("anyone", "members", "owners")),
    )
    advertised: bool = option(True, "The command `lists` names it.")
    welcome: bool = option(True, "Send new members a message.")
    welcome_text: str = option("", "Text put into that message.")
    goodbye: bool = option(True, "Send a message to members that left.")
    goodbye_text: str = option("", "Text put into that message.")
    confirm_s: float = option(
        3 * DAY_S, "How long a confirmation may be answered.", ge(HOUR_S)
    )
    held_s: float = option(
        14 * DAY_S, "How long posts wait for a moderator until discarded.", ge(HOUR_S)
    )
    bounce_score: float = option(
        5.0,
        "Delivery to a member stops at this score: each day with a permanent failure "
        "counts 1, one with temporary failures alone 0.5. 0 to ignore bounces.",
        none_or_ge(1.0),
    )
    bounce_forget_s: float = option(
        7 * DAY_S, "A score is forgotten after this time without bounces.", ge(DAY_S)
    )
    bounce_probe_s: float = option(
        7 * DAY_S,
        "A member whose delivery stopped is sent a probe; if none of it comes back in "
        "this time, delivery goes on.",
        ge(HOUR_S),
    )
    bounce_remove: bool = option(
        True,
        "Remove members whose probe came back; otherwise their delivery stays stopped.",
    )
    bounce_notice: bool = option(True, "Tell the owners of both.")


@frozen(kw_only=True)
class ListOfConfig(ListOptions):
    """A mailing list that the file makes; its options count over `list set`."""

    address: str = required("Its address in a local domain.", LIST_ADDRESS)
    owners: tuple[str, ...] = option(
        (), "Addresses of its owners, added to those there are.", PEOPLE, texts=True
    )
    moderators: tuple[str, ...] = option(
        (), "Addresses of its moderators.", PEOPLE, texts=True
    )
