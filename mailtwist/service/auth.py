"""The portal and everything behind it, from the configuration."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Mapping
from typing import Any

from attrs import frozen
from twisted.cred.checkers import AllowAnonymousAccess
from twisted.cred.portal import Portal
from twisted.mail.interfaces import (
    IAccountIMAP,
    IMailboxPOP3,
    IMessageDelivery,
    IMessageDeliveryFactory,
)
from zope.interface import implementer

from ..auth.chain import CheckerChain
from ..auth.credentials import Door
from ..auth.fake import FakeKeys
from ..auth.login import Authenticator
from ..auth.realm import MailRealm
from ..auth.shared_counters import SharedCounters
from ..auth.throttle import Throttle
from ..config.model import Auth as AuthConfig
from ..config.model import Config
from ..directory.reread import Open, open_here
from ..directory.union import UnionDirectory
from ..directory.user_directory import UserDbThread
from ..errors import ConfigError
from ..interfaces import IDelivery, IMailAccount, IRouter, ITable
from ..keeper.process import Keepers
from ..mailbox.compat import imap_account, message_delivery, pop3_mailbox
from ..mailbox.interfaces import IStore
from .limit_setting import limit_setting
from .memory import Memory
from .privileges import keeper_settings
from .sources import BuiltSource, build_sources, union_of
from .vouchers import Vouchers


@frozen
class Auth:
    """What logging in needs; `close` when the server stops."""

    authenticator: Authenticator
    portal: Portal
    realm: MailRealm
    directory: UnionDirectory
    thread: UserDbThread
    chain: CheckerChain
    sources: tuple[BuiltSource, ...]
    vouchers: Vouchers

    def give_avatars(self, router: IRouter, delivery: IDelivery) -> None:
        """Let the portal serve Twisted's own protocols too.

        Anonymous logins get the way in for mail, as Twisted's ESMTP asks for it; the
        router gives them local recipients only.
        """

        def way_in(account: IMailAccount | None) -> IMessageDelivery:
            return message_delivery(account, router, delivery)

        self.realm.avatars |= {
            IMailboxPOP3: pop3_mailbox,
            IAccountIMAP: imap_account,
            IMessageDelivery: way_in,
            IMessageDeliveryFactory: lambda account: WaysIn(lambda: way_in(account)),
        }
        self.realm.open_to_all |= {IMessageDelivery, IMessageDeliveryFactory}
        self.portal.registerChecker(AllowAnonymousAccess())

    def give_tables(self, by_name: Mapping[str, ITable]) -> None:
        """Tables are made after the portal, which they may ask."""
        self.vouchers.give_tables(by_name)

    async def close(self) -> None:
        """Ends the threads; logins on their way fail with AuthUnavailable."""
        self.vouchers.close()
        for source in self.sources:
            await source.parts.close()
        await self.thread.close()


@implementer(IMessageDeliveryFactory)
@frozen
class WaysIn:
    """One IMessageDelivery for each message."""

    make: Callable[[], IMessageDelivery]

    def getMessageDelivery(self) -> IMessageDelivery:
        return self.make()


def throttle_of(
    config: AuthConfig, reactor: Any, memory: Memory | None = None
) -> Throttle:
    """With counters in files if these are configured, or in `memory` that workers
    share.  Raises ConfigError."""
    if not config.throttle_file:
        if memory is not None:
            return Throttle(config, time.time, memory.counters)
        return Throttle(config, reactor.seconds)

    def shared(kind: str, window_s: float) -> SharedCounters:
        path = f"{config.throttle_file}.{kind}"
        try:
            return SharedCounters.at(path, time.time, window_s)
        except OSError as fault:
            raise ConfigError(
                f"auth.throttle_file: {path}: {fault.strerror}"
            ) from fault

    return Throttle(config, time.time, shared)


def build_auth(
    *,
    reactor: Any,
    config: Config,
    store: IStore,
    keepers: Keepers | None = None,
    open_: Open = open_here,
    memory: Memory | None = None,
) -> Auth:
    """Opens nothing but settings files: others are read when the first client asks.

    Without `keepers` PAM is asked with our own rights.  Raises ConfigError."""
    if keepers is None:
        keepers = Keepers(reactor, keeper_settings(config, ""))
    thread = UserDbThread(reactor, config)
    sources = build_sources(reactor, config, thread, keepers, open_)
    directory = union_of(sources)
    fake = FakeKeys(thread.key_file, config.auth.scram_iterations)
    realm = MailRealm(directory, store, config.delivery.subaddress_separator)
    realm.limits = limit_setting(config, thread, directory)
    chain = CheckerChain(
        [one.checker for one in sources if one.checker is not None],
        fake,
        directory,
        masters=config.master,
        default_domain=config.auth.default_domain,
    )
    portal = Portal(realm, [chain])

    def offers(what: str, door: Door) -> bool:
        if what == "DIGEST-MD5":
            return config.auth.digest_md5
        asked = [one.parts for one in sources if one.open_to(door)]
        if what == "secret":
            return any(parts.keeps_secrets() for parts in asked)
        if what.startswith("SCRAM-") and not (
            chain.scram_everywhere(door)
            and not any(parts.hides_scram() for parts in asked)
        ):
            return False
        return what != "SCRAM-SHA-1" or config.auth.scram_sha1

    vouchers = Vouchers(reactor, config)
    authenticator = Authenticator(
        portal,
        throttle_of(config.auth, reactor, memory),
        config.auth,
        reactor,
        config.server.hostname or socket.getfqdn(),
        offers,
        vouchers.by_mechanism,
    )
    return Auth(
        authenticator,
        portal,
        realm,
        directory,
        thread,
        chain,
        tuple(sources),
        vouchers,
    )
