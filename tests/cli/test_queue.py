"""Tests for mailtwist.cli.queue and the names of the commands that it replaces."""

import json
import os
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from mailtwist.address import Address
from mailtwist.cli.names import words_for
from mailtwist.delivery.model import TO_MX, Route, Wishes
from mailtwist.queue.model import QueuedMessage, QueuedRecipient
from mailtwist.queue.spool import statements
from mailtwist.queue.spool.disk import DATABASE
from mailtwist.queue.spool.thread import batch, connect

from .test_main import said

ROOT = Path(__file__).parent.parent.parent
FILE = """
[server]
hostname = "mail.example.org"
data = "data"
[[domain]]
name = "example.org"
"""
ANN, BOB = Address("ann", "example.org"), Address("bob", "else.test")
OCTETS = b"Subject: hi\r\n\r\nbody\r\n"


class QueueCommandTests(SynchronousTestCase):
    """q1 from ann to bob, deferred; q2 a report for ann; q3 from eve, held."""

    def setUp(self):
        folder = Path(self.mktemp()).absolute()
        (folder / "data/queue").mkdir(parents=True)
        self.config = folder / "mailtwist.toml"
        self.config.write_text(FILE)
        self.database = folder / "data/queue" / DATABASE
        refused = {
            "status": "4.4.1",
            "host": "mx.else.test",
            "reply": "450 4.2.0 Greylisted",
            "attempts": 2,
            "due_s": 9e9,
        }
        self.put("q1", ANN, BOB, **refused)
        self.put("q2", None, ANN, route=Route("mailbox"))
        self.put("q3", Address("eve", "evil.test"), BOB, held=True)

    def put(self, queue_id, sender, to, held=False, route=TO_MX, **more):
        message = QueuedMessage(
            queue_id, sender, len(OCTETS), 1000.0, 9e9, Wishes(), "", held
        )
        recipient = QueuedRecipient(1, to, route, to, **more)
        connection = connect(str(self.database))

        def insert(connection):
            statements.insert(connection, message, [recipient], OCTETS)

        self.assertEqual(batch(connection, [insert], True), [None])
        connection.close()

    def queue(self, *words):
        return said("-c", self.config, "queue", *words)

    def ids(self, *words):
        _, out, _ = self.queue("list", "--json", *words)
        return [json.loads(line)["id"] for line in out.splitlines()]

    def test_list_tells_what_waits_and_why(self):
        status, out, _ = self.queue("list")
        self.assertEqual(status, 0)
        lines = out.splitlines()
        self.assertTrue(lines[0].startswith("-Queue ID-"))
        self.assertTrue(lines[1].startswith("q1 "))
        self.assertTrue(lines[1].endswith("  ann@example.org"))
        self.assertIn("(host mx.else.test said: 450 4.2.0 Greylisted)", lines[2])
        self.assertEqual(lines[3].strip(), "bob@else.test")
        self.assertTrue(lines[5].endswith("  MAILER-DAEMON"))
        self.assertTrue(lines[8].startswith("q3!"))
        self.assertEqual(lines[-1], "-- 0 KiB in 3 messages.")

    def test_list_finds_what_filters_name(self):
        for words, wanted in (
            (("q1", "q3"), ["q1", "q3"]),
            (("--sender", "ann@example.org"), ["q1"]),
            (("--sender", "@evil.test"), ["q3"]),
            (("--sender", "<>"), ["q2"]),
            (("--recipient", "bob@else.test"), ["q1", "q3"]),
            (("--recipient", "@example.org"), ["q2"]),
            (("--older-than", "1 d"), ["q1", "q2", "q3"]),
            (("--younger-than", "1d"), []),
            (("--reason", "greylist"), ["q1"]),
            (("--reason", "4.4.1"), ["q1"]),
            (("--held",), ["q3"]),
            (("--held", "--sender", "ann@example.org"), []),
        ):
            self.assertEqual(self.ids(*words), wanted, words)

    def test_json_tells_everything(self):
        _, out, _ = self.queue("list", "--json", "q1")
        found = json.loads(out)
        (recipient,) = found.pop("recipients")
        self.assertEqual(found["sender"], "ann@example.org")
        self.assertEqual(found["octets"], len(OCTETS))
        self.assertEqual(recipient["transport"], "smtp")
        self.assertEqual(recipient["attempts"], 2)
        self.assertEqual(recipient["reply"], "450 4.2.0 Greylisted")

    def test_show_prints_envelope_and_octets(self):
        for words, wanted in (
            (("--header",), b"Subject: hi\r\n"),
            (("--content",), OCTETS),
        ):
            done = subprocess.run(
                [sys.executable, "-m", "mailtwist.cli", "queue", "show", "q1", *words],
                env=os.environ
                | {"PYTHONPATH": str(ROOT), "MAILTWIST_CONFIG": str(self.config)},
                capture_output=True,
                timeout=60,
            )
            self.assertTrue(done.stdout.endswith(wanted), done)
        _, out, _ = self.queue("show", "q1", "--envelope")
        self.assertEqual(json.loads(out)["id"], "q1")

    def test_show_of_nothing_is_said(self):
        status, _, err = self.queue("show", "q9")
        self.assertEqual(status, 1)
        self.assertIn("No message q9 in the queue", err)

    def test_hold_and_release(self):
        self.assertEqual(self.queue("hold", "q1")[1], "1 message held\n")
        self.assertEqual(self.ids("--held"), ["q1", "q3"])
        self.assertEqual(self.queue("release", "--all")[1], "3 messages released\n")
        self.assertEqual(self.ids("--held"), [])

    def test_flush_makes_due_now(self):
        self.assertEqual(self.queue("flush", "--all")[0], 0)
        _, out, _ = self.queue("show", "q1", "--envelope")
        (recipient,) = json.loads(out)["recipients"]
        self.assertLess(recipient["next_attempt"], "2200")

    def test_a_change_says_which(self):
        for change in ("flush", "hold", "release", "remove", "requeue"):
            status, _, err = self.queue(change)
            self.assertEqual(status, 1, change)
            self.assertIn("Say which", err)

    def test_remove_of_many_asks(self):
        status, out, err = self.queue("remove", "--all")
        self.assertEqual((status, out), (1, "Nothing was removed\n"))
        self.assertIn("Remove 3 messages? Say --yes", err)
        self.assertEqual(self.queue("remove", "q2")[1], "1 message removed\n")
        status, out, _ = self.queue("remove", "--all", "--yes")
        self.assertEqual((status, out), (0, "2 messages removed\n"))
        self.assertEqual(self.queue("list")[1], "Mail queue is empty\n")

    def test_ages_and_addresses_that_are_none_are_said(self):
        for words, why in (
            (("--older-than", "soon"), 'give an age like "90 s"'),
            (("--older-than", "5 years"), 'give an age like "90 s"'),
            (("--sender", "a b"), "Bad"),
        ):
            status, _, err = self.queue("list", *words)
            self.assertEqual(status, 1)
            self.assertIn(why, err)

    def test_a_queue_that_was_never_used_is_empty(self):
        self.config.write_text(FILE.replace('"data"', '"other"'))
        self.assertEqual(self.queue("list")[1], "Mail queue is empty\n")
        self.assertEqual(
            self.queue("flush", "--all")[1], "0 messages will be tried now\n"
        )

    def test_sendmail_knows_the_queue(self):
        _, out, _ = said("-c", self.config, "sendmail", "-bp")
        self.assertEqual(out, self.queue("list")[1])
        self.assertEqual(said("-c", self.config, "sendmail", "-qRelse.test")[0], 0)
        self.assertEqual(said("-c", self.config, "sendmail", "-q15m")[0], 69)


