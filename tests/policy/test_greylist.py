"""Greylisting: who is asked to come back, who is let in, and what is remembered."""

import os
import shutil
import tempfile
from functools import partial

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.address import Address
from mailtwist.config.gating import Gate
from mailtwist.errors import SystemBusy
from mailtwist.policy import greylist_store
from mailtwist.policy.faults import Greylisted
from mailtwist.policy.greylist import STORE_S, Greylist, key_of, wide_network
from mailtwist.policy.greylist_store import GreylistStore, Met, connect
from mailtwist.policy.model import Verdict, Visit
from mailtwist.queue.spool.thread import Direct

from .rooms import MemoryResolver

DAY_S = 86_400
SPF = {("TXT", "spf.test"): [b"v=spf1 ip4:192.0.2.0/24 -all"]}


def visit(address="192.0.2.7", sender="carol@client.test", to="ann@here.test", **more):
    made = Visit(address, "smtp", **{"helo": "mx.client.test"} | more)
    if sender:
        made.sender = Address(*sender.split("@"))
    made.recipient = Address(*to.split("@"))
    return made


class StoreTestCase(SynchronousTestCase):
    def setUp(self):
        self.now = 1_700_000_000
        self.folder = tempfile.mkdtemp(prefix="mailtwist-greylist-")
        self.addCleanup(shutil.rmtree, self.folder)

    def store(self, **options):
        connection = connect(os.path.join(self.folder, "greylist.sqlite"))
        self.addCleanup(connection.close)
        return GreylistStore(
            None,
            "",
            Gate(**options),
            lambda: self.now,
            runner=Direct(connection, writes=True),
        )

    def met(self, store, key=b"a", network="192.0.2.0/24"):
        return self.successResultOf(store.met(network, key))


class StoreTests(StoreTestCase):
    def test_who_comes_back_in_time_is_let_in(self):
        store = self.store(greylist_networks_after=0)
        rows = (
            (0, Met(300), "unknown"),
            (100, Met(200), "too early, and the time goes on"),
            (199, Met(1), "still too early"),
            (1, Met(waited_s=300), "in time"),
            (1, Met(), "known"),
            (35 * DAY_S, Met(), "known for long, and remembered anew"),
            (35 * DAY_S, Met(), "because it came"),
            (36 * DAY_S, Met(300), "too long away: as one that is unknown"),
            (2 * DAY_S + 1, Met(300), "did not come back in time"),
            (2 * DAY_S, Met(waited_s=2 * DAY_S), "just in time"),
        )
        for passed_s, told, reason in rows:
            self.now += passed_s
            self.assertEqual(self.met(store), told, reason)

    def test_a_network_that_came_back_often_is_let_in_with_everything(self):
        store = self.store(greylist_networks_after=2)
        for key in (b"a", b"b"):
            self.met(store, key)
            self.now += 300
            self.assertFalse(self.met(store, key).network)
        self.assertEqual(self.met(store, b"c"), Met(network=True))
        self.assertEqual(self.met(store, b"c", "198.51.100.0/24"), Met(300))
        self.now += 35 * DAY_S
        self.assertTrue(self.met(store, b"d").network)
        self.now += 35 * DAY_S
        self.assertTrue(self.met(store, b"d").network)
        self.now += 36 * DAY_S
        self.assertEqual(self.met(store, b"d"), Met(300))

    def test_what_two_processes_met_is_known_to_both(self):
        one, two = self.store(), self.store()
        self.assertEqual(self.met(one), Met(300))
        self.now += 300
        self.assertEqual(self.met(two), Met(waited_s=300))
        self.assertEqual(self.met(one), Met())

    def test_a_clock_that_goes_back_begins_anew(self):
        store = self.store()
        self.met(store)
        self.now -= 1000
        self.assertEqual(self.met(store), Met(300))

    def test_rows_are_bounded_and_those_that_came_back_stay(self):
        self.patch(greylist_store, "PURGE_ROWS", 10)
        store = self.store(greylist_rows=1000, greylist_networks_after=0)
        self.met(store, b"good")
        self.now += 300
        self.met(store, b"good")
        for number in range(1500):
            self.now += 1
            self.met(store, b"%d" % number, f"network {number}")
        db = connect(os.path.join(self.folder, "greylist.sqlite"))
        self.addCleanup(db.close)
        ((rows,),) = db.execute("SELECT count(*) FROM meeting")
        self.assertLessEqual(rows, 1010)
        self.assertEqual(self.met(store, b"good"), Met())

    def test_old_rows_go(self):
        store = self.store()
        self.met(store, b"never came back")
        self.met(store, b"good")
        self.now += 300
        self.met(store, b"good")
        self.now += 40 * DAY_S
        self.met(store, b"new")
        db = connect(os.path.join(self.folder, "greylist.sqlite"))
        self.addCleanup(db.close)
        self.assertEqual(db.execute("SELECT key FROM meeting").fetchall(), [(b"new",)])
        self.assertEqual(db.execute("SELECT * FROM network").fetchall(), [])

    def test_a_commit_does_not_sync(self):
        db = connect(os.path.join(self.folder, "greylist.sqlite"))
        self.addCleanup(db.close)
        self.assertEqual(db.execute("PRAGMA synchronous").fetchone(), (1,))  # NORMAL
        self.assertEqual(db.execute("PRAGMA journal_mode").fetchone(), ("wal",))


