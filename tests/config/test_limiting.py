"""`[quota]`: texts that say what mailboxes may hold."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from mailtwist.config.limiting import mailbox_limits, percents
from mailtwist.config.load import loads
from mailtwist.errors import ConfigError

WHERE = Path("/etc/mailtwist.toml")


class LimitTests(SynchronousTestCase):
    def test_texts_and_what_they_mean(self):
        for text, wanted in [
            ("Lists: 1 GiB", (("Lists",), 1024**3, None)),
            ("Lists/py:5000 messages", (("Lists", "py"), None, 5000)),
            ("A: 1000, 1 message", (("A",), 1000, 1)),
            ("a:b: 10 KB", (("a:b",), 10_000, None)),
            ("inbox/x: 5", (("INBOX", "x"), 5, None)),
        ]:
            self.assertEqual(mailbox_limits([text]), (wanted,), text)

    def test_texts_that_mean_nothing(self):
        for texts, why in [
            (["Lists"], "no limit"),
            (["Lists:"], "an empty one"),
            (["Lists: many"], "no number"),
            ([": 1 GiB"], "no name"),
            (["a//b: 1 GiB"], "an empty level"),
            (["A: 1, 2"], "two sizes"),
            (["A: 1", "A: 2"], "twice"),
        ]:
            with self.assertRaises(ValueError, msg=why):
                mailbox_limits(texts)

    def test_percents(self):
        self.assertEqual(percents(["95 %", "80", "80%"]), (80, 95))
        for text in ("0", "101", "x", ""):
            with self.assertRaises(ValueError, msg=text):
                percents([text])

    def test_the_file_says_what_is_wrong(self):
        for line, told in [
            ('mailbox_limits = ["Lists"]', "quota.mailbox_limits"),
            ('warn_at = ["120"]', "from 1% to 100%"),
            ('full = "never"', '"temporary" or "permanent"'),
        ]:
            with self.assertRaises(ConfigError) as caught:
                loads(f"[quota]\n{line}\n".encode(), WHERE)
            self.assertIn(told, str(caught.exception))
