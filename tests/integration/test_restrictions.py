"""Each restriction over the wire: what a client says, and the reply it gets."""

import atexit
import contextlib
import shutil
import smtplib
import socket
import tempfile
from pathlib import Path

from tests.integration import ways_in
from tests.integration.daemon import PASSWORD, DaemonTestCase
from tests.integration.programs import message
from tests.integration.world import Dns

NAMED, MISNAMED, NAMELESS = "127.0.0.1", "127.0.0.8", "127.0.0.9"
TRUSTED, ALSO_TRUSTED = "127.0.0.7", "127.0.0.6"
HELO, SENDER = "mx.client.test", "carol@client.test"
ZONE = {
    "PTR 1.0.0.127.in-addr.arpa": ["mx.client.test"],
    "PTR 8.0.0.127.in-addr.arpa": ["liar.client.test"],
    "A mx.client.test": [NAMED],
    "A liar.client.test": ["192.0.2.1"],
    "MX client.test": [[10, "mx.client.test"]],
    "MX silent.test": [[0, ""]],
    "MX mute.test": [[0, ""]],
}
FOLDER = Path(tempfile.mkdtemp(prefix="mailtwist-zone-"))
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)
DNS = Dns(FOLDER)
atexit.register(DNS.stop)
DNS.set(ZONE)


def table(name, *entries):
    listed = ", ".join(f'"{entry}"' for entry in entries)
    return f'[[table]]\nname = "{name}"\nkind = "inline"\nentries = [{listed}]\n'


class RestrictionsTestCase(DaemonTestCase):
    workers = 2

    @contextlib.contextmanager
    def client(self, source=NAMED, helo=HELO, verb="EHLO", user=""):
        """A client at an address; logged in on the submission port if a `user`."""
        port = self.daemon.port("submission" if user else "smtp")
        with smtplib.SMTP("127.0.0.1", port, source_address=(source, 0)) as client:
            if user:
                client.starttls(context=ways_in.OPEN)
            client.docmd(verb, helo)
            if user:
                client.user, client.password = user, PASSWORD
                client.auth("PLAIN", client.auth_plain)
            yield client

    def reply(self, recipient, sender=SENDER, **more):
        """To RCPT."""
        with self.client(**more) as client:
            self.say(client, f"MAIL FROM:<{sender}>", 250)
            return self.told(client, f"RCPT TO:<{recipient}>")

    def told(self, client, line):
        code, text = client.docmd(line)
        return f"{code} {text.decode()}"

    def say(self, client, line, code):
        self.assertEqual(self.told(client, line)[:3], str(code), line)

    def send(self, client, recipient):
        """A whole message that is taken."""
        self.say(client, f"MAIL FROM:<{SENDER}>", 250)
        self.say(client, f"RCPT TO:<{recipient}>", 250)
        self.say(client, "DATA", 354)
        client.send(message() + b".\r\n")
        self.assertEqual(client.getreply()[0], 250)