class GreylistTests(StoreTestCase):
    def setUp(self):
        super().setUp()
        self.clock, self.records, self.asked = Clock(), [], []
        self.resolver = MemoryResolver(SPF)

    def greylist(self, met=None, **options):
        met = met or self.store(**options).met

        def ask(network, key):
            self.asked.append(network)
            return met(network, key)

        return Greylist(
            Gate(**options),
            ask,
            self.resolver,
            self.clock,
            "mail.here.test",
            lambda: self.now,
            lambda session, decisions: self.records.extend(decisions),
        )

    def ask(self, made, seen):
        return Deferred.fromCoroutine(made.check(seen))

    def lets_in(self, made, seen):
        self.assertIs(self.successResultOf(self.ask(made, seen)), Verdict.GO_ON)
        (decision,) = seen.decisions.values()
        return decision.detail

    def puts_off(self, made, seen):
        return self.failureResultOf(self.ask(made, seen), Greylisted).value

    def test_an_unknown_client_is_told_when_to_come_back(self):
        made = self.greylist()
        fault = self.puts_off(made, visit())
        self.assertEqual((fault.code, fault.status), (450, "4.7.1"))
        self.assertEqual(fault.public, "Greylisted, try again in 300 seconds")
        (decision,) = self.records
        self.assertEqual(
            decision.line,
            "greylist ann@here.test put off (to come back in 300 s) by gate.greylist",
        )
        self.now += 301
        seen = visit("192.0.2.200", sender="dave@CLIENT.test")  # of the same network
        self.assertEqual(self.lets_in(made, seen), "came back after 301 s")
        self.assertEqual(self.lets_in(made, visit()), "is known")

    def test_sender_recipient_and_network_count(self):
        made = self.greylist()
        self.puts_off(made, visit())
        self.now += 300
        for seen in (
            visit(sender="carol@other.test"),
            visit(sender=""),
            visit(to="bob@here.test"),
            visit("192.0.3.7"),
            visit("2001:db8::7"),
        ):
            self.assertIn("in 300", self.puts_off(made, seen).public)

    def test_a_known_network_is_remembered_without_the_store(self):
        made = self.greylist(met=lambda network, key: succeed(Met(network=True)))
        for _ in range(3):
            self.assertEqual(self.lets_in(made, visit()), "192.0.2.0/24 is known")
        self.assertEqual(self.asked, ["192.0.2.0/24"])
        self.clock.advance(601)
        self.lets_in(made, visit())
        self.assertEqual(len(self.asked), 2)

    def test_who_may_send_for_the_domain_is_let_in(self):
        made = self.greylist()
        seen = visit(sender="x@spf.test")
        self.assertEqual(self.lets_in(made, seen), "SPF lets the client send")
        self.puts_off(made, visit("198.51.100.1", sender="x@spf.test"))
        self.puts_off(self.greylist(greylist_spf=False), visit(sender="x@spf.test"))

    def test_SPF_that_takes_too_long_lets_nobody_in(self):
        made = self.greylist()
        self.resolver.wait_for("spf.test")
        asked = self.ask(made, visit(sender="x@spf.test"))
        self.assertNoResult(asked)
        self.clock.advance(5.1)
        self.failureResultOf(asked, Greylisted)

    def test_who_is_on_a_good_list_is_let_in(self):
        seen = visit()
        seen.points = -1
        told = self.lets_in(self.greylist(), seen)
        self.assertEqual(told, "a good list knows the client")
        self.assertEqual(self.asked, [])

    def test_logins_trusted_networks_and_local_clients_are_not_asked(self):
        made = self.greylist()
        for seen in (visit(trusted=True), visit(login="ann"), visit("local")):
            self.assertIs(self.successResultOf(self.ask(made, seen)), Verdict.GO_ON)
        self.assertEqual(self.asked, [])

    def test_a_store_that_cannot_tell_lets_everybody_in(self):
        broken = self.greylist(met=lambda network, key: fail(SystemBusy()))
        self.assertEqual(self.lets_in(broken, visit()), "the store does not answer")
        slow = self.greylist(met=lambda network, key: Deferred())
        seen = visit()
        asked = self.ask(slow, seen)
        self.clock.advance(STORE_S + 1)
        self.assertIs(self.successResultOf(asked), Verdict.GO_ON)

    @given(st.ip_addresses())
    def test_a_network_holds_its_neighbours(self, ip):
        network = wide_network(str(ip))
        neighbour = type(ip)(int(ip) ^ 1)
        self.assertEqual(wide_network(str(neighbour)), network)
        self.assertTrue(network.endswith("/24" if ip.version == 4 else "/64"))

    def test_the_whole_address_counts_if_that_is_configured(self):
        made = partial(key_of, "n")
        one, two = visit(sender="a@client.test"), visit(sender="b@client.test")
        self.assertEqual(made(one, Gate()), made(two, Gate()))
        whole = Gate(greylist_sender="address")
        self.assertNotEqual(made(one, whole), made(two, whole))
