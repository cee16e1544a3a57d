"""Tests for SCRAM where some accounts of the user database have keys and some not."""

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import TestCase

from mailtwist.address import Address
from mailtwist.directory.hashes import Hashes
from mailtwist.directory.user_rows import Imported
from mailtwist.directory.userdb import UserDb
from mailtwist.errors import AuthFailed
from mailtwist.secret import Secret

from .rooms import CLEAR, PASSWORD, TLS, added, built, configured
from .test_login import scram

ANN, BOB = "ann@example.test", "bob@example.test"


class SomeKeysTests(TestCase):
    def setUp(self):
        self.folder = self.mktemp()
        self.config = configured(self.folder)
        db = UserDb(self.config)
        self.addCleanup(db.close)
        hashed = f"{{ARGON2ID}}{Hashes(self.config.auth).made(PASSWORD)}"
        account = db.account_of(Address.parse(BOB))
        db.import_accounts([Imported(account, hashed)])
        self.db = db

    def offered(self, **options):
        auth = built(self, configured(self.folder, **options), reactor)
        return "SCRAM-SHA-256" in auth.authenticator.mechanisms(CLEAR)

    def test_an_imported_account_does_not_take_SCRAM_from_the_others(self):
        self.assertFalse(self.offered(), "nobody has keys")
        added(self.config, ANN)
        self.assertTrue(self.offered())
        self.assertFalse(self.offered(scram_waits=True))
        self.db.add_app_password(ANN, "phone")
        self.assertTrue(self.offered())

    async def test_an_account_without_keys_fails_like_nobody_and_the_log_says_why(self):
        added(self.config, ANN)
        door = built(self, self.config, reactor).authenticator
        told = []
        for user in (BOB, "nobody@example.test"):
            first, rest = scram(PASSWORD.decode(), user=user)
            login = door.login_sasl("SCRAM-SHA-256", first, rest, CLEAR)
            fault = await self.assertFailure(Deferred.fromCoroutine(login), AuthFailed)
            told.append(fault.public)
        self.assertEqual(told[0], told[1])
        first, rest = scram(PASSWORD.decode(), user=ANN)
        await door.login_sasl("SCRAM-SHA-256", first, rest, CLEAR)
        await door.login_password(BOB, Secret(PASSWORD), TLS)

    async def test_the_log_tells_who_has_no_keys(self):
        checker = built(self, self.config, reactor).sources[0].parts.checker
        with capturedLogs() as events:
            for user in (BOB, "nobody@example.test"):
                self.assertIsNone(await checker.scram_keys(user, "SCRAM-SHA-256"))
        told = [formatEvent(event) for event in events]
        said = [text for text in told if "keys for SCRAM-SHA-256" in text]
        self.assertEqual(len(said), 1)
        self.assertIn(f"{BOB} has no keys", said[0])
