"""Senders that are too long to be rewritten are kept, and come back."""

import os
import sqlite3
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.address import MOST_LOCAL_PART, Address
from mailtwist.delivery.senders import Senders
from mailtwist.delivery.srs import DAY_S, Srs, is_srs
from mailtwist.delivery.srs_store import SenderStore, connect
from mailtwist.errors import LookupFailed, NoSuchUser
from mailtwist.queue.spool.thread import Direct
from mailtwist.secret import Secret

NOW_S = 1_800_000_000.0
SRS = Srs(lambda: Secret(b"k" * 32), "fwd.test")
LONG = Address("bounce-" + "4" * 50, "mail.example")


class SenderTestCase(SynchronousTestCase):
    def setUp(self):
        self.now_s = NOW_S
        self.path = self.mktemp()
        self.connection = connect(self.path)
        self.connection.execute("PRAGMA synchronous=OFF")  # no power is cut here
        self.store = self.stored()
        self.senders = Senders(SRS, lambda: self.now_s, self.store)

    def stored(self, **more):
        runner = Direct(self.connection, writes=True)
        return SenderStore(None, self.path, SRS.valid_days, runner=runner, **more)

    def tearDown(self):
        self.connection.close()

    def forward(self, sender):
        return self.successResultOf(
            Deferred.fromCoroutine(self.senders.forward(sender))
        )

    def asked(self, local_part):
        return Deferred.fromCoroutine(self.senders.reverse(local_part))

    def rows(self):
        return self.connection.execute("SELECT count(*) FROM sender").fetchone()[0]


class SenderTests(SenderTestCase):
    def test_a_short_one_is_not_kept(self):
        short = Address("ann", "else.test")
        rewritten = self.forward(short)
        self.assertEqual(rewritten, SRS.forward(short, NOW_S))
        back = self.successResultOf(self.asked(rewritten.local_part))
        self.assertEqual((back, self.rows()), (short, 0))

    def test_a_long_one_is_kept_under_a_form_of_its_own(self):
        rewritten = self.forward(LONG)
        self.assertRegex(
            str(rewritten), r"^SRS0=[A-Z2-7]{6}=[A-Z2-7]{2}=-=[A-Z2-7]{26}@fwd\.test$"
        )
        self.assertTrue(is_srs(rewritten.local_part))
        for text in (rewritten.local_part, rewritten.local_part.lower()):
            self.assertEqual(self.successResultOf(self.asked(text)), LONG)

    @given(st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=50))
    def test_any_long_one_fits_and_comes_back(self, text):
        sender = Address(text[:MOST_LOCAL_PART], "far.example")
        rewritten = self.forward(sender)
        self.assertLessEqual(len(rewritten.local_part), MOST_LOCAL_PART)
        back = self.successResultOf(self.asked(rewritten.local_part))
        self.assertEqual(back, sender)

    def test_the_sender_of_another_forwarder_is_kept_as_a_whole(self):
        first = Address("SRS0=ABCDEF=TT=" + "d" * 36 + ".test=annabel", "other.test")
        rewritten = self.forward(first)
        back = self.successResultOf(self.asked(rewritten.local_part))
        self.assertEqual(back, first)

    def test_what_was_forged_or_is_too_old_is_nobody(self):
        local_part = self.forward(LONG).local_part
        for text in (
            local_part[:-1] + ("A" if local_part[-1] != "A" else "B"),
            local_part.replace("SRS0=", "SRS0=A"),
            "SRS0=AAAAAA=AA=-=AAAA",
        ):
            self.failureResultOf(self.asked(text), NoSuchUser)
        self.now_s += 22 * DAY_S
        self.failureResultOf(self.asked(local_part), NoSuchUser)

    def test_one_whose_row_is_gone_is_nobody(self):
        local_part = self.forward(LONG).local_part
        self.connection.execute("DELETE FROM sender")
        self.failureResultOf(self.asked(local_part), NoSuchUser)

    def test_without_a_store_a_long_one_is_left_as_it_is(self):
        self.senders = Senders(SRS, lambda: NOW_S)
        self.assertIsNone(self.forward(LONG))
        self.failureResultOf(self.asked("SRS0=AAAAAA=AA=-=AAAA"), NoSuchUser)


class StoreTests(SenderTestCase):
    def others(self, count):
        return [Address(f"{n:060}", "x.example") for n in range(count)]

    def test_one_sender_has_one_row(self):
        for _ in range(3):
            self.forward(LONG)
            self.now_s += DAY_S
        self.assertEqual(self.rows(), 1)

    def test_what_is_in_use_stays_and_the_old_makes_room(self):
        early, late = self.others(2)
        self.forward(LONG)
        self.forward(early)
        self.now_s += 15 * DAY_S
        self.forward(LONG)
        self.now_s += 15 * DAY_S
        rewritten = self.forward(late)
        self.assertEqual(self.rows(), 2)  # `early` is gone
        self.assertEqual(self.successResultOf(self.asked(rewritten.local_part)), late)

    def test_a_full_store_takes_no_more_and_loses_nothing(self):
        self.senders = Senders(SRS, lambda: self.now_s, self.stored(most=2))
        one, two, three = self.others(3)
        kept = [self.forward(each) for each in (one, two, three)]
        self.assertIsNone(kept[2])
        self.assertEqual(self.successResultOf(self.asked(kept[0].local_part)), one)
        self.assertIsNotNone(self.forward(two))

    def test_a_store_that_cannot_be_asked_is_a_fault_that_passes(self):
        self.connection.execute("DROP TABLE sender")
        asked = Deferred.fromCoroutine(self.senders.forward(LONG))
        self.failureResultOf(asked, LookupFailed)

    def test_the_file_is_the_servers_also_if_root_asked_first(self):
        folder = Path(self.mktemp())
        folder.mkdir()
        if os.geteuid() == 0:
            os.chown(folder, 4242, 4242)
        connect(str(folder / "srs.sqlite")).close()
        seen = (folder / "srs.sqlite").stat()
        self.assertEqual(seen.st_uid, folder.stat().st_uid)
        self.assertEqual(seen.st_mode & 0o777, 0o600)

    def test_what_was_answered_is_in_the_file(self):
        self.forward(LONG)
        other = sqlite3.connect(self.path)
        self.addCleanup(other.close)
        [(address,)] = other.execute("SELECT address FROM sender").fetchall()
        self.assertEqual(address, str(LONG))
