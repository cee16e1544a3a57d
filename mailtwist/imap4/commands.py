"""The command table as data: every command, where it is allowed, what it may tell."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto

from attrs import frozen

from .grammar import (
    acl,
    append,
    fetch,
    list,
    mailbox,
    metadata,
    multisearch,
    notify,
    quota,
    search,
    sequence,
    session,
    sort,
    store,
    urlauth,
)
from .grammar.scanner import CommandScanner
from .types import (
    Capability,
    Check,
    Close,
    Command,
    Idle,
    Logout,
    Namespace,
    Noop,
    StartTls,
    Unauthenticate,
    Unselect,
)


class State(Enum):
    """RFC 3501 §3."""

    NOT_AUTHENTICATED = auto()
    AUTHENTICATED = auto()
    SELECTED = auto()
    LOGOUT = auto()


ANY = frozenset({State.NOT_AUTHENTICATED, State.AUTHENTICATED, State.SELECTED})
NOT_AUTHENTICATED = frozenset({State.NOT_AUTHENTICATED})
AUTHENTICATED = frozenset({State.AUTHENTICATED, State.SELECTED})
SELECTED = frozenset({State.SELECTED})


@frozen
class CommandRow:
    """One command.

    `name` is as the client says it, "UID FETCH" for the UID form.  `rfc` cites its
    section.  `keeps_numbers`: EXPUNGE must not be told while it is answered, as message
    numbers are under way (RFC 3501 §7.4.1).  `try_create`: a missing target mailbox is
    answered with [TRYCREATE].  `secret`: its arguments never stand in a log.
    """

    name: str
    rfc: str
    states: frozenset[State]
    grammar: Callable[[CommandScanner], Command]
    keeps_numbers: bool = False
    try_create: bool = False
    secret: bool = False

    @property
    def uid(self) -> bool:
        """True for the forms that begin with UID."""
        return self.name.startswith("UID ")

    @property
    def expunges(self) -> bool:
        """True for those whose own answer has EXPUNGE."""
        return self.name.removeprefix("UID ") in ("EXPUNGE", "MOVE", "REPLACE")

    @property
    def by_number(self) -> bool:
        """True for the other form of these, which names messages by number."""
        return (
            not self.uid and self.name != "EXPUNGE" and f"UID {self.name}" in COMMANDS
        )


_ROWS = (
    CommandRow("CAPABILITY", "RFC 3501 §6.1.1", ANY, lambda s: Capability()),
    CommandRow("NOOP", "RFC 3501 §6.1.2", ANY, lambda s: Noop()),
    CommandRow("LOGOUT", "RFC 3501 §6.1.3", ANY, lambda s: Logout()),
    CommandRow("ID", "RFC 2971 §3.1", ANY, session.id_),
    CommandRow("STARTTLS", "RFC 3501 §6.2.1", NOT_AUTHENTICATED, lambda s: StartTls()),
    CommandRow(
        "AUTHENTICATE",
        "RFC 3501 §6.2.2",
        NOT_AUTHENTICATED,
        session.authenticate,
        secret=True,
    ),
    CommandRow(
        "LOGIN", "RFC 3501 §6.2.3", NOT_AUTHENTICATED, session.login, secret=True
    ),
    CommandRow("ENABLE", "RFC 5161 §3.1", AUTHENTICATED, session.enable),
    CommandRow("COMPRESS", "RFC 4978 §3", AUTHENTICATED, session.compress),
    CommandRow(
        "UNAUTHENTICATE", "RFC 8437 §3", AUTHENTICATED, lambda s: Unauthenticate()
    ),
    CommandRow("SELECT", "RFC 3501 §6.3.1", AUTHENTICATED, mailbox.select),
    CommandRow("EXAMINE", "RFC 3501 §6.3.2", AUTHENTICATED, mailbox.examine),
    CommandRow("CREATE", "RFC 3501 §6.3.3", AUTHENTICATED, mailbox.create),
    CommandRow("DELETE", "RFC 3501 §6.3.4", AUTHENTICATED, mailbox.delete),
    CommandRow("RENAME", "RFC 3501 §6.3.5", AUTHENTICATED, mailbox.rename),
    CommandRow("SUBSCRIBE", "RFC 3501 §6.3.6", AUTHENTICATED, mailbox.subscribe),
    CommandRow("UNSUBSCRIBE", "RFC 3501 §6.3.7", AUTHENTICATED, mailbox.unsubscribe),
    CommandRow("LIST", "RFC 3501 §6.3.8", AUTHENTICATED, list.list_),
    CommandRow("LSUB", "RFC 3501 §6.3.9", AUTHENTICATED, list.lsub),
    CommandRow("STATUS", "RFC 3501 §6.3.10", AUTHENTICATED, mailbox.status),
    CommandRow(
        "APPEND", "RFC 3501 §6.3.11", AUTHENTICATED, append.append, try_create=True
    ),
    CommandRow("GENURLAUTH", "RFC 4467 §7", AUTHENTICATED, urlauth.gen_url_auth),
    CommandRow(
        "URLFETCH", "RFC 4467 §7", AUTHENTICATED, urlauth.url_fetch, secret=True
    ),
    CommandRow("RESETKEY", "RFC 4467 §7", AUTHENTICATED, urlauth.reset_key),
    CommandRow("GETQUOTA", "RFC 9208 §4.1.1", AUTHENTICATED, quota.get_quota),
    CommandRow("GETQUOTAROOT", "RFC 9208 §4.1.2", AUTHENTICATED, quota.get_quota_root),
    CommandRow("SETQUOTA", "RFC 9208 §4.1.3", AUTHENTICATED, quota.set_quota),
    CommandRow("GETMETADATA", "RFC 5464 §4.2", AUTHENTICATED, metadata.get_metadata),
    CommandRow("SETMETADATA", "RFC 5464 §4.3", AUTHENTICATED, metadata.set_metadata),
    CommandRow("SETACL", "RFC 4314 §3.1", AUTHENTICATED, acl.set_acl),
    CommandRow("DELETEACL", "RFC 4314 §3.2", AUTHENTICATED, acl.delete_acl),
    CommandRow("GETACL", "RFC 4314 §3.3", AUTHENTICATED, acl.get_acl),
    CommandRow("LISTRIGHTS", "RFC 4314 §3.4", AUTHENTICATED, acl.list_rights),
    CommandRow("MYRIGHTS", "RFC 4314 §3.5", AUTHENTICATED, acl.my_rights),
    CommandRow("NAMESPACE", "RFC 2342 §5", AUTHENTICATED, lambda s: Namespace()),
    CommandRow("IDLE", "RFC 2177 §3", AUTHENTICATED, lambda s: Idle()),
    CommandRow("NOTIFY", "RFC 5465 §3.1", AUTHENTICATED, notify.notify),
    CommandRow("ESEARCH", "RFC 7377 §2", AUTHENTICATED, multisearch.esearch),
    CommandRow("CHECK", "RFC 3501 §6.4.1", SELECTED, lambda s: Check()),
    CommandRow("CLOSE", "RFC 3501 §6.4.2", SELECTED, lambda s: Close()),
    CommandRow("UNSELECT", "RFC 3691 §2", SELECTED, lambda s: Unselect()),
    CommandRow("EXPUNGE", "RFC 3501 §6.4.3", SELECTED, store.expunge),
    CommandRow(
        "SEARCH", "RFC 3501 §6.4.4", SELECTED, search.search, keeps_numbers=True
    ),
    CommandRow("SORT", "RFC 5256 §3", SELECTED, sort.sort, keeps_numbers=True),
    CommandRow("THREAD", "RFC 5256 §3", SELECTED, sort.thread, keeps_numbers=True),
    CommandRow("FETCH", "RFC 3501 §6.4.5", SELECTED, fetch.fetch, keeps_numbers=True),
    CommandRow("STORE", "RFC 3501 §6.4.6", SELECTED, store.store, keeps_numbers=True),
    CommandRow("COPY", "RFC 3501 §6.4.7", SELECTED, store.copy, try_create=True),
    CommandRow("MOVE", "RFC 6851 §3.1", SELECTED, store.move, try_create=True),
    CommandRow("REPLACE", "RFC 8508 §3.2", SELECTED, append.replace, try_create=True),
    CommandRow(
        "UID REPLACE", "RFC 8508 §3.3", SELECTED, append.replace, try_create=True
    ),
    CommandRow("CANCELUPDATE", "RFC 5267 §4.3.5", SELECTED, sequence.cancel_update),
    CommandRow("UIDBATCHES", "RFC 10022", SELECTED, sequence.uidbatches),
    CommandRow("UID EXPUNGE", "RFC 4315 §2.1", SELECTED, store.expunge),
    CommandRow("UID SEARCH", "RFC 3501 §6.4.8", SELECTED, search.search),
    CommandRow("UID SORT", "RFC 5256 §3", SELECTED, sort.sort),
    CommandRow("UID THREAD", "RFC 5256 §3", SELECTED, sort.thread),
    CommandRow("UID FETCH", "RFC 3501 §6.4.8", SELECTED, fetch.fetch),
    CommandRow("UID STORE", "RFC 3501 §6.4.8", SELECTED, store.store),
    CommandRow("UID COPY", "RFC 3501 §6.4.8", SELECTED, store.copy, try_create=True),
    CommandRow("UID MOVE", "RFC 6851 §3.2", SELECTED, store.move, try_create=True),
)

COMMANDS = {row.name: row for row in _ROWS}
