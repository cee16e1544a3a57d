"""Who may send as whom, asked with smtplib, swaks and mutt."""

import smtplib

from tests.integration import ways_in
from tests.integration.daemon import DOMAIN, PASSWORD, DaemonTestCase
from tests.integration.programs import message, run

SENDING = f"""
[[domain]]
name = "press.test"
accounts = false
senders = ["$press"]

[alias]
virtual = ["virtual"]

[smtp]
sender_logins = ["logins"]

[[table]]
name = "virtual"
kind = "inline"
entries = ["sales@{DOMAIN} one@{DOMAIN}", "all@{DOMAIN} one@{DOMAIN}, two@{DOMAIN}"]

[[table]]
name = "logins"
kind = "inline"
entries = ["boss@else.test two@{DOMAIN}"]
"""
ONE, TWO, PRESS = f"one@{DOMAIN}", f"two@{DOMAIN}", f"press@{DOMAIN}"


class SendingTests(DaemonTestCase):
    extra = SENDING

    def setUp(self):
        super().setUp()
        there = self.daemon.command("user", "list")
        for name, *options in (ONE,), (TWO,), (PRESS, "--groups=press"):
            if name not in there:
                self.daemon.add_user(name, *options)
        self.reader = self.user()

    def told(self, login, author, sender=None, **fields):
        """The status of the reply to a message of a login."""
        octets = message("As", self.reader, sender=author, **fields)
        statuses = set()
        for client in ways_in.submission(self.daemon, login):
            with client:
                try:
                    client.sendmail(sender or author, [self.reader], octets)
                    statuses.add("250")
                except smtplib.SMTPDataError as fault:
                    statuses.add(f"at the end {fault.smtp_code}")
                except smtplib.SMTPSenderRefused as fault:
                    statuses.add(f"at MAIL {fault.smtp_code}")
        (status,) = statuses
        return status

    def test_each_place_lets_whom_it_names_send(self):
        for login, author, status, why in [
            (ONE, ONE, "250", "its own"),
            (ONE, f"one+x@{DOMAIN}", "250", "a subaddress"),
            (ONE, f"sales@{DOMAIN}", "250", "an alias of it alone"),
            (TWO, f"sales@{DOMAIN}", "at MAIL 550", "an alias of another"),
            (ONE, f"all@{DOMAIN}", "at MAIL 550", "an alias of several"),
            (TWO, "boss@else.test", "250", "by a table"),
            (ONE, "boss@else.test", "at MAIL 550", "not by that table"),
            (PRESS, "news@press.test", "250", "by its domain"),
            (ONE, "news@press.test", "at MAIL 550", "not in that group"),
        ]:
            self.assertEqual(self.told(login, author), status, why)

    def test_the_author_is_asked_about_as_the_sender_is(self):
        refused = "at the end 550"
        for login, author, sender, more, status, why in [
            (ONE, TWO, ONE, {}, refused, "forged"),
            (TWO, "Boss <boss@else.test>", TWO, {}, "250", "by a table"),
            (ONE, f"Sales <sales@{DOMAIN}>", ONE, {}, "250", "an alias"),
            (ONE, ONE, ONE, {"Sender": TWO}, refused, "a forged Sender"),
            (ONE, f"{ONE}, {TWO}", ONE, {"Sender": ONE}, refused, "one of two"),
            (ONE, TWO, ONE, {"Resent-From": ONE}, "250", "sent on"),
            (ONE, TWO, ONE, {"Resent-From": TWO}, refused, "sent on by another"),
        ]:
            self.assertEqual(self.told(login, author, sender, **more), status, why)

    def test_swaks_is_told_why(self):
        status, text = run(
            *("swaks", "-s", "127.0.0.1", "-p", self.daemon.port("submission")),
            *("-tls", "-a", "PLAIN", "-au", ONE, "-ap", PASSWORD, "--from", ONE),
            *("--h-From", f"{TWO} <{ONE}>", "--to", self.reader),
            ok=False,
        )
        self.assertNotEqual(status, 0)
        self.assertIn("554 5.6.0 From: ", text)

    def test_what_a_mailing_list_gets_is_as_it_was_written(self):
        """Nothing is added to what its author sends."""
        sent = message("To the list", self.reader, sender=f"One <{ONE}>")
        sent = b"Date: Thu, 1 Jan 2026 00:00:00 +0000\r\nMessage-ID: <1@x>\r\n" + sent
        with ways_in.submission(self.daemon, ONE)[0] as client:
            client.sendmail(ONE, [self.reader], sent)
        (got,) = ways_in.messages(self.daemon, self.reader)
        self.assertTrue(got.endswith(sent))
        self.assertNotIn(b"Sender:", got)
