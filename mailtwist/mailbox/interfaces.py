"""The extension points of mail storage: a store, an account's mailboxes, one mailbox.

The rules of `mailtwist.interfaces` hold here too: arguments and results are values, so
that a store may live in another process (`store.agent`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence

from zope.interface import Attribute, Interface

from ..directory.model import Account
from ..flags import Flags
from ..interfaces import IDelivery
from .model import (
    INBOX,
    Annotation,
    Appended,
    Changes,
    Checked,
    Column,
    Copied,
    Expunged,
    FlagChange,
    Limits,
    MailboxInfo,
    MailboxStatus,
    MessageRows,
    Namespaces,
    Path,
    Quota,
    Range,
    ScriptInfo,
    Stored,
    TextFigures,
    TextHits,
    TextPlace,
    Usage,
)
from .rights import Entries, Rights, RightsChange


class IStore(Interface):
    """A kind of mail storage."""

    def mailboxes(account: Account) -> IMailboxes:
        """The account's mailboxes; made on first use, the same object while in use."""

    def delivery() -> IDelivery:
        """The store's way in: local recipients only."""

    def may_be_full(account: Account) -> bool:
        """False if nothing limits what the account, or a mailbox of it, holds; then
        `fits` needs not be asked.  Costs next to nothing."""

    def script_stamp(account: Account) -> Hashable | None:
        """Another value after the account's active script changed; None if there is
        none.  Costs next to nothing, so it may be some seconds behind."""

    async def active_script(account: Account) -> bytes | None:
        """The account's active script.  Raises MailError if it cannot be read now."""


class IUpload(Interface):
    """Octets on their way into a mailbox (IMAP APPEND), in bounded memory."""

    octets: int = Attribute("Octets taken so far.")

    def write(octets: bytes) -> Awaitable[None] | None:
        """As IMessageSink.write."""

    async def shelve() -> None:
        """All octets were written, and others follow before these are appended: hold
        little memory and nothing open for them meanwhile."""

    def abort() -> None:
        """Forget the octets."""


class IMailboxes(Interface):
    """The mailbox tree of one account.

    Paths are `mailbox.model.Path`.  INBOX always exists.  Every method that changes
    something returns only when it is durable.
    """

    async def listed() -> list[MailboxInfo]:
        """Every mailbox, placeholder parent and subscription, parents before children,
        INBOX first, siblings sorted.

        A `Listing` where the store knows whether anything changed."""

    async def create(path: Path, special_uses: frozenset[str] = frozenset()) -> str:
        """Make a mailbox and its missing parents; its object id.

        Raises MailboxExists, BadMailboxName, OverQuota if they are too many."""

    async def delete(path: Path) -> None:
        """Remove a mailbox and its messages; one with children stays as a name that
        cannot be selected (RFC 3501 §6.3.4).

        Raises NoSuchMailbox, MailboxHasChildren, NotPermitted for INBOX."""

    async def rename(old: Path, new: Path) -> None:
        """Rename with children; INBOX's messages move and INBOX stays, empty
        (RFC 3501 §6.3.5).  Limits of mailboxes go with them.  Raises NoSuchMailbox,
        MailboxExists, BadMailboxName, OverQuota."""

    async def subscribe(path: Path) -> None:
        """Put a name on the subscription list, whether it exists or not."""

    async def unsubscribe(path: Path) -> None:
        """Take it off; no fault if it was not on."""

    async def status(path: Path) -> MailboxStatus:
        """Figures after taking in everything in new/.  Raises NoSuchMailbox,
        MailboxNotSelectable."""

    async def open(path: Path, *, read_only: bool = False) -> IMailbox:
        """The mailbox for a session, everything in new/ taken in.

        Raises NoSuchMailbox, MailboxNotSelectable."""

    def upload(path: Path = INBOX) -> IUpload:
        """A place for the octets of one message to append to this mailbox."""

    async def append(
        path: Path, messages: Sequence[tuple[IUpload, Flags, int | None]]
    ) -> Appended:
        """All of the messages, or none: (octets, flags, internal date or None for now).

        Durable, with UIDs allotted.  Raises NoSuchMailbox, OverQuota, StorageFull."""

    async def metadata(
        path: Path | None, names: Sequence[str] = ()
    ) -> list[Annotation]:
        """Annotations of a mailbox, of the account with path (), or of all mailboxes
        with None: those of these names in lower case, or all, sorted.

        Special uses are among them (mailbox.metadata.SPECIAL_USE).  Raises
        NoSuchMailbox, MailboxNotSelectable."""

    async def set_metadata(
        path: Path, values: Sequence[tuple[str, bytes | None]], most: int
    ) -> None:
        """Change annotations, all or none; None for the value removes one.

        Raises TooManyAnnotations above `most` for one mailbox, UnknownUse,
        NoSuchMailbox, MailboxNotSelectable."""

    async def usage() -> Usage:
        """What the account holds now."""

    async def quotas(path: Path | None = None) -> list[Quota]:
        """The quota roots (RFC 9208 §3) that a mailbox counts towards, it need not
        exist, or all of the account: those that have limits.  The nearest first, then
        the account, the sum of its domain last."""

    async def set_limits(path: Path, limits: Limits) -> None:
        """What a mailbox may hold together with its inferiors, in place of what the
        account says of it; without any limit that counts again.

        Raises NotPermitted for (): limits of the account are kept elsewhere."""

    async def fits(path: Path, octets: int, messages: int = 1) -> bool:
        """True if so much more may come to that mailbox, or to some one for (), beside
        what other deliveries of any process are just now writing."""

    async def recount() -> Usage:
        """Count every file, and put all figures right."""

    async def access_key(path: Path, *, make: bool = False) -> bytes | None:
        """The key of a mailbox that authorizes URLs (RFC 4467 §2.2): 32 octets that
        nobody can guess; None if there is none and none is to be made.

        Raises NoSuchMailbox, MailboxNotSelectable."""

    async def reset_access_keys(path: Path | None = None) -> None:
        """A new key for the mailbox; with None all keys of the account are forgotten.

        Raises NoSuchMailbox, MailboxNotSelectable."""

    async def watch(
        changed: Callable[[Path | None], None], lost: Callable[[], None]
    ) -> Callable[[], None]:
        """Call `changed(path)` after anything in that mailbox changed, `changed(None)`
        after names or subscriptions did, `changed(ACCOUNT)` after annotations of any
        mailbox or of the account did, by whomever; hints that may come twice.

        `lost()` once if the watch cannot go on.  Returns a callable that ends it.
        Opens no mailbox.  Raises NotPermitted where changes cannot be told."""


