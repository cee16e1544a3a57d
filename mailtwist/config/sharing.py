"""`[sharing]` and `[[public_folder]]`: mailboxes that several logins see."""

from __future__ import annotations

from attrs import frozen

from ..address import Address
from ..errors import BadAddress
from .checks import Check, matches_re, reads
from .option import option, required

_LETTERS = frozenset("lrswipkxteacd")


def rights_of(text: str) -> tuple[str, str]:
    """(identifier, letters) of "anyone lrs"; raises ValueError."""
    identifier, letters = text.split()
    if not _LETTERS.issuperset(letters) or identifier in ("-", "$", "-$"):
        raise ValueError(text)
    return identifier, letters


def _are_rights(texts: tuple[str, ...]) -> bool:
    try:
        return len({rights_of(text)[0] for text in texts}) == len(texts)
    except ValueError:
        return False


def _address(text: str) -> Address:
    try:
        address = Address.parse(text)
    except BadAddress as fault:
        raise ValueError(text) from fault
    if not address.domain:
        raise ValueError(text)
    return address


RIGHTS = Check(
    'texts like "anyone lrs", with letters of RFC 4314, each name once', _are_rights
)
NAME = matches_re(
    r"(?!(?i:INBOX)\Z)[^/.\\*%\x00-\x1f\x7f]{1,100}",
    "a name without any of / . \\ * %, other than INBOX",
)


@frozen(kw_only=True)
class Sharing:
    """Mailboxes that others gave rights to (ACL), over IMAP."""

    enabled: bool = option(
        True,
        "Show logins what others share with them, and the public folders. Off, lists "
        "of rights are kept and nobody but the owner sees a mailbox.",
    )
    others: str = option(
        "Other Users",
        "What the names of other accounts' mailboxes begin with: `Other "
        "Users/bob@example.org/Work`. A mailbox of one's own with that name is not "
        "shown.",
        NAME,
    )
    shared: str = option("Shared", "The same for public folders: `Shared/News`.", NAME)
    anyone: bool = option(
        True,
        "Accounts may give rights to `anyone`. Each LIST of everybody then looks into "
        "every account that did.",
    )
    own_seen: bool = option(
        True,
        "Each reader of a mailbox of others, and of a public folder, has a \\Seen of "
        "its own; off, all share one.",
    )


@frozen(kw_only=True)
class PublicFolder:
    """Mailboxes that nobody owns, as `maildirmake -S` makes for Courier."""

    name: str = required("Its name below `sharing.shared`.", NAME)
    maildir: str = option(
        "",
        "The Maildir; one in the data folder if empty. Its subfolders are mailboxes, "
        "too.",
        path=True,
    )
    address: str = option(
        "",
        "An address in a local domain: what is sent there goes into the folder, and by "
        "`news+python@` into its mailbox `python` if `anyone` has the right `p`.",
        reads(_address, "an address like news@example.org"),
    )
    rights: tuple[str, ...] = option(
        ("anyone lr",),
        "Who may do what with mailboxes that were given no list of their own: "
        '`"anyone lrs"`, `"$staff lrswipkxte"`, `"ann@example.org lrswipkxtea"`.',
        RIGHTS,
        texts=True,
    )
