"""MTA-STS policies: fetched, kept, kept to."""

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.errors import StorageFull
from mailtwist.queue.https import HttpsFailed
from mailtwist.queue.sts_policies import FAILED_S, REFRESH_S, StsPolicies
from mailtwist.queue.tls_store import KeptPolicy
from tests.dns.zone import DOWN, Zone

ENFORCE = "version: STSv1\nmode: enforce\nmx: mx.b.test\nmax_age: 604800"
TESTING = ENFORCE.replace("enforce", "testing")
RECORD = {"TXT _mta-sts.b.test": [b"v=STSv1; id=1;"]}
WEEK_S = 604_800


class Web:
    """Answers in turn: a policy, (type, body), a fault or a Deferred."""

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), []

    async def get(self, url):
        self.asked.append(url)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, Deferred):
            return await answer
        return ("text/plain", answer.encode()) if isinstance(answer, str) else answer


class Memory:
    def __init__(self):
        self.kept, self.fault = {}, None

    async def policy(self, domain):
        if self.fault:
            raise self.fault
        return self.kept.get(domain)

    def keep_policy(self, domain, kept):
        self.kept[domain] = kept
        return succeed(None)


class StsPolicyTests(SynchronousTestCase):
    def setUp(self):
        self.clock, self.store, self.zone = Clock(), Memory(), Zone(RECORD)

    def world(self, *answers):
        self.web = Web(*answers)
        return StsPolicies(self.zone, self.web, self.store, now=self.clock.seconds)

    def mode(self, policies, domain="b.test"):
        found = self.successResultOf(Deferred.fromCoroutine(policies.policy(domain)))
        return found and found.mode

    def test_a_domain_without_a_record_has_no_policy(self):
        for rows in ({}, {"TXT _mta-sts.b.test": [b"other"]}, RECORD | {}):
            self.zone.table = rows
            policies = self.world(ENFORCE)
            wanted = "enforce" if rows == RECORD else None
            self.assertEqual(self.mode(policies), wanted)

    def test_a_policy_is_fetched_once(self):
        policies = self.world(ENFORCE)
        for _ in range(3):
            self.assertEqual(self.mode(policies), "enforce")
        self.assertEqual(
            self.web.asked, ["https://mta-sts.b.test/.well-known/mta-sts.txt"]
        )
        self.assertEqual(policies.text("b.test"), ENFORCE)

    def test_a_restart_fetches_nothing(self):
        self.mode(self.world(ENFORCE))
        self.assertEqual(self.mode(self.world()), "enforce")

    def test_a_new_id_brings_a_new_policy(self):
        policies = self.world(ENFORCE, TESTING)
        self.mode(policies)
        self.zone.table = {"TXT _mta-sts.b.test": [b"v=STSv1; id=2;"]}
        self.assertEqual(self.mode(policies), "testing")
        self.assertEqual(self.store.kept["b.test"].id, "2")

    def test_what_cannot_be_fetched_is_no_policy(self):
        for answer in (
            HttpsFailed("404"),
            ("text/html", ENFORCE.encode()),
            "version: STSv2",
        ):
            policies = self.world(answer)
            self.assertIsNone(self.mode(policies))
            self.assertIsNone(self.mode(policies), "not asked again at once")

    def test_after_a_while_a_failed_fetch_is_tried_again(self):
        policies = self.world(HttpsFailed("404"), ENFORCE)
        self.mode(policies)
        self.clock.advance(FAILED_S)
        self.assertEqual(self.mode(policies), "enforce")

    def test_the_old_policy_holds_if_the_new_one_cannot_be_had(self):
        policies = self.world(ENFORCE, HttpsFailed("reset"))
        self.mode(policies)
        self.zone.table = {"TXT _mta-sts.b.test": [b"v=STSv1; id=2;"]}
        self.assertEqual(self.mode(policies), "enforce")

    def test_a_policy_holds_for_its_age_whatever_dns_says(self):
        for rows in ({}, {"TXT _mta-sts.b.test": DOWN}):
            self.setUp()
            policies = self.world(ENFORCE)
            self.mode(policies)
            self.zone.table = rows
            self.clock.advance(WEEK_S)
            self.assertEqual(self.mode(policies), "enforce")
            self.clock.advance(1)
            self.assertIsNone(self.mode(policies))

    def test_a_policy_is_renewed_while_it_is_used(self):
        slow = Deferred()
        policies = self.world(ENFORCE, slow)
        self.mode(policies)
        self.clock.advance(REFRESH_S + 1)
        self.assertEqual(self.mode(policies), "enforce")
        self.assertEqual(len(self.web.asked), 2)
        slow.callback(("text/plain", TESTING.encode()))
        self.assertEqual(self.mode(policies), "testing")

    def test_mode_none_ends_a_policy(self):
        policies = self.world(ENFORCE, "version: STSv1\nmode: none\nmax_age: 60")
        self.mode(policies)
        self.zone.table = {"TXT _mta-sts.b.test": [b"v=STSv1; id=2;"]}
        self.assertEqual(self.mode(policies), "none")

    def test_a_store_that_fails_stops_nothing(self):
        self.store.fault = StorageFull()
        self.assertEqual(self.mode(self.world(ENFORCE)), "enforce")

    def test_a_kept_policy_that_is_damaged_is_fetched_anew(self):
        self.store.kept["b.test"] = KeptPolicy("1", 0.0, "damaged")
        self.assertEqual(self.mode(self.world(ENFORCE)), "enforce")

    def test_close_ends_what_is_under_way(self):
        slow, slower = Deferred(), Deferred()
        policies = self.world(slow)
        waits = Deferred.fromCoroutine(policies.policy("b.test"))
        policies.close()
        self.failureResultOf(waits, CancelledError)
        policies = self.world(ENFORCE, slower)
        self.mode(policies)
        self.clock.advance(REFRESH_S + 1)
        self.mode(policies)
        policies.close()
        self.assertTrue(slower.called)