class IMailbox(Interface):
    """One open mailbox.  Speaks UIDs only; sequence numbers belong to sessions.

    Ascending lists of UIDs go in; UIDs that are gone are left out of results without a
    fault.  Changes are published to every watcher, in this process and others, after
    they are durable.  Once the mailbox was deleted, watchers are called and every
    method raises NoSuchMailbox.
    """

    path: Path = Attribute("Where it was opened.")
    object_id: str = Attribute("Stable over renames.")
    uid_validity: int = Attribute("RFC 3501 §2.3.1.1.")
    read_only: bool = Attribute("True if opened by EXAMINE.")

    async def where() -> Path:
        """Where it is now, as it may have been renamed; no look at the folder."""

    async def status() -> MailboxStatus:
        """Figures after a look at the folder."""

    async def rows(uids: Sequence[int] | None = None) -> MessageRows:
        """The columns of these messages, or of all."""

    async def changes(modseq: int) -> Changes:
        """What happened after `modseq`, the folder looked at anew."""

    async def take_recent() -> int:
        """The lowest UID that no session was told as \\\\Recent before; moves the mark
        past the last message unless read_only."""

    async def rendered(
        uids: Sequence[int], columns: Sequence[Column]
    ) -> list[tuple[bytes, ...] | None]:
        """One tuple per UID in the order asked, None if gone.

        The caller asks in chunks (some hundreds); misses are parsed and kept."""

    async def octets(ranges: Sequence[Range]) -> list[bytes | None]:
        """One value per range, None if the message is gone.

        The caller bounds the sum (64 KiB to some MiB) by what it knows of sizes."""

    async def store_flags(
        uids: Sequence[int], change: FlagChange, *, unchanged_since: int | None = None
    ) -> Stored:
        """Change flags (RFC 3501 §6.4.6, RFC 7162 §3.1.3).

        Raises MailboxReadOnly, OverQuota if a keyword has no place left."""

    async def copy(uids: Sequence[int], target: Path) -> Copied:
        """Copy to `target` of the same account, all or none.

        Raises NoSuchMailbox, OverQuota."""

    async def move(uids: Sequence[int], target: Path) -> Copied:
        """As copy, then expunge here (RFC 6851): no message is ever in neither."""

    async def replace(
        uid: int, target: Path, message: tuple[IUpload, Flags, int | None]
    ) -> Appended:
        """Append to `target` and expunge here as one change (RFC 8508 §3.4); `message`
        as in IMailboxes.append.

        Only what the new message has more counts towards the limits.  Raises
        MessageGone, MailboxReadOnly, NoSuchMailbox, OverQuota, StorageFull."""

    async def expunge(uids: Sequence[int] | None = None) -> Expunged:
        """Remove messages: with None all \\\\Deleted ones, else exactly these.

        Raises MailboxReadOnly."""

    def watch(changed: Callable[[int], None]) -> Callable[[], None]:
        """Call `changed(modseq)` after any change; a hint that may come twice.

        Returns a callable that ends it."""

    async def close() -> None:
        """The session is done with it."""


