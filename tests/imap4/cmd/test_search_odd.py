"""SEARCH finds in odd messages what the RFCs say it finds."""

from twisted.trial.unittest import SynchronousTestCase

from tests.mime.odd_messages import crlf
from tests.mime.odd_searches import SEARCHES, sent

from ..room import Room


class OddSearchTests(SynchronousTestCase):
    def test_keys_match_as_written_by_hand(self):
        client = Room().selected()
        for message, *_ in SEARCHES:
            client.append(crlf(message))
        client.ask("NOOP")
        for number, (_, matching, others, reason) in enumerate(SEARCHES, 1):
            for key in (*matching, *others):
                *_, line, answer = client.ask(
                    b"SEARCH CHARSET UTF-8 %d " % number + sent(key)
                )
                self.assertEqual(answer, b"OK SEARCH completed", key)
                wanted = b"* SEARCH %d" % number if key in matching else b"* SEARCH"
                self.assertEqual(line, wanted, f"{key}: {reason}")
