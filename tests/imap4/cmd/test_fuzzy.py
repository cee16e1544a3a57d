"""Tests for FUZZY, RELEVANCY in SEARCH, SORT and ESEARCH (RFC 6203)."""

from twisted.trial.unittest import SynchronousTestCase
from zope.interface import alsoProvides

from mailtwist.mailbox.interfaces import IIndexedMailboxes

from ..room import ANN, HELLO, Room


class FuzzyTests(SynchronousTestCase):
    def setUp(self):
        self.room = Room()
        self.client = self.room.login()
        for words in (b"a conference", b"a confrence", b"nothing", b"confrance"):
            self.client.append(HELLO.replace(b"lunch?", words))
        self.client.ask("SELECT INBOX")

    def told(self, command):
        *lines, answer = self.client.ask(command)
        self.assertTrue(answer.startswith(b"OK "), answer)
        return lines[-1].replace(b'(TAG "t%d") ' % self.client._tags, b"")

    def test_answers(self):
        for command, want, reason in [
            ("SEARCH FUZZY BODY conference", b"* SEARCH 1 2 4", "with slips"),
            ("SEARCH BODY conference", b"* SEARCH 1", "without"),
            ("SEARCH NOT FUZZY BODY conference", b"* SEARCH 3", "not"),
            ("SEARCH FUZZY (BODY conference FROM bob) 2:*", b"* SEARCH 2 4", "a list"),
            (
                "SEARCH RETURN (RELEVANCY ALL) FUZZY BODY conference",
                b"* ESEARCH ALL 1:2,4 RELEVANCY (100 81 72)",
                "scores in the order of the results",
            ),
            (
                "UID SEARCH RETURN (RELEVANCY PARTIAL -1:-2) FUZZY BODY conference",
                b"* ESEARCH UID PARTIAL (-1:-2 2,4) RELEVANCY (81 72)",
                "of what is told",
            ),
            (
                "SEARCH RETURN (RELEVANCY COUNT) FUZZY BODY absolutely",
                b"* ESEARCH COUNT 0",
                "of nothing none",
            ),
            (
                "SORT (RELEVANCY) UTF-8 FUZZY BODY confrance",
                b"* SORT 4 2 1",
                "the best first",
            ),
            (
                "SORT (REVERSE RELEVANCY) UTF-8 FUZZY BODY conference",
                b"* SORT 4 2 1",
                "or last",
            ),
            (
                "SORT RETURN (RELEVANCY ALL) (RELEVANCY) UTF-8 FUZZY BODY conference",
                b"* ESEARCH ALL 1:2,4 RELEVANCY (100 81 72)",
                "scores of a sort",
            ),
        ]:
            self.assertEqual(self.told(command), want, reason)
        line = self.told("ESEARCH RETURN (ALL RELEVANCY) FUZZY BODY conference")
        self.assertTrue(line.endswith(b"UID ALL 1:2,4 RELEVANCY (100 81 72)"), line)

    def test_relevancy_is_for_fuzzy_searches(self):
        for command in (
            "SEARCH RETURN (RELEVANCY) BODY x",
            "SORT (RELEVANCY) UTF-8 BODY x",
            "SEARCH FUZZY",
        ):
            self.assertTrue(self.client.ask(command)[-1].startswith(b"BAD "), command)

    def test_an_order_by_relevancy_is_not_kept_up(self):
        lines = self.client.ask(
            "SORT RETURN (UPDATE ALL) (RELEVANCY) UTF-8 FUZZY BODY conference"
        )
        self.assertTrue(any(b"[NOUPDATE" in line for line in lines), lines)

    def test_it_is_advertised_where_the_store_has_an_index(self):
        self.assertNotIn(b"SEARCH=FUZZY", self.client.ask("CAPABILITY")[0])
        alsoProvides(self.room.store.mailboxes(ANN), IIndexedMailboxes)
        self.assertIn(b"SEARCH=FUZZY", self.client.ask("CAPABILITY")[0])
