"""Every extension of EHLO, asked by swaks, smtplib and Postfix's smtp-source."""

import smtplib
from collections.abc import Iterator
from contextlib import contextmanager

from tests.bench.peers import Postfix
from tests.integration import ways_in
from tests.integration.daemon import DOMAIN, DaemonTestCase, free_port
from tests.integration.programs import message, run

FROM = "MAIL FROM:<carol@example.org>"


class FeatureTestCase(DaemonTestCase):
    workers = 2

    @contextmanager
    def talk(self) -> Iterator[smtplib.SMTP]:
        with smtplib.SMTP("127.0.0.1", self.daemon.port("smtp"), timeout=20) as client:
            client.ehlo("client.example")
            yield client

    def chunk(self, client, octets, last=False):
        end = b" LAST" if last else b""
        client.send(b"BDAT %d%s\r\n" % (len(octets), end) + octets)
        return client.getreply()[0]

    def swaks(self, *arguments, way="smtp", ok=True):
        port = self.daemon.port(way)
        return run("swaks", "-s", "127.0.0.1", "-p", port, *arguments, ok=ok)


class OpenTests(FeatureTestCase):
    extra = """
[restrictions]
trusted_proxies = ["127.0.0.1/32"]
etrn_domains = ["waiting.example"]
etrn_networks = ["127.0.0.1/32"]
sender = ["reject_non_fqdn_sender"]
[dns]
servers = ["127.0.0.1:9"]
timeout_s = 0.2
tries = 1
"""

    def test_EHLO_tells_what_is_there(self):
        _, text = self.swaks("--quit-after", "FIRST-EHLO")
        for keyword in (
            *("PIPELINING", "SIZE 52428800", "STARTTLS", "ENHANCEDSTATUSCODES"),
            *("8BITMIME", "SMTPUTF8", "CHUNKING", "BINARYMIME", "DSN", "DELIVERBY"),
            *("MT-PRIORITY", "LIMITS MAILMAX=10000 RCPTMAX=1000", "PRDR", "ETRN"),
            *("XCLIENT NAME ADDR", "XFORWARD NAME ADDR"),
        ):
            self.assertIn(f"250-{keyword}", text)
        self.assertNotIn("REQUIRETLS", text)
        _, text = self.swaks("--quit-after", "EHLO", "-tls")
        self.assertIn("<~  250-REQUIRETLS", text)
        _, text = self.swaks("--quit-after", "EHLO", "-tls", way="submission")
        self.assertIn("<~  250-FUTURERELEASE 604800 2", text)

    def test_chunks_arrive_as_they_were_sent(self):
        ann = self.user()
        sent = message("Chunks", body="x" * 70 + "\n.\n..\n" * 1000)
        with self.talk() as client:
            client.docmd(FROM)
            client.docmd(f"RCPT TO:<{ann}>")
            for at in range(0, len(sent), 777):
                self.assertEqual(self.chunk(client, sent[at : at + 777]), 250)
            self.assertEqual(self.chunk(client, b"", last=True), 250)
        (got,) = ways_in.messages(self.daemon, ann)
        self.assertTrue(got.endswith(sent), got[-300:])

    def test_a_large_message_streams_in_chunks(self):
        ann = self.user()
        sent = message("Large", body="y" * 76 + "\n") + (b"y" * 76 + b"\r\n") * 200_000
        with self.talk() as client:
            client.docmd(f"{FROM} SIZE={len(sent)}")
            client.docmd(f"RCPT TO:<{ann}>")
            self.assertEqual(self.chunk(client, sent, last=True), 250)
        (got,) = ways_in.messages(self.daemon, ann)
        self.assertEqual(len(got) - got.index(b"From: carol"), len(sent))

    def test_every_parameter_is_taken_and_wrong_ones_have_their_codes(self):
        ann = self.user()
        with self.talk() as client:
            for parameters, code in (
                ("RET=FULL ENVID=a+2Bb", 250),
                ("RET=SOME", 501),
                ("BODY=BINARYMIME", 250),
                ("BY=3600;RT", 250),
                ("BY=0;R", 501),
                ("MT-PRIORITY=-3", 250),
                ("MT-PRIORITY=12", 501),
                ("PRDR SMTPUTF8 BODY=8BITMIME SIZE=100", 250),
                ("HOLDFOR=60", 555),  # submission only
                ("REQUIRETLS", 555),  # without TLS
                ("FOO=1", 555),
            ):
                self.assertEqual(client.docmd(f"{FROM} {parameters}")[0], code)
                client.docmd("RSET")
            client.docmd(FROM)
            for parameters, code in (
                ("NOTIFY=SUCCESS,DELAY", 250),
                ("NOTIFY=NEVER,DELAY", 501),
                ("ORCPT=utf-8;jos\\x{E9}@x.example", 250),
                ("ORCPT=x", 501),
                ("FOO", 555),
            ):
                told = client.docmd(f"RCPT TO:<{ann}> {parameters}")[0]
                self.assertEqual(told, code, parameters)

    def test_swaks_submits_as_the_login_of_a_proxy(self):
        ann, bob = self.user(), self.user()
        self.swaks("--xclient-login", bob, "--to", ann, "-f", bob, way="submission")
        status, text = self.swaks(
            *("--xclient-login", bob, "--to", ann, "-f", ann),
            way="submission",
            ok=False,
        )
        self.assertNotEqual(status, 0)
        self.assertIn("5.7.1", text)

    def test_ETRN_and_XFORWARD_are_answered(self):
        with self.talk() as client:
            self.assertEqual(client.docmd("ETRN waiting.example")[0], 250)
            self.assertEqual(client.docmd("ETRN other.example")[0], 459)
            self.assertEqual(client.docmd("XFORWARD NAME=a ADDR=192.0.2.1")[0], 250)

    def test_a_sender_without_a_full_domain_is_refused(self):
        status, text = self.swaks("--to", self.user(), "-f", "a@localhost", ok=False)
        self.assertNotEqual(status, 0)
        self.assertIn("5.5.2 Sender address rejected", text)

    def test_smtp_source_drives_load(self):
        ann = self.user()
        run(
            *("smtp-source", "-s", 8, "-m", 400, "-l", 3000, "-f", "c@example.org"),
            *("-t", ann, f"127.0.0.1:{self.daemon.port('smtp')}"),
        )
        pop3 = ways_in.pop3_login(self.daemon, ann)
        self.assertEqual(pop3.stat()[0], 400)
        pop3.quit()


