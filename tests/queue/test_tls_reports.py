"""TLS results counted and reported."""

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.address import Address
from mailtwist.delivery.model import RemoteRecipient
from mailtwist.errors import StorageFull
from mailtwist.queue.https import HttpsFailed
from mailtwist.queue.model import Host, TlsRule
from mailtwist.queue.spool.thread import Direct
from mailtwist.queue.tls_reports import FLUSH_S, LOOK_S, MEDIA_TYPE, TlsReports, day_of
from mailtwist.queue.tls_store import TlsStore, connect
from mailtwist.queue.tlsrpt import Reporting
from tests.dns.zone import DOWN, Zone

DAY_S = 86_400
WANTED = {"TXT _smtp._tls.b.test": [b"v=TLSRPTv1; rua=mailto:r@c.test"]}
HOST = Host("mx.b.test", 25, ("192.0.2.1",))


class Post:
    def __init__(self):
        self.posted, self.fault = [], None

    async def post(self, url, kind, octets):
        self.posted.append((url, kind))
        if self.fault:
            raise self.fault


class Router:
    async def resolve(
        self, address, *, may_relay, size_octets=None, sender=None, behind=""
    ):
        return RemoteRecipient(address)


class Delivery:
    """An IDelivery that keeps what it is given."""

    def __init__(self):
        self.messages, self.fault = [], None

    def begin(self, envelope):
        self.envelope, self.octets = envelope, b""
        return self

    def write(self, octets):
        self.octets += octets

    async def commit(self):
        if self.fault is None:
            self.messages.append((self.envelope, self.octets))
        return [self.fault]


class TlsReportTests(SynchronousTestCase):
    def setUp(self):
        self.path = self.mktemp()
        self.clock, self.zone = Clock(), Zone(WANTED)
        self.clock.advance(1000 * DAY_S)  # midnight of some day
        self.post, self.delivery = Post(), Delivery()
        self.reports = self.started()

    def started(self):
        self.store = TlsStore(None, "", runner=Direct(connect(self.path), writes=True))
        reports = TlsReports(
            clock=self.clock,
            resolver=self.zone,
            store=self.store,
            https=self.post,
            router=Router(),
            delivery=self.delivery,
            reporting=Reporting("mail.a.test", "postmaster@a.test"),
            new_id=lambda: "id1",
            sts_text=lambda domain: f"policy of {domain}",
        )
        reports.start()
        return reports

    def stop(self):
        self.successResultOf(Deferred.fromCoroutine(self.reports.stop()))

    def counted(self, domain="b.test"):
        today = day_of(self.clock.seconds())
        return [
            (r.key.failure, r.count)
            for r in self.successResultOf(self.store.results(today, domain))
        ]

    def next_day(self):
        self.clock.pump([LOOK_S] * int(DAY_S / LOOK_S * 1.25))

    def test_results_are_counted_and_made_durable(self):
        for failure in ("", "", "validation-failure"):
            self.reports.told("b.test", HOST, "192.0.2.1", failure)
        self.assertEqual(self.counted(), [])
        self.clock.advance(FLUSH_S)
        self.assertEqual(self.counted(), [("", 2), ("validation-failure", 1)])

    def test_a_stop_keeps_what_was_counted(self):
        self.reports.told("b.test", HOST, "192.0.2.1", "")
        self.stop()
        self.assertEqual(self.counted(), [("", 1)])

    def test_nobody_who_wants_no_reports_is_counted(self):
        self.reports.told("other.test", HOST, "192.0.2.1", "")
        self.clock.advance(FLUSH_S)
        self.assertEqual(self.counted("other.test"), [])

    def test_a_domain_that_cannot_be_asked_now_is_counted(self):
        self.zone.table = {"TXT _smtp._tls.b.test": DOWN}
        self.reports.told("b.test", HOST, "192.0.2.1", "")
        self.clock.advance(FLUSH_S)
        self.assertEqual(self.counted(), [("", 1)])

    def test_the_policy_is_told(self):
        for rule, kind, policy in (
            (TlsRule("verify", policy="sts"), "sts", "policy of b.test"),
            (
                TlsRule("dane", tlsa=((3, 1, 1, b"\1\2"),), policy="tlsa"),
                "tlsa",
                "3 1 1 0102",
            ),
            (TlsRule(), "no-policy-found", ""),
        ):
            self.setUp()
            host = Host("mx.b.test", 25, ("192.0.2.1",), rule)
            self.reports.told("b.test", host, "192.0.2.1", "")
            self.clock.advance(FLUSH_S)
            today = day_of(self.clock.seconds())
            (found,) = self.successResultOf(self.store.results(today, "b.test"))
            self.assertEqual((found.key.kind, found.key.policy), (kind, policy))

    def test_a_day_is_reported_once_when_it_is_over(self):
        self.reports.told("b.test", HOST, "192.0.2.1", "")
        self.clock.pump([LOOK_S] * 40)
        self.assertEqual(self.delivery.messages, [])
        self.next_day()
        ((envelope, octets),) = self.delivery.messages
        self.assertIsNone(envelope.reverse_path)
        (recipient,) = envelope.recipients
        self.assertEqual(recipient.address, Address("r", "c.test"))
        self.assertEqual(recipient.notify.when, {"NEVER"})
        self.assertIn(b"application/tlsrpt+gzip", octets)
        self.next_day()
        self.assertEqual(len(self.delivery.messages), 1)

    def test_a_report_goes_by_https_if_that_is_asked_for(self):
        self.zone.table = {
            "TXT _smtp._tls.b.test": [b"v=TLSRPTv1; rua=https://b.test/tls"]
        }
        self.reports.told("b.test", HOST, "192.0.2.1", "")
        self.next_day()
        self.assertEqual(self.post.posted, [("https://b.test/tls", MEDIA_TYPE)])

    def test_a_report_that_does_not_go_out_is_tried_again_but_not_for_ever(self):
        for domain, fault in (
            ("mailto:r@c.test", StorageFull()),
            ("https://b.test", 0),
        ):
            self.setUp()
            self.delivery.fault = fault or None
            self.post.fault = HttpsFailed("down")
            self.zone.table = {
                "TXT _smtp._tls.b.test": [b"v=TLSRPTv1; rua=" + domain.encode()]
            }
            self.reports.told("b.test", HOST, "192.0.2.1", "")
            self.next_day()
            today = day_of(self.clock.seconds())
            self.assertEqual(len(self.successResultOf(self.store.waiting(today))), 1)
            for _ in range(8):
                self.next_day()
            today = day_of(self.clock.seconds())
            self.assertEqual(self.successResultOf(self.store.waiting(today)), [])

    def test_what_was_not_reported_is_after_a_restart(self):
        self.reports.told("b.test", HOST, "192.0.2.1", "")
        self.stop()
        self.clock.advance(2 * DAY_S)
        self.reports = self.started()
        self.assertEqual(len(self.delivery.messages), 1)

    def test_who_wants_none_any_more_gets_none(self):
        self.reports.told("b.test", HOST, "192.0.2.1", "")
        self.clock.advance(FLUSH_S)
        self.zone.table = {}
        self.next_day()
        self.assertEqual(self.delivery.messages, [])
        today = day_of(self.clock.seconds())
        self.assertEqual(self.successResultOf(self.store.waiting(today)), [])
