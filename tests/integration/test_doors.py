"""Listeners that ask different sources, and what each offers."""

import imaplib
import poplib
from pathlib import Path

from .daemon import PASSWORD, DaemonTestCase, free_port
from .ways_in import HOST, OPEN, deliver, imap, pop3

BOB = "bob@example.test"
EXTRA = """
[[source]]
kind = "userdb"
[[source]]
kind = "passwd_file"
path = "{users}"
listeners = ["inside", "inside-pop"]
[[listener]]
name = "inside"
protocol = "imap4"
tls = "implicit"
endpoint = "tcp:{inside}:interface=127.0.0.1"
[[listener]]
name = "inside-pop"
protocol = "pop3"
tls = "implicit"
endpoint = "tcp:{inside_pop}:interface=127.0.0.1"
[auth]
failure_delay_s = 0
"""


class DoorsTests(DaemonTestCase):
    """Bob is in a file that only two listeners ask."""

    def setUp(self):
        kind = type(self)
        if kind not in self._daemons:
            kind.inside, kind.inside_pop = free_port(), free_port()
            kind.users = Path(self.mktemp()).absolute()
            kind.users.write_text(f"{BOB}:{{PLAIN}}{PASSWORD}::::::\n")
            kind.extra = EXTRA.format(
                users=kind.users, inside=kind.inside, inside_pop=kind.inside_pop
            )
        super().setUp()

    def clients(self):
        """IMAP clients: at the listener without a name, and inside."""
        inside = imaplib.IMAP4_SSL(HOST, self.inside, ssl_context=OPEN)
        outside = imap(self.daemon)[1]
        for client in (inside, outside):
            self.addCleanup(client.shutdown)
        return outside, inside

    def test_a_source_is_asked_at_its_listeners_alone(self):
        ann = self.user()
        outside, inside = self.clients()
        with self.assertRaisesRegex(imaplib.IMAP4.error, "AUTHENTICATIONFAILED"):
            outside.login(BOB, PASSWORD)
        inside.login(BOB, PASSWORD)
        for client in self.clients():
            client.login(ann, PASSWORD)
        client = poplib.POP3_SSL(HOST, self.inside_pop, context=OPEN)
        client.user(BOB)
        client.pass_(PASSWORD)
        client.quit()
        client = pop3(self.daemon)[1]
        client.user(BOB)
        self.assertRaisesRegex(poplib.error_proto, "AUTH", client.pass_, PASSWORD)
        client.close()

    def test_SCRAM_is_offered_where_all_sources_that_are_asked_have_keys(self):
        self.user()
        outside, inside = self.clients()
        self.assertIn("AUTH=SCRAM-SHA-256", outside.capabilities)
        self.assertNotIn("AUTH=SCRAM-SHA-256", inside.capabilities)
        self.assertIn("AUTH=PLAIN", inside.capabilities)
        typ, _ = inside._simple_command("AUTHENTICATE", "SCRAM-SHA-256")
        self.assertEqual(typ, "NO")
        inside = poplib.POP3_SSL(HOST, self.inside_pop, context=OPEN)
        outside = pop3(self.daemon)[1]
        self.assertIn("SCRAM-SHA-256", outside.capa()["SASL"])
        self.assertNotIn("SCRAM-SHA-256", inside.capa()["SASL"])
        for client in (inside, outside):
            client.quit()

    def test_mail_for_its_accounts_comes_in_anyway(self):
        deliver(self.daemon, BOB, b"Subject: in\r\n\r\nHi\r\n")
        inside = self.clients()[1]
        inside.login(BOB, PASSWORD)
        self.assertEqual(inside.select("INBOX"), ("OK", [b"1"]))
