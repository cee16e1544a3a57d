"""The text index of a running server: the same answers with it, without it, and after
it was killed, deleted or damaged in the middle of the work."""

import imaplib
import os
import random
import time

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.daemon import PASSWORD, Daemon

PLAIN = "[auth]\nplaintext_without_tls = true\n[search]\nshare = 100\n"
OFF = PLAIN.replace("share = 100", 'index = "off"')
MESSAGES = 1200
WORDS = ("river", "mountain", "Gr\xfc\xdfe", "window", "candle", "lantern")
NEEDLES = ("river mountain", "GR\xdcSSE", "candle s", "nowhere", "ow", "lantern")


def mail(number, chosen):
    body = " ".join(chosen.choice(WORDS) for _ in range(60))
    head = (
        f"Subject: number {number}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
    )
    return (head + body + "\r\n").encode()


class TextIndexTests(SynchronousTestCase):
    timeout = 200

    def setUp(self):
        self.daemon = Daemon(PLAIN)
        self.addCleanup(self.daemon.remove)
        self.user = self.daemon.add_user("ann")
        self.daemon.start()
        imap = self.login()
        imap.append("INBOX", None, None, mail(0, random.Random(0)))
        imap.logout()
        self.daemon.stop()
        (self.maildir,) = self.daemon.folder.glob("data/**/Maildir/cur")
        chosen = random.Random(7)
        for number in range(1, MESSAGES):
            octets = mail(number, chosen)
            name = f"{1700000000 + number}.M{number}P1.h,S={len(octets)}:2,S"
            (self.maildir / name).write_bytes(octets)

    def login(self):
        imap = imaplib.IMAP4("127.0.0.1", self.daemon.port("imap"))
        imap.login(self.user, PASSWORD)
        imap.select("INBOX")
        return imap

    def answers(self):
        imap = self.login()
        found = []
        for needle in NEEDLES:
            for key in ("BODY", "TEXT"):
                imap.literal = needle.encode()
                _, (line,) = imap.uid("SEARCH", "CHARSET", "UTF-8", key)
                found.append(line)
        imap.logout()
        return found

    def plain_answers(self):
        """Of a server that has no index."""
        config = self.daemon.config
        told = config.read_text()
        config.write_text(told.replace(PLAIN, OFF))
        self.daemon.start()
        try:
            return self.answers()
        finally:
            self.daemon.stop()
            config.write_text(told)

    def index_file(self):
        (path,) = self.daemon.folder.glob("data/**/search.sqlite")
        return path

    def wait_for_index(self, octets):
        until = time.monotonic() + 60
        while time.monotonic() < until:
            for path in self.daemon.folder.glob("data/**/search.sqlite*"):
                if path.suffix in (".sqlite", ".sqlite-wal"):
                    octets -= path.stat().st_size
            if octets <= 0:
                return
            self.daemon.pause()
        self.fail("nothing was indexed")

    def test_answers_are_the_same_whatever_happens_to_the_index(self):
        wanted = self.plain_answers()
        self.assertEqual(len(wanted[0].split()), len(wanted[1].split()))
        self.assertGreater(len(wanted[0].split()), 10)
        for _ in range(4):
            self.daemon.start()
            imap = self.login()
            self.wait_for_index(60_000)
            self.daemon.kill()  # in the middle of it
            imap.shutdown()
        self.daemon.start()
        self.assertEqual(self.answers(), wanted, "after a few kills")
        self.daemon.sound()
        self.daemon.stop()
        told = self.daemon.command("index")
        self.assertIn(f"{MESSAGES} messages in 1 mailboxes indexed", told)
        told = self.daemon.command("index", self.user)
        self.assertIn(" 0 of them now", told)
        self.daemon.start()
        self.assertEqual(self.answers(), wanted, "with all of it indexed")
        os.unlink(self.index_file())
        self.assertEqual(self.answers(), wanted, "deleted while it is in use")
        self.daemon.stop()
        self.daemon.command("index", "--rebuild")
        path = self.index_file()
        with path.open("r+b") as file:
            for at in range(4096, path.stat().st_size, 12_288):
                file.seek(at)
                file.write(b"\xee" * 4096)
        self.daemon.start()
        self.assertEqual(self.answers(), wanted, "with holes in it")
        self.daemon.stop()
        self.assertIn("is damaged", self.daemon.log.read_text())
        told = self.daemon.command("index")
        self.assertIn(f"{MESSAGES} messages in 1 mailboxes indexed", told)

    def test_an_account_that_is_not_there(self):
        with self.assertRaisesRegex(AssertionError, "there is no such account"):
            self.daemon.command("index", "eve@example.test")
