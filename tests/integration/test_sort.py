"""SORT and THREAD over the running daemon give what Dovecot gives for the same mail."""

import imaplib
import random
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.bench.peers import Dovecot
from tests.integration import ways_in
from tests.integration.daemon import PASSWORD, DaemonTestCase

USER = "ann@example.test"
WORDS = ["pear", "Apple", "zebra", "[list] plum", "=?utf-8?q?=C3=A4pfel?="]
PREFIXES = ["", "", "Re: ", "Fwd: ", "RE: [list] ", "Re[2]: "]
PEOPLE = [
    "Zoe <ann@b.test>",
    '"Bob, B." <bob@a.test>',
    "carl@c.test",
    "Ann <zed@b.test>",
]
SORTS = [
    "(ARRIVAL)",
    "(SIZE)",
    "(DATE)",
    "(REVERSE DATE)",
    "(SUBJECT)",
    "(SUBJECT REVERSE SIZE)",
    "(FROM DATE)",
    "(TO REVERSE ARRIVAL)",
    "(CC SUBJECT)",
    "(DISPLAYFROM)",
    "(REVERSE DISPLAYTO DATE)",
]
THREADS = ["REFERENCES", "ORDEREDSUBJECT", "REFS"]


def mail(count: int, seed: int) -> list[tuple[str, bytes]]:
    """(INTERNALDATE, octets): answers to earlier, later and missing messages."""
    chance = random.Random(seed)
    made = []
    for number in range(count):
        lines = [
            f"From: {chance.choice(PEOPLE)}",
            f"To: {chance.choice(PEOPLE)}",
            f"Subject: {chance.choice(PREFIXES)}{chance.choice(WORDS)}",
            f"Date: {chance.randint(1, 28)} Jan 2026 {chance.randint(0, 23):02}:"
            f"{number % 60:02}:00 {chance.choice(['+0000', '-0800', '+0530'])}",
            f"Message-ID: <{number}.{seed}@x.test>",
        ]
        if chance.random() < 0.3:
            lines.append(f"Cc: {chance.choice(PEOPLE)}")
        if chance.random() < 0.6:
            names = [f"<{chance.randrange(count + 5)}.{seed}@x.test>" for _ in "ab"]
            if chance.random() < 0.5:
                lines.append("References: " + " ".join(names))
            else:
                lines.append("In-Reply-To: " + names[0])
        body = "x" * chance.randrange(1, 500)
        arrived = f'"{chance.randint(1, 28):02}-Feb-2026 10:{number % 60:02}:00 +0000"'
        made.append((arrived, ("\r\n".join([*lines, "", body, ""])).encode()))
    return made


def answers(client: imaplib.IMAP4) -> dict[str, bytes]:
    """What each SORT and THREAD says of the selected mailbox."""
    found = {}
    for keys in SORTS:
        found[keys] = client.uid("SORT", keys, "UTF-8", "ALL")[1][0]
    for algorithm in THREADS:
        found[algorithm] = client.uid("THREAD", algorithm, "UTF-8", "ALL")[1][0]
    return found


class SortTests(DaemonTestCase):
    timeout = 120

    def fill(self, client: imaplib.IMAP4, messages: list[tuple[str, bytes]]) -> None:
        client.create("Sorted")
        for arrived, octets in messages:
            self.assertEqual(client.append("Sorted", None, arrived, octets)[0], "OK")
        self.assertEqual(client.select("Sorted")[0], "OK")

    def test_dovecot_and_we_agree(self):
        messages = mail(40, seed=5)
        folder = Path(tempfile.mkdtemp(prefix="mailtwist-test-"))
        self.addCleanup(shutil.rmtree, folder)
        (folder / "ann").mkdir()
        folder.chmod(0o755)
        subprocess.run(["chown", "-R", "nobody:nogroup", folder / "ann"], check=True)
        dovecot = Dovecot(folder, [USER])
        self.addCleanup(dovecot.stop)
        theirs = imaplib.IMAP4("127.0.0.1", dovecot.port, timeout=30)
        theirs.login(USER, PASSWORD)
        self.fill(theirs, messages)
        (ours, *_) = ways_in.imap(self.daemon, self.user())
        self.fill(ours, messages)
        wanted, found = answers(theirs), answers(ours)
        for question, answer in wanted.items():
            self.assertEqual(found[question], answer, question)
        theirs.logout()
        ours.logout()