class LmtpTests(FeatureTestCase):
    def setUp(self):
        super().setUp()
        self.socket = self.daemon.folder / "lmtp.sock"

    port = free_port()
    extra = f"""
[[listener]]
protocol = "lmtp"
tls = "none"
endpoint = "unix:lmtp.sock:mode=600"
[[listener]]
protocol = "lmtp"
tls = "none"
endpoint = "tcp:{port}:interface=127.0.0.1"
"""

    def test_smtplib_speaks_over_the_unix_socket(self):
        """It reads one reply at the end of data, so one recipient must be accepted."""
        ann = self.user()
        with smtplib.LMTP(str(self.socket)) as client:
            for _ in range(2):
                refused = client.sendmail(
                    "carol@example.org", [ann, f"nobody@{DOMAIN}"], message("LMTP")
                )
                self.assertEqual(list(refused), [f"nobody@{DOMAIN}"])
        for got in ways_in.messages(self.daemon, ann):
            self.assertIn(b"with LMTP id", got)

    def test_a_full_mailbox_is_told_of_its_recipient_alone(self):
        ann = self.user("--storage-limit", "20 KiB")
        bob = self.user()
        with smtplib.LMTP(str(self.socket)) as client:
            client.docmd("LHLO client.example")
            client.docmd("MAIL FROM:<carol@example.org>")
            client.docmd(f"RCPT TO:<{ann}>")
            client.docmd(f"RCPT TO:<{bob}>")
            client.docmd("DATA")
            client.send(message("Big", body="z" * 76 + "\n" * 30_000) + b".\r\n")
            codes = [client.getreply()[0] for _ in range(2)]
        self.assertEqual(codes, [452, 250])
        log = self.daemon.log.read_text()
        self.assertEqual(log.count(f"not delivered to <{ann}>"), 1)

    def test_swaks_speaks_LMTP(self):
        ann = self.user()
        run(
            *("swaks", "--socket", self.socket, "--protocol", "LMTP", "--to", ann),
            *("-f", "carol@example.org"),
        )
        self.assertEqual(len(ways_in.messages(self.daemon, ann)), 1)

    def test_smtp_source_drives_load_by_LMTP(self):
        ann = self.user()
        run(
            *("smtp-source", "-L", "-s", 4, "-m", 200, "-f", "carol@example.org"),
            *("-t", ann, f"unix:{self.socket}"),
        )
        pop3 = ways_in.pop3_login(self.daemon, ann)
        self.assertEqual(pop3.stat()[0], 200)
        pop3.quit()

    def test_Postfix_delivers_by_LMTP(self):
        ann = self.user()
        postfix = Postfix(
            [ann],
            main=f"virtual_transport = lmtp:inet:127.0.0.1:{self.port}\n",
            master="lmtp unix - - n - - lmtp\n",
        )
        try:
            with smtplib.SMTP("127.0.0.1", postfix.port) as client:
                client.sendmail("carol@example.org", [ann], message("By Postfix"))
            self.wait_for_mail(ann)
        finally:
            postfix.stop()
        (got,) = ways_in.messages(self.daemon, ann)
        self.assertIn(b"Subject: By Postfix", got)

    def wait_for_mail(self, user):
        for _ in range(500):
            if ways_in.messages(self.daemon, user):
                return
            self.daemon.pause()
        raise AssertionError("no mail came")