class WordTests(RestrictionsTestCase):
    """Everything that can be wrong is asked for, so each client is wrong in one way."""

    top = f'trusted_networks = ["{TRUSTED}/32"]\n'
    extra = f"""
[dns]
servers = ["{DNS.address}"]
[restrictions]
client = ["permit_mynetworks", "permit_sasl_authenticated",
    "reject_unknown_client_hostname"]
helo = ["permit_mynetworks", "permit_sasl_authenticated",
    "reject_invalid_helo_hostname", "reject_non_fqdn_helo_hostname",
    "reject_unknown_helo_hostname"]
sender = ["reject_non_fqdn_sender", "reject_unknown_sender_domain",
    "reject_unlisted_sender", "reject_sender_login_mismatch"]
recipient = ["reject_non_fqdn_recipient", "reject_unknown_recipient_domain"]
data = ["reject_unauth_pipelining"]
[[relay_domain]]
name = "gone.test"
[[relay_domain]]
name = "mute.test"
"""

    def test_who_keeps_to_everything_is_let_through(self):
        ann = self.user()
        with self.client() as client:
            self.send(client, ann)
        self.assertEqual(len(ways_in.messages(self.daemon, ann)), 1)

    def test_clients(self):
        ann = self.user()
        no_name = "550 5.7.25 Client host rejected: cannot find your hostname"
        for source, told in (
            (NAMELESS, no_name),
            (MISNAMED, no_name),  # its name leads elsewhere
            (TRUSTED, "250 2.1.5"),
        ):
            self.assertIn(told, self.reply(ann, source=source), source)

    def test_HELO(self):
        ann = self.user()
        for helo, told in (
            ("a..b", "501 5.5.2 Helo command rejected: invalid name"),
            ("[300.0.0.1]", "501 5.5.2 Helo command rejected: invalid name"),
            ("laptop", "501 5.5.2 Helo command rejected: need a fully-qualified"),
            ("nowhere.test", "550 5.7.1 Helo command rejected: host not found"),
            ("[127.0.0.1]", "250 2.1.5"),
            ("client.test", "250 2.1.5"),  # an MX is enough
        ):
            for verb in ("EHLO", "HELO"):
                self.assertIn(told, self.reply(ann, helo=helo, verb=verb), helo)
        self.assertIn("250 2.1.5", self.reply(ann, source=TRUSTED, helo="laptop"))

    def test_HELO_must_be_said(self):
        with smtplib.SMTP("127.0.0.1", self.daemon.port("smtp")) as client:
            self.assertIn("503 5.5.1", self.told(client, f"MAIL FROM:<{SENDER}>"))

    def test_senders(self):
        ann, bob = self.user(), self.user()
        for sender, told in (
            ("carol@laptop", "501 5.5.2 Sender address rejected: need a fully"),
            ("c@nowhere.test", "550 5.1.8 Sender address rejected: domain not found"),
            ("c@silent.test", "550 5.7.27 Sender address rejected: its domain takes"),
            ("no@example.test", "550 5.1.0 Sender address rejected: no such user"),
            (bob, "550 5.7.1 Sender address rejected: log in to use it"),
            ("", "250 2.1.5"),  # reports
            ("c@mx.client.test", "250 2.1.5"),  # an address is enough
        ):
            self.assertIn(told, self.reply(ann, sender=sender), sender)

    def test_who_is_logged_in_has_his_own_address_and_no_other(self):
        ann, bob = self.user(), self.user()
        self.assertIn("250 2.1.5", self.reply(bob, ann, user=ann, helo="laptop"))
        with self.client(user=ann) as client:
            told = self.told(client, f"MAIL FROM:<{bob}>")
            self.assertEqual(told[:9], "550 5.7.1", told)

    def test_recipients(self):
        ann = self.user()
        for recipient, told in (
            ("a@laptop", "501 5.5.2 Recipient address rejected: need a fully"),
            ("a@nowhere.test", "550 5.1.2 Recipient address rejected: domain not"),
            ("a@silent.test", "550 5.1.10 Recipient address rejected: its domain"),
            ("a@client.test", "250 2.1.5"),
        ):
            self.assertIn(told, self.reply(recipient, ann, user=ann), recipient)
        for recipient, told in (  # of strangers
            ("a@gone.test", "550 5.1.2 Recipient address rejected: domain not"),
            ("a@mute.test", "550 5.1.10 Recipient address rejected: its domain"),
            ("a@client.test", "5.7.1"),  # no relay
            ("no@example.test", "550 5.1.1"),
        ):
            self.assertIn(told, self.reply(recipient), recipient)

    def raw(self, *writes):
        """The codes of everything that is said to a client that waits for a line
        between its `writes`."""
        with socket.create_connection(("127.0.0.1", self.daemon.port("smtp"))) as link:
            lines = link.makefile("rb")
            lines.readline()
            for octets in writes:
                link.sendall(octets)
                if octets is not writes[-1]:
                    lines.readline()
            return [line[:9].decode() for line in lines if line[3:4] == b" "]

    def test_pipelining_before_its_time(self):
        ann = self.user()
        mail = f"MAIL FROM:<{SENDER}>\r\nRCPT TO:<{ann}>\r\n".encode()
        body = b"DATA\r\nSubject: x\r\n\r\nx\r\n.\r\nQUIT\r\n"
        codes = self.raw(b"HELO %s\r\n" % HELO.encode(), mail + body)
        self.assertIn("554 5.5.0", codes)
        hello = b"EHLO %s\r\n" % HELO.encode()
        self.assertIn("554 5.5.0", self.raw(hello + mail + body))  # before EHLO's
        self.assertEqual(ways_in.messages(self.daemon, ann), [])


class AccessTests(RestrictionsTestCase):
    extra = (
        '[restrictions]\nclient = ["check_client_access clients"]\n'
        'helo = ["check_helo_access names"]\n'
        'sender = ["check_sender_access senders"]\n'
        'recipient = ["check_recipient_access recipients"]\n'
        'data = ["reject_plaintext_session"]\n'
        '[[restriction_class]]\nname = "strict"\n'
        'checks = ["reject_non_fqdn_helo_hostname", "defer"]\n'
        + table("clients", "127.0.0.40 REJECT 5.7.1 that address", "127.0.0.41 421")
        + table("names", "bad.test REJECT that name", "strict.test strict")
        + table("senders", "spam.test 553 that domain", "ok@spam.test OK")
        + table("recipients", "shy@ DEFER later", "<> REJECT")
    )

    def test_access_tables(self):
        ann, shy = self.user(), self.daemon.add_user("shy")
        for said, told in (
            ({"source": "127.0.0.40"}, "550 5.7.1 that address"),
            ({"source": "127.0.0.41"}, "421 4.7.1"),
            ({"helo": "bad.test"}, "550 5.7.1 that name"),
            ({"helo": "sub.bad.test"}, "550 5.7.1 that name"),
            ({"helo": "strict.test"}, "451 4.7.1"),
            ({"sender": "any@spam.test"}, "553 5.7.1 that domain"),
            ({"sender": "ok@spam.test"}, "250 2.1.5"),
            ({}, "250 2.1.5"),
        ):
            self.assertIn(told, self.reply(ann, **said), said)
        self.assertIn("451 4.7.1 later", self.reply(shy))

    def test_a_message_without_TLS(self):
        ann = self.user()
        with self.client() as client:
            self.say(client, f"MAIL FROM:<{SENDER}>", 250)
            self.say(client, f"RCPT TO:<{ann}>", 250)
            self.assertIn("550 5.7.10 Use TLS first", self.told(client, "DATA"))
            client.starttls(context=ways_in.OPEN)
            client.ehlo(HELO)
            self.send(client, ann)


