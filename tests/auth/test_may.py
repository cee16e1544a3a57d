"""What an account may is asked on every way in, and of application passwords too."""

import hashlib

from attrs import evolve
from twisted.internet import reactor

from mailtwist.auth.login import SERVICES
from mailtwist.config.source import Master
from mailtwist.directory.userdb import UserDb
from mailtwist.errors import AuthFailed, LoginExpired, LoginNotAllowed
from mailtwist.secret import Secret

from .rooms import PASSWORD, TLS, added, built, configured
from .test_digest_md5 import digest
from .test_login import ANN, RoomTestCase, answering, cram, scram


class MayTests(RoomTestCase):
    """Every way in asks what the account may, and says so only after a proof."""

    options = {"digest_md5": True, "scram_sha1": True}
    ADMIN = "admin@example.test"

    def setUp(self):
        self.config = configured(self.mktemp(), **self.options)
        self.config = evolve(
            self.config,
            master=(
                Master(
                    account=self.ADMIN,
                    domains=("example.test",),
                    protocols=("submission", "pop3", "imap4"),
                ),
            ),
        )
        added(self.config, ANN, keep_secret=True)
        added(self.config, self.ADMIN, b"boss")
        self.auth = built(self, self.config, reactor)
        self.door = self.auth.authenticator

    def ways(self, peer, password=PASSWORD):
        """(name, login) for all of them; what they know, the master too."""
        timestamp = b"<1.2@mx>"
        apop = hashlib.md5(timestamp + password).hexdigest().encode()
        plain = f"\0{ANN}\0".encode() + password
        master = f"\0{ANN}*{self.ADMIN}\0boss".encode()
        text = password.decode()
        uri = f"{SERVICES[peer.protocol]}/mx.example.test"
        md5 = digest(ANN, password, uri=uri)
        sha256, sha1 = scram(text), scram(text, "SCRAM-SHA-1")
        sasl = self.door.login_sasl
        login = answering(ANN.encode(), password)
        return [
            ("password", self.door.login_password(ANN, Secret(password), peer)),
            ("PLAIN", sasl("PLAIN", plain, answering(), peer)),
            ("LOGIN", sasl("LOGIN", None, login, peer)),
            ("APOP", self.door.login_apop(ANN, timestamp, apop, peer)),
            ("CRAM-MD5", sasl("CRAM-MD5", None, cram(password), peer)),
            ("DIGEST-MD5", sasl("DIGEST-MD5", None, md5, peer)),
            ("SCRAM-SHA-256", sasl("SCRAM-SHA-256", *sha256, peer)),
            ("SCRAM-SHA-1", sasl("SCRAM-SHA-1", *sha1, peer)),
            ("XCLIENT", self.door.login_proxied(ANN, peer)),
            ("master", sasl("PLAIN", master, answering(), peer)),
        ]

    def change(self, **settings):
        db = UserDb(self.config)
        db.change(evolve(db.account(ANN).account, **settings))
        db.close()
        self.auth.sources[0].parts.directory._looked_at = float("-inf")

    async def test_every_way_in(self):
        not_here, expired = LoginNotAllowed, LoginExpired
        for settings, protocol, fault in [
            ({}, "pop3", None),
            ({"uses": frozenset({"pop3"})}, "pop3", None),
            ({"uses": frozenset({"pop3"})}, "imap4", not_here),
            ({"uses": frozenset({"pop3"})}, "submission", not_here),
            ({"uses": frozenset({"send"})}, "submission", None),
            ({"uses": frozenset({"send"})}, "pop3", not_here),
            ({"uses": frozenset({"receive"})}, "imap4", not_here),
            ({"uses": frozenset()}, "submission", not_here),
            ({"login_until_s": 1.0}, "pop3", expired),
            ({"login_until_s": 1e11}, "pop3", None),
            ({"enabled": False}, "pop3", AuthFailed),
        ]:
            free = {"uses": None, "login_until_s": None, "enabled": True}
            self.change(**{**free, **settings})
            peer = evolve(TLS, protocol=protocol)
            for name, login in self.ways(peer):
                about = (settings, protocol, name)
                if fault is None:
                    self.assertEqual((await login).name, ANN, about)
                    continue
                told = await self.refused(AuthFailed, login)
                # A master's password says nothing about the account's.
                wanted = AuthFailed if name == "master" else fault
                self.assertIs(type(told), wanted, about)

    async def test_a_wrong_password_is_never_told_what_the_account_may(self):
        self.change(uses=frozenset({"receive"}), login_until_s=1.0)
        for name, login in self.ways(evolve(TLS, protocol="pop3"), b"wrong"):
            if name in ("XCLIENT", "master"):  # they do not have that password
                login.close()
                continue
            told = await self.refused(AuthFailed, login)
            self.assertIs(type(told), AuthFailed, name)

    async def test_a_right_password_that_may_not_counts_as_no_guess(self):
        self.change(uses=frozenset({"receive"}))
        failed = []
        self.patch(self.door._throttle, "failed", lambda *what: failed.append(what))
        login = self.door.login_password(ANN, Secret(PASSWORD), TLS)
        await self.refused(LoginNotAllowed, login)
        self.assertEqual(failed, [])


class AppPasswordTests(RoomTestCase):
    async def test_it_is_one_more_password_for_its_protocols(self):
        db = UserDb(self.config)
        shown = db.add_app_password(ANN, "phone", frozenset({"imap4", "send"}))
        for protocol, right in [("imap4", True), ("submission", True), ("pop3", False)]:
            peer = evolve(TLS, protocol=protocol)
            login = self.door.login_password(ANN, Secret(shown.encode()), peer)
            if right:
                self.assertEqual((await login).name, ANN)
            else:
                await self.refused(AuthFailed, login)
        await self.auth.sources[0].parts.close()
        [app] = db.app_passwords(ANN)
        self.assertIsNotNone(app.used_at_ns)

    def test_SCRAM_waits_if_told_while_it_could_not_judge_a_password(self):
        waiting = configured(self.config.server.data, scram_waits=True)
        auth = built(self, waiting, reactor)
        self.assertIn("SCRAM-SHA-256", auth.authenticator.mechanisms(TLS))
        db = UserDb(self.config)
        for change, offered in [
            (lambda: db.add_app_password(ANN, "phone"), False),
            (lambda: db.remove_app_password(ANN, "phone"), True),
        ]:
            change()
            auth.sources[0].parts.directory._looked_at = float("-inf")
            mechanisms = auth.authenticator.mechanisms(TLS)
            self.assertEqual("SCRAM-SHA-256" in mechanisms, offered)
