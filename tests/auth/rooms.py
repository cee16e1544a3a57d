"""A whole portal in a folder of its own, for tests."""

import os

from attrs import evolve
from twisted.internet.defer import Deferred
from zope.interface import implementer

from mailtwist.address import Address
from mailtwist.auth.login import Peer
from mailtwist.config.model import Auth, Config, Domain, Server
from mailtwist.directory.userdb import UserDb
from mailtwist.mailbox.interfaces import IStore
from mailtwist.service.auth import build_auth

PASSWORD = b"s3cret \xc3\xa9"
FAST = {"argon2_memory_kib": 8192, "argon2_passes": 1, "scram_iterations": 100_000}
TLS = Peer("192.0.2.1", True, "s1", "smtp")
CLEAR = evolve(TLS, tls=False)


@implementer(IStore)
class NoMail:
    """A store of accounts without mail."""

    def mailboxes(self, account):
        return f"mailboxes of {account.name}"

    def delivery(self):
        return None


def configured(folder, **auth):
    """A configuration whose data are in `folder`, with fast hashes."""
    os.makedirs(folder, exist_ok=True)
    return Config(
        server=Server(hostname="mx.example.test", data=os.path.abspath(folder)),
        domain=(Domain(name="example.test"), Domain(name="b\u00fccher.test")),
        auth=Auth(**{**FAST, "failure_delay_s": 0, **auth}),
    )


def added(config, name="ann@example.test", password=PASSWORD, **more):
    """A new account in the user database of `config`."""
    db = UserDb(config)
    try:
        return db.add(Address.parse(name), password, **more)
    finally:
        db.close()


def built(test, config, reactor):
    """The portal of `config`; ends with the test."""
    auth = build_auth(reactor=reactor, config=config, store=NoMail())
    test.addCleanup(lambda: Deferred.fromCoroutine(auth.close()))
    return auth