class RateTests(RestrictionsTestCase):
    """Every test is a client of its own."""

    top = f'trusted_networks = ["{TRUSTED}/32", "{ALSO_TRUSTED}/32"]\n'
    extra = """
[restrictions]
connections_per_minute = 5
messages_per_minute = 3
recipients_per_minute = 4
login_messages_per_hour = 3
login_recipients_per_hour = 4
login_connections = 1
[smtp]
recipients = 100
[limits]
connections_per_network = 12
"""

    def test_connections_of_a_client(self):
        for source, greeted in (("127.0.0.50", 5), (TRUSTED, 8)):
            codes = []
            for _ in range(8):
                client = smtplib.SMTP(source_address=(source, 0))
                codes.append(client.connect("127.0.0.1", self.daemon.port("smtp")))
                client.close()
            codes = [f"{code} {text[:5].decode()}" for code, text in codes]
            self.assertEqual([code[:3] for code in codes[:greeted]], ["220"] * greeted)
            self.assertEqual(codes[greeted:], ["421 4.7.1"] * (8 - greeted))

    def test_connections_of_a_client_at_once(self):
        with contextlib.ExitStack() as stack:
            for _ in range(12):
                stack.enter_context(self.client(ALSO_TRUSTED))
            with self.assertRaises(smtplib.SMTPConnectError) as told:
                stack.enter_context(self.client(ALSO_TRUSTED))
        self.assertEqual(told.exception.smtp_code, 421)

    def counted(self, client, line, allowed):
        """`allowed` of these are taken, and the next is not."""
        for _ in range(allowed):
            if line.startswith("MAIL"):
                client.rset()
            self.say(client, line, 250)
        if line.startswith("MAIL"):
            client.rset()
        self.assertIn("451 4.7.1 Too much mail from you", self.told(client, line))

    def test_messages_and_recipients_of_a_client(self):
        ann = self.user()
        with self.client("127.0.0.52") as client:
            self.counted(client, f"MAIL FROM:<{SENDER}>", 3)
        with self.client("127.0.0.53") as client:
            self.say(client, f"MAIL FROM:<{SENDER}>", 250)
            self.counted(client, f"RCPT TO:<{ann}>", 4)
        with self.client("127.0.0.53") as client:  # it is no matter of a connection
            self.say(client, f"MAIL FROM:<{SENDER}>", 250)
            self.say(client, f"RCPT TO:<{ann}>", 451)
        with self.client("127.0.0.54") as client:
            self.send(client, ann)

    def test_messages_and_recipients_of_a_login(self):
        ann, bob = self.user(), self.user()
        with self.client("127.0.0.55", user=ann) as client:
            self.counted(client, f"MAIL FROM:<{ann}>", 3)
        with self.client("127.0.0.56", user=ann) as client:  # from wherever it comes
            self.say(client, f"MAIL FROM:<{ann}>", 451)
        with self.client("127.0.0.57", user=bob) as client:
            self.say(client, f"MAIL FROM:<{bob}>", 250)
            self.counted(client, f"RCPT TO:<{ann}>", 4)

    def test_connections_of_a_login_at_once(self):
        ann = self.user()
        with self.client("127.0.0.58", user=ann):
            second = self.client("127.0.0.59", user=ann)
            told = self.assertRaises(smtplib.SMTPAuthenticationError, second.__enter__)
            self.assertEqual(told.smtp_code, 454)
        with self.client("127.0.0.59", user=ann):
            pass

    def test_recipients_of_a_message(self):
        ann = self.user()
        with self.client(TRUSTED) as client:
            self.say(client, f"MAIL FROM:<{SENDER}>", 250)
            for number in range(99):
                self.say(client, f"RCPT TO:<r{number}@far.test>", 250)
            self.say(client, f"RCPT TO:<{ann}>", 250)
            told = self.told(client, "RCPT TO:<r99@far.test>")
            self.assertIn("452 4.5.3", told)
