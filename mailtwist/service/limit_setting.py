"""How limits of accounts are changed by logins that may."""

from __future__ import annotations

from attrs import evolve

from ..auth.limit_setting import LimitSetting
from ..auth.names import login_key
from ..config.model import Config
from ..config.source import Source
from ..directory.model import Account
from ..directory.user_directory import UserDbThread
from ..directory.userdb import UserDb
from ..errors import NotPermitted
from ..interfaces import IDirectory
from ..mailbox.model import Limits

USERDB = "userdb"  # kind of the sources whose accounts can be changed


def limit_setting(
    config: Config, thread: UserDbThread, directory: IDirectory
) -> LimitSetting | None:
    """As `quota.set_by` says; None if nobody may."""
    if not config.quota.set_by:
        return None
    default = config.auth.default_domain
    sources = config.source or (Source(kind=USERDB),)
    ours = {source.called for source in sources if source.kind == USERDB}
    names = frozenset(login_key(name, default) for name in config.quota.set_by)

    async def change(account: Account, limits: Limits) -> Account:
        """Raises MailError."""
        if account.source not in ours:
            raise NotPermitted(f"Limits of this account are kept in {account.source}")

        def kept(db: UserDb) -> bool:
            row = db.account(account.name)
            if row is not None:
                db.change(
                    evolve(
                        row.account,
                        storage_limit_octets=limits.octets,
                        message_limit=limits.messages,
                    )
                )
            return row is not None

        if not await thread.change(kept):
            raise NotPermitted("Limits of this account are kept elsewhere")
        return await directory.account(account.name) or account

    return LimitSetting(names, change)
