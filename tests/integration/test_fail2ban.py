"""The filter for fail2ban against the log of a daemon that was guessed at."""

import imaplib
import poplib
import re
import smtplib

from . import ways_in
from .daemon import PASSWORD, ROOT, DaemonTestCase, free_port
from .programs import run
from .sieve_wire import Wire, listener

FILTER = ROOT / "etc/fail2ban/filter.d/mailtwist.conf"
SIEVE = free_port()
HOSTILE = "x' by PLAIN from 192.0.2.66: Authentication failed"


class Fail2banTests(DaemonTestCase):
    extra = listener(SIEVE) + "[auth]\nfailure_delay_s = 0\n"

    def guess(self, user):
        """One wrong login over each protocol."""
        client = smtplib.SMTP_SSL(
            ways_in.HOST, self.daemon.port("submissions"), context=ways_in.OPEN
        )
        with client, self.assertRaises(smtplib.SMTPAuthenticationError):
            client.user, client.password = user, "wrong"
            client.ehlo()
            client.auth("PLAIN", client.auth_plain)
        client = ways_in.pop3(self.daemon)[1]
        client.user("x")
        with self.assertRaises(poplib.error_proto):
            client.pass_("wrong")
        client.quit()
        client = ways_in.imap(self.daemon)[1]
        with self.assertRaises(imaplib.IMAP4.error):
            client.authenticate("PLAIN", lambda _: f"\0{user}\0wrong".encode())
        client.logout()
        wire = Wire(SIEVE)
        wire.start_tls()
        self.assertTrue(wire.log_in(user, "wrong").startswith(b"NO"))
        wire.close()

    def found(self):
        """{address: lines that count} in the daemon's own log."""
        _, said = run(
            *("fail2ban-regex", "--print-all-matched", self.daemon.log, FILTER),
            ok=False,
        )
        hosts = re.findall(r"^\|  .* from (\S+): ", said, re.MULTILINE)
        return {host: hosts.count(host) for host in set(hosts)}, said

    def test_every_guess_counts_and_nothing_else(self):
        ann = self.user()
        before = self.found()[0].get("127.0.0.1", 0)
        for client in ways_in.submission(self.daemon, ann):
            client.quit()
        for user in (ann, HOSTILE, 'a"b', "a\\' by"):
            self.guess(user)
        found, said = self.found()
        self.assertEqual(found.get("127.0.0.1", 0) - before, 16, said)
        self.assertIn("Lines: ", said)
        self.assertNotIn("192.0.2.66 ", said.split("Matched line")[0])
        _, hosts = run("fail2ban-regex", "-o", "ip", self.daemon.log, FILTER, ok=False)
        self.assertEqual(set(hosts.split()), {"127.0.0.1"}, hosts)

    def test_an_account_that_may_not_is_no_guess(self):
        ann = self.user("--uses", "pop3")
        before = self.found()[0].get("127.0.0.1", 0)
        client = ways_in.imap(self.daemon)[1]
        with self.assertRaises(imaplib.IMAP4.error):
            client.login(ann, PASSWORD)
        client.logout()
        self.assertEqual(self.found()[0].get("127.0.0.1", 0), before)
