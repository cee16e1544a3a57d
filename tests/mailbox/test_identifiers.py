"""Threads by the identifiers in header fields."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.mailbox.identifiers import MOST_KEYS, thread_keys, thread_of

NAMES = st.integers(0, 6)


def fields(own, *references):
    listed = b" ".join(b"<%d@x>" % one for one in references)
    head = b"" if own is None else b"Message-ID: <%d@x>\r\n" % own
    return head + (b"References: %b\r\n" % listed if listed else b"")


class ThreadTests(SynchronousTestCase):
    def threads(self, messages):
        known = {}
        return [
            thread_of(thread_keys(raw, email_id), known, lambda: len(known) + 1)
            for raw, email_id in messages
        ]

    def test_its_own_identifier_then_the_nearest(self):
        keys = thread_keys(fields(3, 1, 2), b"e")
        self.assertEqual(keys[1], thread_keys(fields(2), b"")[0])
        self.assertEqual(keys[2], thread_keys(fields(1), b"")[0])
        self.assertEqual(len(keys), 3)

    def test_without_an_identifier_it_is_the_email_id_that_ties_copies(self):
        one, two, copy = self.threads(
            [(b"Subject: x\r\n", b"e1"), (b"Subject: x\r\n", b"e2"), (b"", b"e1")]
        )
        self.assertNotEqual(one, two)
        self.assertEqual(copy, one)

    def test_an_endless_list_of_references_is_cut(self):
        keys = thread_keys(fields(1, *range(2, 1000)), b"")
        self.assertEqual(len(keys), MOST_KEYS)
        self.assertEqual(keys[1], thread_keys(fields(999), b"")[0], "nearest first")

    @given(st.lists(st.tuples(NAMES, st.lists(NAMES, max_size=4)), max_size=12))
    def test_in_any_order_a_copy_has_the_thread_of_its_original(self, messages):
        raw = [(fields(own, *references), b"") for own, references in messages]
        found = self.threads(raw + raw)
        self.assertEqual(found[: len(raw)], found[len(raw) :])

    @given(st.integers(2, 12))
    def test_a_chain_of_answers_is_one_thread(self, length):
        chain = [(fields(0), b"")]
        chain += [(fields(n, *range(n)), b"") for n in range(1, length)]
        for messages in (chain, chain[::-1]):
            self.assertEqual(len(set(self.threads(messages))), 1)
