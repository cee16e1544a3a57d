"""THREAD: the three algorithms on trees written down by hand."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.mailbox.thread import Threaded, threads, written
from mailtwist.mailbox.turns import Turns
from mailtwist.sort_key import ThreadAlgorithm

from .search_mailbox import answer


def mail(uid, name=None, *references, sent=None, subject="", reply=False):
    sent = float(uid if sent is None else sent)
    return Threaded(
        uid,
        name and name.encode(),
        tuple(one.encode() for one in references),
        sent,
        subject,
        reply,
    )


async def no_pause():
    """Nobody else wants a turn."""


REFERENCES = [  # messages, the threads, why
    ([], "", "nothing"),
    ([mail(1, "a"), mail(2, "b")], "(1)(2)", "strangers"),
    ([mail(1, "a"), mail(2, "b", "a")], "(1 2)", "an answer"),
    ([mail(1, "b", "a"), mail(2, "a")], "(2 1)", "an answer that came first"),
    (
        [mail(1, "a"), mail(2, "b", "a"), mail(3, "c", "a")],
        "(1 (2)(3))",
        "two answers",
    ),
    (
        [mail(1, "a"), mail(2, "b", "a"), mail(3, "c", "a"), mail(4, "d", "a", "c")],
        "(1 (2)(3 4))",
        "an answer to the second",
    ),
    ([mail(1, "b", "x"), mail(2, "c", "x")], "((1)(2))", "the parent is not here"),
    ([mail(1, "b", "x")], "(1)", "the only child of a missing one"),
    ([mail(1, "c", "a", "b")], "(1)", "of two missing ones"),
    (
        [mail(1, "a"), mail(2, "c", "a", "b"), mail(3, "d", "a", "b")],
        "(1 (2)(3))",
        "a missing one in between",
    ),
    ([mail(1, "a", "b"), mail(2, "b", "a")], "(2 1)", "a loop of two"),
    ([mail(1, "a", "a")], "(1)", "an answer to itself"),
    ([mail(1, "a"), mail(2, "a")], "(1)(2)", "an identifier twice"),
    ([mail(1), mail(2)], "(1)(2)", "no identifiers"),
    (
        [mail(1, "a"), mail(2, "c", "a"), mail(3, "b", "a"), mail(4, "c2", "b", "c")],
        "(1 (2 4)(3))",
        "a link that is there stays",
    ),
    (
        [mail(1, "b", "a"), mail(2, "c", "x", "b"), mail(3, "b2", "c")],
        "(1 2 3)",
        "references cut short do not move what is linked",
    ),
    ([mail(1, "a", sent=9), mail(2, "b", sent=3)], "(2)(1)", "by sent date"),
    (
        [mail(1, "a"), mail(2, "b", "a", sent=9), mail(3, "c", "a", sent=5)],
        "(1 (3)(2))",
        "siblings by sent date",
    ),
    (
        [mail(1, "b", "x", sent=9), mail(2, "c", "x", sent=8), mail(3, "d", sent=8.5)],
        "((2)(1))(3)",
        "a missing head counts as its oldest child",
    ),
]

SUBJECTS = [
    (
        [mail(1, "a", subject="s"), mail(2, "b", subject="s", reply=True)],
        "(1 2)",
        "an answer without references joins what it answers",
    ),
    (
        [mail(1, "a", subject="s"), mail(2, "b", subject="s")],
        "((1)(2))",
        "two of one subject are siblings of nobody",
    ),
    (
        [mail(1, "a", subject="s", reply=True), mail(2, "b", subject="s")],
        "(2 1)",
        "what is no answer is the head, though later",
    ),
    (
        [mail(1, "a", subject="s"), mail(2, "b", subject=""), mail(3, "c", subject="")],
        "(1)(2)(3)",
        "no subject joins nothing",
    ),
    (
        [
            mail(1, "a", "x", subject="s"),
            mail(2, "b", "x", subject="t"),
            mail(3, "c", subject="s", reply=True),
        ],
        "((1)(2)(3))",
        "it joins the children of a missing head",
    ),
    (
        [
            mail(1, "a", "x", subject="s"),
            mail(2, "b", "x", subject="s"),
            mail(3, "c", "y", subject="s"),
            mail(4, "d", "y", subject="s"),
        ],
        "((1)(2)(3)(4))",
        "two missing heads become one",
    ),
    (
        [mail(n, str(n), subject="s") for n in (1, 2, 3)],
        "((1)(2)(3))",
        "a third joins the two",
    ),
]


class ThreadTests(SynchronousTestCase):
    def threads(self, algorithm, messages):
        turns = Turns(no_pause)
        heads = answer(self, threads(algorithm, messages, turns))
        return answer(self, written(heads, lambda uid: uid, turns)).decode()

    def test_references(self):
        for messages, wanted, why in REFERENCES:
            found = self.threads(ThreadAlgorithm.REFERENCES, messages)
            self.assertEqual(found, wanted, why)

    def test_references_joins_threads_of_one_subject(self):
        for messages, wanted, why in SUBJECTS:
            found = self.threads(ThreadAlgorithm.REFERENCES, messages)
            self.assertEqual(found, wanted, why)

    def test_refs_looks_at_no_subject(self):
        messages, _, _ = SUBJECTS[0]
        self.assertEqual(self.threads(ThreadAlgorithm.REFS, messages), "(1)(2)")

    def test_refs_puts_the_thread_with_the_newest_message_last(self):
        messages = [mail(1, "a"), mail(2, "b"), mail(3, "c", "a", sent=30)]
        self.assertEqual(self.threads(ThreadAlgorithm.REFS, messages), "(2)(1 3)")

    def test_ordered_subject(self):
        messages = [
            mail(1, sent=5, subject="s"),
            mail(2, sent=4, subject="t"),
            mail(3, sent=3, subject="s"),
            mail(4, sent=6, subject="s"),
        ]
        found = self.threads(ThreadAlgorithm.ORDEREDSUBJECT, messages)
        self.assertEqual(found, "(3 (1)(4))(2)")

    def test_a_thread_as_deep_as_the_mailbox(self):
        count = 20_000
        messages = [mail(n, str(n), str(n - 1)) for n in range(1, count + 1)]
        for order in (messages, messages[::-1]):
            found = self.threads(ThreadAlgorithm.REFERENCES, order)
            inside = " ".join(str(n) for n in range(1, count + 1))
            self.assertEqual(found, f"({inside})")

    @settings(max_examples=200)
    @given(
        st.lists(
            st.tuples(
                st.sampled_from(["a", "b", "c", "d", "e", None]),
                st.lists(st.sampled_from("abcdexyz"), max_size=4),
                st.integers(0, 4),
                st.sampled_from(["", "s", "t"]),
                st.booleans(),
            ),
            max_size=9,
        ),
        st.sampled_from(ThreadAlgorithm),
    )
    def test_every_message_stands_once_whatever_refers_to_what(self, rows, algorithm):
        messages = [
            mail(uid, name, *references, sent=sent, subject=subject, reply=reply)
            for uid, (name, references, sent, subject, reply) in enumerate(rows, 1)
        ]
        found = self.threads(algorithm, messages)
        numbers = sorted(map(int, re.findall(r"\d+", found)))
        self.assertEqual(numbers, list(range(1, len(messages) + 1)), found)
        self.assertNotIn("()", found)
        self.assertEqual(found.count("("), found.count(")"))