class IScripts(Interface):
    """The Sieve scripts of one account, by name; what the mailboxes provide too."""

    async def scripts() -> list[ScriptInfo]:
        """All of them, by name."""

    async def script(name: str) -> bytes:
        """Its octets.  Raises NoSuchScript."""

    async def put_script(name: str, octets: bytes, most: int) -> None:
        """Keep a script that was checked, in the place of one of that name.

        Raises TooManyScripts if there would be more than `most`, StorageFull."""

    async def remove_script(name: str) -> None:
        """Raises NoSuchScript, ScriptActive."""

    async def rename_script(old: str, new: str) -> None:
        """An active script stays active.  Raises NoSuchScript, ScriptExists."""

    async def activate_script(name: str | None) -> None:
        """From here on mail goes through this script, through none with None.

        Raises NoSuchScript."""


class IIndexedMailbox(IMailbox):
    """A mailbox with an index of its text, and a place for its threads."""

    async def text_hits(needle: str, place: TextPlace) -> TextHits | None:
        """What the index knows of a needle that `mime.text.normal` gave; None while it
        cannot be used.  Of a header or an extract it is asked for three characters or
        more."""

    async def text_extracts(uids: Sequence[int]) -> list[str | None]:
        """For each what commands made of its attachments, normalized; None for one of
        which the index has nothing like that."""

    async def kept_threads(algorithm: str, of: bytes) -> bytes | None:
        """What `keep_threads` was given last for this algorithm, if that was `of` the
        same messages."""

    async def keep_threads(algorithm: str, of: bytes, threads: bytes) -> None:
        """Keep an answer of THREAD as long as there is no other and the cache is
        there; `of` says of which messages it is."""


class IReadByMany(IMailbox):
    """A mailbox in which readers other than its owner have a \\Seen of their own."""

    async def seen_by(reader: str) -> list[int]:
        """UIDs of the messages here that this reader has seen, ascending."""

    async def see(
        reader: str,
        uids: Sequence[int],
        seen: bool,
        *,
        unchanged_since: int | None = None,
    ) -> Stored:
        """Note what this reader has seen, or not any more; as `store_flags`, with the
        flags that the owner has.  Also in a mailbox that is open `read_only`."""


class IRights(IMailboxes):
    """Mailboxes that others may use too, each with a list of who may what (RFC 4314).

    A mailbox takes the list of its parent when it is made, keeps it over RENAME and
    loses it with DELETE.  One that was given none has `mailbox.rights.default_list`.
    """

    owner: str = Attribute("The account that keeps `mailbox.rights.OWNERS`.")

    def owner_of(path: Path) -> str:
        """Whose a mailbox is; "" if it is nobody's."""

    async def rights(path: Path) -> dict[str, Rights]:
        """The list of a mailbox: rights by identifier, the owner's first.

        Raises NoSuchMailbox, MailboxNotSelectable."""

    async def lists() -> dict[Path, dict[str, Rights]]:
        """The lists of all mailboxes that were given one."""

    async def set_rights(
        path: Path,
        identifier: str,
        wanted: RightsChange,
        default: Entries | None = None,
    ) -> None:
        """Change the rights of one identifier, as `mailbox.rights.change`.

        `default`: the list that mailboxes have which nobody owns.  Raises NotPermitted,
        NoSuchMailbox, MailboxNotSelectable."""

    async def my_rights(path: Path) -> Rights:
        """What the account that holds these mailboxes may do with one of them.

        Raises NoSuchMailbox, MailboxNotSelectable."""

    async def known_lists() -> Mapping[Path, Entries]:
        """As `lists`, but quick."""

    async def known_annotation(name: str) -> Mapping[Path, bytes]:
        """The values of an annotation, by mailbox, () for the account; quick, and as
        they were a second ago at most if another process changes them."""

    async def may(path: Path) -> Rights:
        """As `my_rights`, but quick: all rights also where there is no mailbox."""

    async def limited() -> dict[Path, Rights]:
        """`my_rights` of every mailbox that has a list: all there are of others."""


class ISharedMailboxes(IRights):
    """What a login sees of its own mailboxes and of those of others."""

    namespaces: Namespaces = Attribute("Which names are others' and public ones.")

    async def home(path: Path) -> tuple[IRights, Path]:
        """All that the account of a mailbox has, whatever the login may do with it, and
        the mailbox's name there.  Raises NoSuchMailbox, MailboxNotSelectable."""

    async def near(path: Path) -> list[MailboxInfo]:
        """As `listed`, but only what is of the same account.  Raises NoSuchMailbox."""


class IIndexedMailboxes(IMailboxes):
    """Mailboxes that have a text index together."""

    async def index_text(anew: bool = False) -> TextFigures:
        """Put in all messages that are not in the index, `anew` after emptying it.

        Raises SystemBusy while another process does."""


class ICheckedMailboxes(IMailboxes):
    """Mailboxes that can prove that all that is kept of them agrees."""

    async def check(*, repair: bool = False, quick: bool = False) -> Checked:
        """Compare files, state, uidlists, cache, text index and counted usage, after
        what any look does.

        `repair`: make anew what can be; no message is ever removed.  `quick`: without
        reading messages."""
