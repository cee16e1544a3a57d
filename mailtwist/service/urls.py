"""URLs of messages that carry their authorization, for IMAP and for submission."""

from __future__ import annotations

from collections.abc import Callable

from ..auth.names import login_key
from ..config.model import Config
from ..imap4.url_access import UrlAccess
from ..interfaces import IDirectory
from ..mailbox.interfaces import IMailboxes, IStore


def url_access(
    config: Config,
    hostname: str,
    directory: IDirectory,
    store: IStore,
    now: Callable[[], float],
) -> UrlAccess:
    """`now` gives seconds since 1970."""

    def key(name: str) -> str:
        return login_key(name, config.auth.default_domain)

    async def owner(name: str) -> IMailboxes | None:
        account = await directory.account(key(name))
        if account is None or not account.enabled:
            return None
        return store.mailboxes(account)

    return UrlAccess(
        owner,
        hosts=(hostname, *config.imap4.url_hosts),
        key=key,
        now=now,
        delimiter=config.imap4.delimiter,
        submitters=config.imap4.submitters,
    )
