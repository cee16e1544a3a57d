"""A real Mailman 3: posts go to it over LMTP, and come back out to the members."""

import os
import re
import smtplib

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.daemon import Daemon
from tests.integration.mailman import DOMAIN, Mailman
from tests.integration.ways_in import messages
from tests.integration.world import until

LIST = f"ant@{DOMAIN}"


class MailmanTests(SynchronousTestCase):
    timeout = 300

    def setUp(self):
        self.assertEqual(os.geteuid(), 0, "only root can run it as the user list")
        self.daemon = Daemon()
        self.addCleanup(self.daemon.remove)
        self.mailman = Mailman(self.daemon.port("smtp"))
        self.addCleanup(self.mailman.remove)
        tables, top = self.mailman.toml
        text = self.daemon.config.read_text()
        self.daemon.config.write_text(f"{top}\n{text}\n{tables}")
        self.mailman.command("create", "-d", LIST)
        self.mailman.start()
        self.daemon.start()
        self.addCleanup(self.daemon.stop)
        self.ann, self.bob = self.daemon.add_user("ann"), self.daemon.add_user("bob")

    def send(self, sender, to, subject="hello", body="words"):
        letter = (
            f"From: {sender}\r\nTo: {to}\r\nSubject: {subject}\r\n"
            f"Message-ID: <{os.urandom(8).hex()}@example.test>\r\n"
            "Date: Thu, 1 Jan 2026 12:00:00 +0000\r\n\r\n"
            f"{body}\r\n"
        )
        with smtplib.SMTP("127.0.0.1", self.daemon.port("smtp")) as client:
            client.sendmail(sender, [to], letter)

    def told(self):
        """What both say of it."""
        lines = self.daemon.log.read_text().splitlines()
        ours = [line for line in lines if " pop3 " not in line]
        return "\n".join(ours[-40:]) + self.mailman.logs()

    def waits_for(self, user, words):
        """The message with these words, once it is there."""

        def found():
            held = messages(self.daemon, user)
            return [each for each in held if words in each]

        told = until(
            found,
            self.told,
            wait_s=90,
        )
        return told[0]

    def test_a_list_from_the_first_subscription_to_the_last_bounce(self):
        # Subscribed by mail, and by the administrator.
        self.send(self.bob, f"ant-join@{DOMAIN}", "subscribe")
        asked = self.waits_for(self.bob, b"ant-confirm+")
        confirm = re.search(rb"ant-confirm\+\w+@[\w.]+", asked)[0].decode()
        self.send(self.bob, confirm, "Re: confirm")
        self.waits_for(self.bob, b"Welcome to the")
        self.mailman.command("addmembers", "-", LIST, said=f"{self.ann}\n")

        # A post goes to all members, and comes back with the fields of a list.
        self.send(self.ann, LIST, "first post")
        got = self.waits_for(self.bob, b"[Ant] first post")
        self.assertIn(b"List-Id:", got)
        self.assertIn(b"<ant.lists.example.test>", got)
        self.assertRegex(got, rb"Return-Path: <ant-bounces(\+[^>]*)?@lists")
        self.waits_for(self.ann, b"[Ant] first post")

        # What is no list is refused at once; what needs approval is held.
        with smtplib.SMTP("127.0.0.1", self.daemon.port("smtp")) as client:
            client.ehlo()
            client.mail(self.ann)
            self.assertEqual(client.rcpt(f"bee@{DOMAIN}")[0], 550)
            self.assertEqual(client.rcpt(f"ant-owner@{DOMAIN}")[0], 250)
            verp = f"ant-bounces+bob=example.test@{DOMAIN}"
            self.assertEqual(client.rcpt(verp)[0], 250)
        self.daemon.add_user("eve")
        self.send("eve@example.test", LIST, "from a stranger")
        self.waits_for("eve@example.test", b"awaits moderator approval")

        # A new list takes mail without a restart.
        self.mailman.command("create", "-d", f"bee@{DOMAIN}")
        self.mailman.command("addmembers", "-", f"bee@{DOMAIN}", said=f"{self.bob}\n")
        until(lambda: self.taken(f"bee@{DOMAIN}"), self.daemon.log.read_text)

        # Unsubscribed by mail.
        self.send(self.bob, f"ant-leave@{DOMAIN}", "unsubscribe")
        asked = self.waits_for(self.bob, b"to unsubscribe")
        confirm = re.search(rb"ant-confirm\+\w+@[\w.]+", asked)[0].decode()
        self.send(self.bob, confirm, "Re: confirm")
        self.waits_for(self.bob, b"You have been unsubscribed")
        self.assertEqual(self.mailman.command("members", LIST).split(), [self.ann])

    def taken(self, address):
        with smtplib.SMTP("127.0.0.1", self.daemon.port("smtp")) as client:
            client.ehlo()
            client.mail(self.bob)
            return client.rcpt(address)[0] == 250
