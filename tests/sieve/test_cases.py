"""Every test of every RFC, by the tables of `cases`."""

from twisted.trial.unittest import SynchronousTestCase

from . import cases
from .running import MESSAGE, PARTS, true


class CaseTests(SynchronousTestCase):
    def test_each_is_what_the_table_says(self):
        wrong = []
        for tables, message in ((cases.ALL, MESSAGE), (cases.ON_PARTS, PARTS)):
            for name, rows in tables.items():
                for test, truth in rows:
                    head = 'require "ihave"; ' if "ihave" in test else ""
                    if true(test, message=message, head=head) is not truth:
                        wrong.append((name, test, truth))
        self.assertEqual(wrong, [])
