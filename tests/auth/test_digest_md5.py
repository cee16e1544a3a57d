"""Logging in by DIGEST-MD5, where that is switched on."""

from mailtwist.errors import AuthFailed, SaslCancelled, SyntaxFault, UnknownMechanism
from tests.sasl.digest_client import answer

from .rooms import CLEAR, PASSWORD, TLS, added
from .test_login import ANN, RoomTestCase, answering


def digest(user, password=PASSWORD, end=b"", uri="smtp/mx.example.test"):
    """A conversation of a client that says `end` to the server's own proof."""

    def first(challenge):
        return answer(challenge, user, password.decode(), uri)

    return answering(first, end)


class OffTests(RoomTestCase):
    async def test_it_is_off_unless_configured(self):
        self.assertNotIn("DIGEST-MD5", self.door.mechanisms(TLS))
        login = self.door.login_sasl("DIGEST-MD5", None, digest(ANN), TLS)
        await self.refused(UnknownMechanism, login)


class DigestMd5Tests(RoomTestCase):
    options = {"digest_md5": True}

    def login(self, converse, peer=CLEAR):
        return self.door.login_sasl("DIGEST-MD5", None, converse, peer)

    async def test_it_logs_in_an_account_that_keeps_its_secret(self):
        self.assertIn("DIGEST-MD5", self.door.mechanisms(CLEAR))
        converse = digest(ANN)
        done = await self.login(converse)
        self.assertEqual((done.name, done.mechanism), (ANN, "DIGEST-MD5"))
        self.assertRegex(converse.asked[1], rb"rspauth=[0-9a-f]{32}")

    async def test_names_of_services_are_those_of_the_RFC(self):
        for protocol, uri in [
            ("submission", "smtp/x"),
            ("pop3", "pop/x"),
            ("imap4", "imap/x"),
        ]:
            peer = type(TLS)("192.0.2.1", True, "s", protocol)
            await self.login(digest(ANN, uri=uri), peer)

    async def test_wrong_ones_are_told_nothing(self):
        added(self.config, "bob@example.test")
        for user, password in [
            (ANN, b"wrong"),
            ("bob@example.test", PASSWORD),  # keeps no secret
            ("nobody@example.test", PASSWORD),
        ]:
            converse = digest(user, password)
            await self.refused(AuthFailed, self.login(converse))
            self.assertEqual(len(converse.asked), 1, user)

    async def test_a_client_that_does_not_agree_is_logged_out(self):
        for end, fault in [(b"x", SyntaxFault), (SaslCancelled(), SaslCancelled)]:
            await self.refused(fault, self.login(digest(ANN, end=end)))

    async def test_it_takes_no_initial_response(self):
        login = self.door.login_sasl("DIGEST-MD5", b"", digest(ANN), TLS)
        await self.refused(SyntaxFault, login)
