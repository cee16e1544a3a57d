"""Rewrites of a file, killed at every system call, with others appending behind."""

import os

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.store.maildir import durable
from mailtwist.store.mbox import journal as journals
from mailtwist.store.mbox.journal import journal_of, repair, rewrite

from . import traced

OTHERS = b"From bob Wed Nov  4 20:39:03 2026\n\nappended by another program\n\n"

PARTS = st.lists(
    st.binary(max_size=30) | st.tuples(st.integers(0, 100), st.integers(0, 100)),
    max_size=6,
)


def plan(parts, size):
    """`parts` with ranges that are in a file of `size` octets."""
    return [
        part
        if isinstance(part, bytes)
        else tuple(sorted(at % (size + 1) for at in part))
        for part in parts
    ]


def wanted(parts, octets):
    return b"".join(
        part if isinstance(part, bytes) else octets[slice(*part)] for part in parts
    )


class Files:
    def setUp(self):
        self.folder = os.path.abspath(self.mktemp())
        os.makedirs(self.folder)
        self.path = f"{self.folder}/mbox"
        self.journal = journal_of(self.folder, self.path)

    def write(self, octets):
        with open(self.path, "wb") as file:
            file.write(octets)

    def read(self):
        with open(self.path, "rb") as file:
            return file.read()

    def append(self, octets):
        with open(self.path, "ab") as file:
            file.write(octets)

    def with_file(self, work, *arguments):
        descriptor = os.open(self.path, os.O_RDWR)
        try:
            work(self.journal, descriptor, *arguments)
        finally:
            os.close(descriptor)

    def left(self):
        return sorted(set(os.listdir(self.folder)) - {"mbox"})


class RewriteTests(Files, SynchronousTestCase):
    @settings(max_examples=60, deadline=None)
    @given(st.binary(max_size=100), PARTS)
    def test_the_file_is_what_the_parts_say(self, octets, parts):
        parts = plan(parts, len(octets))
        self.write(octets)
        self.with_file(rewrite, parts)
        self.assertEqual(self.read(), wanted(parts, octets))
        self.assertEqual(self.left(), [])

    def test_what_stands_in_its_place_is_not_written(self):
        self.write(b"a" * 5000 + b"b" * 5000)
        self.patch(journals, "_apply", lambda descriptor, journal, alive: 1 / 0)
        parts = [(0, 4000), b"A", (4001, 10_000)]
        self.assertRaises(ZeroDivisionError, self.with_file, rewrite, parts)
        self.assertLess(os.path.getsize(self.journal), 200)

    def test_nothing_to_do_writes_nothing(self):
        self.write(b"abc")
        self.patch(os, "fsync", lambda descriptor: 1 / 0)
        self.with_file(rewrite, [(0, 1), b"b", (2, 3)])

    def test_a_full_disk_changes_nothing(self):
        self.write(b"abc")

        def full(descriptor, start, count):
            raise OSError(28, "No space left on device")

        self.patch(durable, "reserve", full)
        self.assertRaises(OSError, self.with_file, rewrite, [(0, 3), b"def"])
        self.assertEqual((self.read(), self.left()), (b"abc", []))

    def test_the_file_is_never_another(self):
        self.write(b"abc")
        before = os.stat(self.path).st_ino
        self.with_file(rewrite, [b"x" * 3_000_000])
        self.assertEqual(os.stat(self.path).st_ino, before)


OLD = b"".join(b"From a Wed Nov  4 20:39:03 2026\n%d\n\n" % n for n in range(40))
CHANGES = {
    "grows": [(0, 300), b"more" * 40, (300, len(OLD))],
    "appended": [(0, len(OLD)), OTHERS * 3],
    "shrinks": [(0, 300), (700, len(OLD))],
    "cut": [(0, 700)],
    "emptied": [],
    "in place": [(0, 300), b"x" * 50, (350, 900), b"y" * 50, (950, len(OLD))],
    "turned": [(900, len(OLD)), (0, 900)],
}


class KilledTests(Files, SynchronousTestCase):
    def setUp(self):
        super().setUp()
        self.patch(journals, "CHUNK_OCTETS", 400)  # several writes of each

    def outcomes(self, name, before_repair):
        """What the file is after a repair, for each moment of death."""
        parts, number, found = CHANGES[name], 0, []
        while True:
            number += 1
            self.write(OLD)
            for left in self.left():
                os.unlink(f"{self.folder}/{left}")
            died_at = traced.killed_at(
                number, lambda tell: self.with_file(rewrite, parts)
            )[1]
            before_repair()
            self.with_file(repair)
            self.assertEqual(self.left(), [], f"killed at {died_at} {number}")
            found.append(self.read())
            if died_at is None:
                return found

    def test_it_is_done_or_not_begun(self):
        for name, parts in CHANGES.items():
            found = self.outcomes(name, lambda: None)
            new = wanted(parts, OLD)
            self.assertEqual(set(found), {OLD, new}, name)
            self.assertEqual(found, sorted(found, key=lambda each: each == new))

    def test_what_others_append_meanwhile_stays(self):
        for name, parts in CHANGES.items():
            found = self.outcomes(name, lambda: self.append(OTHERS))
            new = wanted(parts, OLD)
            self.assertEqual(set(found), {OLD + OTHERS, new + OTHERS}, name)

    def test_even_if_that_is_more_than_was_cut(self):
        for name in ("shrinks", "cut", "grows", "appended"):
            more = OTHERS * 500
            found = self.outcomes(name, lambda more=more: self.append(more))
            new = wanted(CHANGES[name], OLD)
            self.assertEqual(set(found), {OLD + more, new + more}, name)

    def test_a_repair_that_is_killed_is_repaired(self):
        for name in ("grows", "shrinks", "in place"):
            new = wanted(CHANGES[name], OLD)
            number, died_at = 0, ""
            while died_at is not None:
                number += 1
                self.write(OLD)
                self.interrupted(CHANGES[name])
                self.append(OTHERS)
                died_at = traced.killed_at(number, lambda tell: self.with_file(repair))[
                    1
                ]
                self.append(OTHERS)
                self.with_file(repair)
                self.assertEqual(self.read(), new + OTHERS * 2, f"{name} {died_at}")
                self.assertEqual(self.left(), [])

    def interrupted(self, parts):
        """A rewrite of which half was written."""
        pwrite, count = os.pwrite, 0

        def dies(descriptor, octets, offset):
            nonlocal count
            count += 1
            if count == 2:
                pwrite(descriptor, octets[: len(octets) // 2], offset)
                raise KeyboardInterrupt
            return pwrite(descriptor, octets, offset)

        os.pwrite = dies
        try:
            self.with_file(rewrite, parts)
        except KeyboardInterrupt:
            pass
        finally:
            os.pwrite = pwrite

    def test_a_file_that_others_rewrote_is_left_alone(self):
        finish = journals._finish
        for name in ("grows", "shrinks", "in place", "turned"):
            self.write(OLD)
            self.patch(journals, "_finish", lambda *_: 1 / 0)
            self.assertRaises(ZeroDivisionError, self.with_file, rewrite, CHANGES[name])
            self.patch(journals, "_finish", finish)
            self.write(OTHERS * 50)
            self.with_file(repair)
            self.assertEqual(self.read(), OTHERS * 50, name)
            (aside,) = self.left()
            os.unlink(f"{self.folder}/{aside}")
        self.assertEqual(len(self.flushLoggedErrors()), 0)
