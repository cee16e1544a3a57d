"""Tests for mailtwist.auth.checkers.kerberos; tickets are in tests.integration."""

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from mailtwist.auth.checkers.kerberos import Kerberos
from mailtwist.config.vouching import Gssapi
from mailtwist.errors import AuthUnavailable

from .rooms import TLS
from .test_login import answering

REALMS = ("EXAMPLE.TEST", "OTHER.TEST")


class KerberosTests(TestCase):
    def made(self, **options):
        config = Gssapi(keytab=self.mktemp(), realms=REALMS, **options)
        kerberos = Kerberos(reactor, config)
        self.addCleanup(kerberos.stop)
        return kerberos

    async def test_a_keytab_that_cannot_be_read_refuses_nobody(self):
        begun = self.made().credentials(b"x", answering(), TLS)
        await self.assertFailure(Deferred.fromCoroutine(begun), AuthUnavailable)

    def test_whose_account_a_principal_is(self):
        for principal, options, accounts in [
            ("ann@EXAMPLE.TEST", {}, ("ann@example.test",)),
            ("ann@EXAMPLE.TEST", {"domain": "mail.test"}, ("ann@mail.test",)),
            ("ann@OTHER.TEST", {}, ("ann@other.test",)),
            ("ann@EVIL.TEST", {}, ()),
            ("ann@example.test", {}, ()),  # realms are told apart by case
            ("ann/admin@EXAMPLE.TEST", {}, ()),
            ("ann\\@x@EXAMPLE.TEST", {}, ()),
            ("ann", {}, ()),
        ]:
            with self.subTest(principal):
                made = self.made(**options)
                self.assertEqual(made.accounts(principal), accounts)
