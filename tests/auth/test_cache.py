"""Tests for mailtwist.auth.cache."""

import pickle

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.auth import cache
from mailtwist.auth.cache import PasswordCache


class CacheTests(SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()
        self.cache = PasswordCache(self.clock.seconds, 60, 5)

    def found(self, password=b"pw", key="ann@x.test", protocol="pop3"):
        answer = self.cache.find(key, protocol, password)
        return None if answer is None else answer.avatar_id or "refused"

    def test_answers_last_their_time(self):
        self.cache.keep("ann@x.test", "pop3", b"pw", b"ann")
        self.cache.keep("ann@x.test", "pop3", b"no", None)
        self.assertEqual((self.found(), self.found(b"no")), (b"ann", "refused"))
        self.clock.advance(5)
        self.assertEqual((self.found(), self.found(b"no")), (b"ann", None))
        self.clock.advance(55)
        self.assertIsNone(self.found())

    def test_another_user_password_or_protocol_is_another_answer(self):
        self.cache.keep("ann@x.test", "pop3", b"pw", b"ann")
        self.assertIsNone(self.found(b"pW"))
        self.assertIsNone(self.found(key="bob@x.test"))
        self.assertIsNone(self.found(protocol="imap4"))

    def test_a_new_right_password_ends_the_old_one(self):
        self.cache.keep("ann@x.test", "pop3", b"old", b"ann")
        self.cache.keep("ann@x.test", "imap4", b"new", b"ann")
        self.assertIsNone(self.found(b"old"))

    def test_a_source_that_changed_is_asked_anew(self):
        self.cache.fresh(1)
        self.cache.keep("ann@x.test", "pop3", b"pw", b"ann")
        self.cache.fresh(1)
        self.assertEqual(self.found(), b"ann")
        self.cache.fresh(2)
        self.assertIsNone(self.found())

    def test_it_is_bounded_and_holds_no_password(self):
        self.patch(cache, "MOST_REMEMBERED", 3)
        for number in range(9):
            self.cache.keep(f"u{number}", "pop3", b"s3cret-pass", b"u")
        self.assertEqual(len(self.cache._answers), 3)
        self.assertEqual(len(self.cache._right), 3)
        held = pickle.dumps([list(self.cache._answers), self.cache._right])
        self.assertNotIn(b"s3cret", held + repr(self.cache).encode())

    def test_no_time_is_no_memory(self):
        self.cache = PasswordCache(self.clock.seconds, 0, 0)
        self.cache.keep("ann@x.test", "pop3", b"pw", b"ann")
        self.assertIsNone(self.found())
