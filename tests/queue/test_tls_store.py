"""What is remembered of TLS, on disk."""

import os

from twisted.internet import reactor
from twisted.trial.unittest import SynchronousTestCase, TestCase

from mailtwist.queue.spool.thread import Direct
from mailtwist.queue.tls_store import FILE, KeptPolicy, TlsStore, connect
from mailtwist.queue.tlsrpt import Key, Result

POLICY = KeptPolicy("id1", 5.0, "version: STSv1")


def key(day="2026-11-23", domain="b.test", failure=""):
    return Key(day, domain, "sts", "mode: enforce", "mx.b.test", "192.0.2.1", failure)


class TlsStoreTests(SynchronousTestCase):
    def setUp(self):
        self.path = self.mktemp()
        self.store = self.opened()

    def opened(self):
        runner = Direct(connect(self.path), writes=True)
        store = TlsStore(None, self.path, runner=runner)
        self.addCleanup(store.close)
        return store

    def got(self, deferred):
        return self.successResultOf(deferred)

    def test_a_policy_is_there_after_a_restart(self):
        self.got(self.store.keep_policy("b.test", KeptPolicy("id0", 1.0, "old")))
        self.got(self.store.keep_policy("b.test", POLICY))
        self.assertEqual(self.got(self.opened().policy("b.test")), POLICY)
        self.assertIsNone(self.got(self.store.policy("c.test")))

    def test_counts_add_up(self):
        self.got(self.store.count({key(): 2, key(failure="x"): 1}))
        self.got(self.opened().count({key(): 3}))
        self.assertEqual(
            self.got(self.store.results("2026-11-23", "b.test")),
            [Result(key(), 5), Result(key(failure="x"), 1)],
        )

    def test_days_that_are_over_wait_to_be_reported(self):
        days = ("2026-11-22", "2026-11-23", "2026-11-24")
        self.got(self.store.count({key(day): 1 for day in reversed(days)}))
        self.got(self.store.count({key(domain="c.test"): 1}))
        self.assertEqual(
            self.got(self.store.waiting("2026-11-24")),
            [
                ("2026-11-22", "b.test"),
                ("2026-11-23", "b.test"),
                ("2026-11-23", "c.test"),
            ],
        )
        self.got(self.store.forget("2026-11-23", "b.test"))
        self.assertEqual(self.got(self.store.results("2026-11-23", "b.test")), [])
        self.assertEqual(len(self.got(self.store.waiting("2026-11-24"))), 2)


class ThreadTests(TestCase):
    async def test_it_works_from_the_reactor_too(self):
        os.mkdir(folder := self.mktemp())
        store = TlsStore(reactor, os.path.join(folder, FILE))
        await store.keep_policy("b.test", POLICY)
        self.assertEqual(await store.policy("b.test"), POLICY)
        await store.close()