class NameTests(SynchronousTestCase):
    def test_each_name_does_what_its_command_did(self):
        for typed, meant in (
            ("sendmail -t", "sendmail -t"),
            ("mailtwist-sendmail -t", "sendmail -t"),
            ("mailq", "sendmail -bp"),
            ("newaliases", "sendmail -bi"),
            ("postqueue -p", "queue list"),
            ("postqueue -j", "queue list --json"),
            ("postqueue -f", "queue flush --all"),
            ("postqueue -i q1", "queue flush q1"),
            ("postqueue -s else.test", "queue flush --recipient @else.test"),
            ("postsuper -d ALL", "queue remove --all --yes"),
            ("postsuper -d q1", "queue remove q1"),
            ("postsuper -d q1 -d q2", "queue remove q1 q2"),
            ("postsuper -h ALL", "queue hold --all"),
            ("postsuper -H q1", "queue release q1"),
            ("postsuper -r ALL", "queue requeue --all"),
        ):
            name, *arguments = typed.split()
            self.assertEqual(words_for(name, arguments), meant.split(), typed)

    def test_what_they_never_did_is_said(self):
        for typed in ("postqueue", "postqueue -x", "postsuper", "postsuper -x ALL"):
            name, *arguments = typed.split()
            self.assertIn(f"{name}: ", words_for(name, arguments))
