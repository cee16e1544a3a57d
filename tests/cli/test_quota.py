"""`mailtwist quota show` as a person reads it."""

from twisted.trial.unittest import SynchronousTestCase

from mailtwist.cli.quota import told
from mailtwist.mailbox.model import Usage


class ToldTests(SynchronousTestCase):
    def test_what_is_held_and_may_be(self):
        for usage, wanted in [
            (Usage(10, 2, None), "10 octets, 2 messages"),
            (Usage(2048, 3, 10_240), "2048 of 10240 octets (20%), 3 messages"),
            (Usage(0, 3, None, 4), "0 octets, 3 of 4 messages (75%)"),
            (Usage(5, 1, 0), "5 of 0 octets, 1 messages"),
        ]:
            self.assertEqual(told(usage), wanted)
