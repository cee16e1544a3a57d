from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from mailtwist import errors as e
from mailtwist.pop3.capability import CAPABILITIES, Circumstances, told
from mailtwist.pop3.response import MOST_LINE, Reply, err_for


class ErrTests(SynchronousTestCase):
    def test_codes(self):
        for fault, want in (
            (e.AuthFailed(), b"-ERR [AUTH] Authentication failed\r\n"),
            (e.EncryptionNeeded(), b"-ERR [AUTH] Use TLS first\r\n"),
            (e.AuthUnavailable(), b"-ERR [SYS/TEMP] "),
            (e.AuthThrottled(), b"-ERR [SYS/TEMP] "),
            (e.MailboxInUse(), b"-ERR [IN-USE] "),
            (e.LoginTooSoon(), b"-ERR [LOGIN-DELAY] "),
            (e.NotPermitted(), b"-ERR [SYS/PERM] "),
            (e.NoSuchMailbox(), b"-ERR [SYS/PERM] "),
            (e.StorageFull(), b"-ERR [SYS/TEMP] "),
            (e.MailError(), b"-ERR [SYS/TEMP] Internal error, try again later\r\n"),
            (e.NoSuchMessage(), b"-ERR No such message\r\n"),
            (e.MessageGone(), b"-ERR Message is gone\r\n"),
            (e.UnknownCommand(), b"-ERR Command not recognized\r\n"),
            (e.SyntaxFault("argument", 5), b"-ERR Expected argument at octet 5\r\n"),
            (e.SaslCancelled(), b"-ERR Authentication cancelled\r\n"),
        ):
            self.assertTrue(err_for(fault).encode().startswith(want), fault)

    def test_a_line_is_never_longer_than_the_RFC_has_it(self):
        octets = Reply(False, "x" * 2000, "SYS/TEMP").encode()
        self.assertEqual(len(octets), MOST_LINE + 2)
        self.assertTrue(octets.endswith(b"\r\n"))


CLEAR = Circumstances(
    logged_in=False,
    tls_possible=True,
    plaintext=False,
    mechanisms=("SCRAM-SHA-256",),
    expire="NEVER",
    login_delay_s=0,
)


class CapabilityTests(SynchronousTestCase):
    def test_in_clear(self):
        self.assertEqual(
            told(CLEAR),
            [
                b"TOP",
                b"UIDL",
                b"RESP-CODES",
                b"PIPELINING",
                b"AUTH-RESP-CODE",
                b"SASL SCRAM-SHA-256",
                b"STLS",
                b"UTF8 USER",
                b"LANG",
                b"EXPIRE NEVER",
                b"IMPLEMENTATION mailtwist",
            ],
        )

    def test_conditions(self):
        for changed, there, absent, why in (
            ({"tls_possible": False}, [], [b"STLS"], "under TLS or not offered"),
            ({"logged_in": True}, [], [b"STLS"], "only before login"),
            ({"plaintext": True}, [b"USER"], [], "passwords are safe here"),
            ({"mechanisms": ()}, [], [b"SASL"], "no mechanism"),
            ({"login_delay_s": 60}, [b"LOGIN-DELAY 60"], [], "as configured"),
            ({"expire": "30"}, [b"EXPIRE 30"], [b"EXPIRE NEVER"], "as configured"),
        ):
            now = evolve(CLEAR, **changed)
            rows = told(now)
            for row in there:
                self.assertIn(row, rows, why)
            for row in absent:
                self.assertNotIn(row, [r.split(b" ")[0] for r in rows] + rows, why)

    def test_each_names_its_RFC(self):
        for capability in CAPABILITIES:
            self.assertRegex(capability.rfc, r"\ARFC \d{4} §[\d.]+\Z")
            self.assertTrue(capability.help.endswith("."))
            self.assertTrue(capability.when)
