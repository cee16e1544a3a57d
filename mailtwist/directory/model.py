"""Accounts as values."""

from __future__ import annotations

from posixpath import join

from attrs import frozen

from ..mailbox.model import INBOX, Limits, Path

USES = ("send", "receive", "pop3", "imap4", "manage_sieve", "web")
# In the location of a mailbox:
MBOX, MAILDIR, INBOX_IS = "mbox:", "maildir:", ":INBOX="
MBOX_FOLDERS = "mail"  # in a home, where mailboxes lie beside an mbox
_USE_OF = {"smtp": "send", "submission": "send"}  # protocols that are called otherwise


def uses_allow(uses: frozenset[str] | None, protocol: str) -> bool:
    """True if `uses`, of an account or of one of its passwords, let it log in."""
    return uses is None or _USE_OF.get(protocol, protocol) in uses


@frozen
class DomainLimit:
    """What all accounts of the domain `name` may hold together, and the `file` that
    their sum is kept in, absolute; "" where another process keeps it.  Limits that are
    None are none."""

    name: str
    file: str
    octets: int | None = None
    messages: int | None = None

    @property
    def limits(self) -> Limits:
        return Limits(self.octets, self.messages)


@frozen
class Account:
    """A mailbox owner.

    `name` is the login and main address, "ann@example.test"; `home` the absolute path
    of the account's folder (the Maildir lies in it as `Maildir`, state and cache beside
    it).  Limits that are None are none; `uses` None allows everything in `USES`.
    `mailbox` is where mail lies if not in `Maildir/`: relative to the home or absolute,
    with "/" at its end for a Maildir, else an mbox, with other mailboxes in `mail`; or
    `mbox:FOLDER:INBOX=FILE`, as Dovecot has it, INBOX being `FOLDER/inbox` if not said;
    or `maildir:FOLDER:INBOX=FILE`, where INBOX is an mbox and all others are a Maildir.
    `mailbox_limits` are those of single mailboxes with their inferiors: (path, octets,
    messages).
    """

    name: str
    home: str
    storage_limit_octets: int | None = None
    enabled: bool = True
    send_as: frozenset[str] = frozenset()  # further addresses it may send from
    mailbox: str = ""
    uid: int | None = None  # who owns its files; None for the server's own user
    gid: int | None = None
    uses: frozenset[str] | None = None
    message_limit: int | None = None
    login_until_s: float | None = None  # Unix time at which account or password expires
    source: str = ""  # name of the source that has it
    groups: frozenset[str] = frozenset()  # that lists of rights may name
    mailbox_limits: tuple[tuple[Path, int | None, int | None], ...] = ()
    mailboxes_limit: int | None = None  # how many mailboxes it may have
    deleted: bool = False  # it stands for the mailboxes of what it deleted
    senders: frozenset[str] = frozenset()  # who else may send from its address
    unlimited: bool = False  # its source says so: limits by default are not for it
    domain: DomainLimit | None = None  # that it shares with others

    @property
    def mailbox_path(self) -> str:
        """Absolute; it ends in "/" for a Maildir, else it is INBOX's."""
        if not self.mailbox.startswith((MBOX, MAILDIR)):
            return join(self.home, self.mailbox or "Maildir/")
        _, _, where = self.mailbox.partition(":")
        folder, _, inbox = where.partition(INBOX_IS)
        if not inbox:
            inbox = join(folder.rstrip("/"), "inbox")
        return self._absolute(inbox)

    @property
    def folders_path(self) -> str:
        """Absolute: the folder of an mbox account's other mailboxes."""
        folder = MBOX_FOLDERS
        if self.mailbox.startswith((MBOX, MAILDIR)):
            folder = self.mailbox.partition(":")[2].partition(INBOX_IS)[0]
        return self._absolute(folder).rstrip("/") or "/"

    def _absolute(self, path: str) -> str:
        return join(self.home, path.removeprefix("~/"))

    @property
    def is_mbox(self) -> bool:
        """True if INBOX is an mbox; asked for each delivery, so no path is made."""
        mailbox = self.mailbox
        return bool(mailbox) and (mailbox[-1] != "/" or mailbox.startswith(MBOX))

    @property
    def has_maildir_folders(self) -> bool:
        """True if INBOX is an mbox, and all others are not."""
        return self.mailbox.startswith(MAILDIR)

    def in_mbox(self, path: Path) -> bool:
        """True if that mailbox is one file."""
        return self.is_mbox and (path == INBOX or not self.has_maildir_folders)

    @property
    def is_limited(self) -> bool:
        """True if it, one of its mailboxes, or its domain may be full."""
        return bool(self.limits.any or self.mailbox_limits or self.domain)

    @property
    def summed(self) -> DomainLimit | None:
        """The limit whose sum this process keeps."""
        return self.domain if self.domain is not None and self.domain.file else None

    @property
    def limits(self) -> Limits:
        """Those of the whole account."""
        storage, messages = self.storage_limit_octets, self.message_limit
        return Limits(storage, messages, self.mailboxes_limit)

    def may(self, protocol: str, now_s: float) -> bool:
        """True if it may log in over `protocol` at `now_s`, as Unix time."""
        if not self.enabled or self.expired(now_s):
            return False
        return uses_allow(self.uses, protocol)

    def expired(self, now_s: float) -> bool:
        return self.login_until_s is not None and now_s >= self.login_until_s

    @property
    def receives(self) -> bool:
        """True if mail for it is taken."""
        return self.enabled and (self.uses is None or "receive" in self.uses)
