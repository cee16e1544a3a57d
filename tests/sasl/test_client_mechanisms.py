from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.errors import MailError
from mailtwist.sasl.client_mechanisms import (
    MOST_ITERATIONS,
    BadChallenge,
    CramMd5,
    Login,
    Plain,
    Scram,
    XOAuth2,
    conversations,
)
from mailtwist.sasl.cram_md5 import cram_md5
from mailtwist.sasl.plain import plain
from mailtwist.sasl.scram import ScramServer, keys_for
from mailtwist.secret import Secret

USER, PASSWORD = "ann,=@b.test", "pass w\u00f6rd".encode()
MECHANISMS = ("SCRAM-SHA-256", "SCRAM-SHA-1")


def scram(mechanism="SCRAM-SHA-256", password=PASSWORD):
    return Scram(mechanism, USER, Secret(password), b"client")


class PasswordTests(SynchronousTestCase):
    def test_plain_is_what_our_server_reads(self):
        proof = plain(Plain(USER, Secret(PASSWORD)).initial)
        self.assertEqual(proof.username, USER)
        self.assertEqual(proof.password.reveal(), PASSWORD)

    def test_login_answers_two_prompts_whatever_they_say(self):
        made = Login(USER, Secret(PASSWORD))
        self.assertEqual(made.respond(b"Username:"), USER.encode())
        self.assertEqual(made.respond(b"Contrase\xf1a"), PASSWORD)
        self.assertRaises(BadChallenge, made.respond, b"More:")

    def test_cram_md5_is_what_our_server_reads(self):
        response = CramMd5("tim", Secret(b"tanstaaftanstaaf")).respond(
            b"<1896.697170952@postoffice.reston.mci.net>"
        )  # RFC 2195 §2
        self.assertEqual(response, b"tim b913a602c7eda7a495b4e6e7334d3890")
        self.assertEqual(cram_md5(b"", response).username, "tim")

    def test_nothing_shows_a_password(self):
        secret = Secret(b"s3cret")
        for made in (Plain("a", secret), CramMd5("a", secret), XOAuth2("a", secret)):
            self.assertNotIn("s3cret", repr(made))


class ScramTests(SynchronousTestCase):
    def test_both_sides_agree(self):
        for mechanism in MECHANISMS:
            client, server = scram(mechanism), ScramServer(mechanism, b"server")
            self.assertEqual(server.client_first(client.initial), USER)
            keys = keys_for(mechanism, PASSWORD, b"salt", 4096)
            final = server.client_final(client.respond(server.server_first(keys)))
            self.assertRaises(BadChallenge, client.done)  # nothing proved yet
            self.assertEqual(client.respond(final), b"")
            client.done()

    def test_the_example_of_the_standard(self):  # RFC 7677 §3
        client = Scram(
            "SCRAM-SHA-256", "user", Secret(b"pencil"), b"rOprNGfwEbeRWgbNEkqO"
        )
        self.assertEqual(client.initial, b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO")
        nonce = b"rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
        first = b"r=" + nonce + b",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
        self.assertEqual(
            client.respond(first),
            b"c=biws,r=" + nonce + b",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
        )
        client.respond(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")
        client.done()

    def test_a_server_that_breaks_the_rules_gets_no_proof(self):
        for first, why in (
            (b"r=other,s=c2FsdA==,i=4096", "not our nonce"),
            (b"r=client,s=c2FsdA==,i=4096", "nothing of its own"),
            (b"r=clientx,s=!!,i=4096", "no base64"),
            (b"r=clientx,s=c2FsdA==,i=0", "no work"),
            (b"r=clientx,s=c2FsdA==,i=%d" % (MOST_ITERATIONS + 1), "too much work"),
            (b"m=x,r=clientx,s=c2FsdA==,i=4096", "an extension that must be known"),
            (b"", "nothing"),
        ):
            self.assertRaises(MailError, scram().respond, first)
            self.assertIsInstance(why, str)

    def test_a_server_that_does_not_know_the_password_is_found_out(self):
        client, server = scram(), ScramServer("SCRAM-SHA-256", b"server")
        server.client_first(client.initial)
        keys = keys_for("SCRAM-SHA-256", PASSWORD, b"salt", 4096)
        client.respond(server.server_first(keys))
        for final in (b"v=AAAA", b"e=invalid-proof", b""):
            self.assertRaises(MailError, client.respond, final)
        self.assertRaises(BadChallenge, client.done)

    @given(st.binary(max_size=60))
    @settings(max_examples=200)
    def test_any_challenge_is_answered_or_a_fault(self, challenge):
        for made in (
            scram(),
            Login("a", Secret(b"b")),
            CramMd5("a", Secret(b"b")),
            XOAuth2("a", Secret(b"b")),
            Plain("a", Secret(b"b")),
        ):
            try:
                made.respond(challenge)
            except MailError:
                continue


class ChoiceTests(SynchronousTestCase):
    def test_the_strongest_first_and_none_in_clear(self):
        offered = ("LOGIN", "PLAIN", "CRAM-MD5", "SCRAM-SHA-1", "GSSAPI")
        for secure, names in (
            (True, ["SCRAM-SHA-1", "CRAM-MD5", "PLAIN", "LOGIN"]),
            (False, ["SCRAM-SHA-1", "CRAM-MD5"]),
        ):
            found = conversations(offered, "a", Secret(b"b"), b"nonce", secure=secure)
            self.assertEqual([name for name, _ in found], names)

    def test_xoauth2(self):
        made = XOAuth2("a@b.test", Secret(b"token"))
        self.assertEqual(made.initial, b"user=a@b.test\1auth=Bearer token\1\1")
        self.assertEqual(made.respond(b'{"status":"401","schemes":"Bearer"}'), b"")
        self.assertEqual(made.refused, "401")
