"""What accounts may, over sockets: protocols, expiry, further passwords, masters,
proxies, and every spelling of a name."""

import imaplib
import poplib
import smtplib
from base64 import b64encode

from mailtwist.directory.hashes_crypt import crypt

from .daemon import PASSWORD, DaemonTestCase
from .ways_in import OPEN
from .world import until

EXPIRED = "2001-01-01"


class AccountTests(DaemonTestCase):
    extra = (
        '[auth]\ndefault_domain = "example.test"\nfailure_delay_s = 0\n'
        "failures_per_network = 100000\n"
        '[restrictions]\ntrusted_proxies = ["127.0.0.1/32"]\n'
        '[[source]]\nkind = "userdb"\n'
        '[[master]]\naccount = "boss@example.test"\ndomains = ["example.test"]\n'
        'protocols = ["pop3", "imap4"]\n'
    )

    def submission(self, user, password=PASSWORD):
        """The reply to AUTH PLAIN."""
        port = self.daemon.port("submissions")
        with smtplib.SMTP_SSL("127.0.0.1", port, context=OPEN) as client:
            client.ehlo()
            plain = b64encode(f"\0{user}\0{password}".encode()).decode()
            code, text = client.docmd("AUTH", f"PLAIN {plain}")
            return f"{code} {text.decode()}"

    def pop3(self, user, password=PASSWORD):
        """The answer to AUTH PLAIN: USER carries what is not ASCII after UTF8 alone."""
        port = self.daemon.port("pop3s")
        client = poplib.POP3_SSL("127.0.0.1", port, context=OPEN)
        try:
            plain = b64encode(f"\0{user}\0{password}".encode()).decode()
            return client._shortcmd(f"AUTH PLAIN {plain}").decode()
        except poplib.error_proto as fault:
            return fault.args[0].decode()
        finally:
            client.close()

    def imap(self, user, password=PASSWORD):
        """The answer to AUTHENTICATE PLAIN."""
        port = self.daemon.port("imaps")
        with imaplib.IMAP4_SSL("127.0.0.1", port, ssl_context=OPEN) as client:
            plain = f"\0{user}\0{password}".encode()
            try:
                kind, [text] = client.authenticate("PLAIN", lambda _: plain)
                return f"{kind} {text.decode()}"
            except client.error as fault:
                return f"NO {fault.args[0]}"

    def assert_said(self, said, wanted, about):
        self.assertTrue(said.startswith(wanted), f"{about}: {said!r}, not {wanted!r}")

    def test_uses_expiry_and_disabled_accounts(self):
        in_ = "235 ", "+OK", "OK"
        not_here = (
            "535 5.7.8 This account may not log in here",
            "-ERR [AUTH] This account may not log in here",
            "NO [CONTACTADMIN]",
        )
        expired = (
            "535 5.7.8 Account or password has expired",
            "-ERR [AUTH] Account or password has expired",
            "NO [EXPIRED]",
        )
        wrong = (
            "535 5.7.8 Authentication failed",
            "-ERR [AUTH] Authentication failed",
            "NO [AUTHENTICATIONFAILED]",
        )
        for options, send, pop3, imap4 in [
            ((), in_, in_, in_),
            (("--uses", "pop3,receive"), not_here, in_, not_here),
            (("--uses", "send"), in_, not_here, not_here),
            (("--uses", "receive"), not_here, not_here, not_here),
            (("--uses", "imap4,send,receive"), in_, not_here, in_),
            (("--login-until", EXPIRED), expired, expired, expired),
            (("--login-until", "2999-01-01"), in_, in_, in_),
            (("--disable",), wrong, wrong, wrong),
        ]:
            user = self.user()
            if options:
                self.daemon.command("user", "set", user, *options)
            self.assert_said(self.submission(user), send[0], options)
            self.assert_said(self.pop3(user), pop3[1], options)
            self.assert_said(self.imap(user), imap4[2], options)
            for ask, said in zip(
                (self.submission, self.pop3, self.imap), wrong, strict=True
            ):
                self.assert_said(ask(user, "wrong"), said, options)

    def test_who_does_not_receive_gets_no_mail(self):
        user = self.user("--uses", "send")
        with smtplib.SMTP("127.0.0.1", self.daemon.port("smtp")) as client:
            client.ehlo()
            client.mail("carol@example.org")
            self.assertEqual(client.rcpt(user)[0], 550)

    def test_application_passwords_are_for_their_protocols_until_revoked(self):
        user = self.user()
        words = ("user", "app-password")
        shown = self.daemon.command(
            *words, "add", user, "phone", "--uses", "imap4,send"
        )
        shown = shown.strip()
        self.assert_said(self.imap(user, shown), "OK", "imap4")
        self.assert_said(self.submission(user, shown.upper()), "235", "submission")
        self.assert_said(self.pop3(user, shown), "-ERR [AUTH]", "pop3")
        self.assert_said(self.pop3(user), "+OK", "its own password")
        until(lambda: "never" not in self.daemon.command(*words, "list", user))
        self.daemon.command(*words, "remove", user, "phone")
        self.assert_said(self.imap(user, shown), "NO [AUTHENTICATIONFAILED]", "revoked")
        log = self.daemon.log.read_text()
        self.assertNotIn(shown, log)
        self.assertIn(f"{user} used the application password phone", log)

    def test_an_imported_password_is_renewed_by_its_first_login(self):
        hashed = crypt(PASSWORD.encode(), b"$6$saltsalt$").decode()
        said = f"imported:{hashed}::::::\n"
        told = self.daemon.command("user", "import", "-", said=said)
        self.assertIn("1 taken, 0 skipped", told)
        words = ("auth", "test", "imported", "--no-password")
        told = self.daemon.command(*words)
        self.assertIn("keys: none", told)
        self.assertIn("offered: source", told)
        self.assert_said(self.imap("imported"), "OK", "sha512-crypt")
        until(lambda: "keys: none" not in self.daemon.command(*words))
        told = self.daemon.command(*words)
        self.assertIn("offered without TLS: SCRAM-SHA-256", told)

    def test_every_spelling_of_a_name(self):
        self.daemon.add_user("jos\u00e9@example.test")
        for name in (
            "jos\u00e9",
            "JOS\u00c9",
            "jose\u0301@example.test",
            "\uff4a\uff4fs\u00e9@EXAMPLE.test",
        ):
            self.assert_said(self.submission(name), "235", name)
            self.assert_said(self.pop3(name), "+OK", name)
            self.assert_said(self.imap(name), "OK", name)
        for name in ("jose", "jos\u00e9@other.test", "jos\u00e9@"):
            self.assert_said(self.imap(name), "NO [AUTHENTICATIONFAILED]", name)

    def test_a_master_logs_in_where_both_may(self):
        self.daemon.add_user("boss")
        user = self.user()
        short = user.partition("@")[0]
        for name in (f"{user}*boss@example.test", f"{user}*boss", f"{short}*BOSS"):
            self.assert_said(self.imap(name), "OK", name)
            self.assert_said(self.pop3(name), "+OK", name)
            self.assert_said(self.submission(name), "535", "not its protocol")
        self.assert_said(self.imap(f"{user}*boss", "x"), "NO", "a wrong password")
        self.assert_said(self.imap("nobody*boss"), "NO", "nobody")
        self.assert_said(self.imap(f"{user}*{user}"), "NO", "no master")
        self.daemon.command("user", "set", user, "--uses", "pop3")
        self.assert_said(self.imap(f"{user}*boss"), "NO [AUTH", "not the user's")
        self.assert_said(self.pop3(f"{user}*boss"), "+OK", "the user's")

    def test_a_proxy_cannot_vouch_for_an_account_that_may_not_send(self):
        may, may_not = self.user(), self.user("--uses", "pop3")
        for user, code in [(may, 220), (may_not, 535)]:
            with smtplib.SMTP("127.0.0.1", self.daemon.port("smtp")) as client:
                client.ehlo()
                self.assertIn("login", client.esmtp_features["xclient"].lower())
                self.assertEqual(client.docmd("XCLIENT", f"LOGIN={user}")[0], code)
