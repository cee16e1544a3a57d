"""What DMARC found, counted and reported."""

import gzip
import re
from base64 import b64decode

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from mailtwist.address import Address
from mailtwist.errors import StorageFull
from mailtwist.policy.dmarc_reports import FLUSH_S, LOOK_S, DmarcReports, counted
from mailtwist.policy.dmarc_store import DmarcStore, connect
from mailtwist.policy.origin_judging import Found
from mailtwist.queue.spool.thread import Direct
from mailtwist.queue.tls_reports import day_of
from mailtwist.queue.tlsrpt import Reporting
from mailtwist.trust.aggregate import decode
from mailtwist.trust.arc import ArcResult
from mailtwist.trust.dkim_verify import DkimResult
from mailtwist.trust.dmarc import DmarcResult
from mailtwist.trust.dmarc_record import policy
from mailtwist.trust.received import in_message
from mailtwist.trust.spf import SpfResult

from ..dns.zone import DOWN, Zone
from ..queue.test_tls_reports import Delivery, Router

DAY_S = 86_400
RECORD = b"v=DMARC1; p=reject; rua=mailto:r@a.test,mailto:r@c.test"
ZONE = {"TXT _dmarc.a.test": [RECORD]}
POLICY = policy("a.test", [RECORD])


def found(result="fail", applied="reject", **more):
    dmarc = DmarcResult(
        result,
        "a.test",
        more.pop("policy", POLICY),
        "reject",
        more.pop("disposition", "reject" if result == "fail" else "none"),
        spf_aligned=result == "pass",
    )
    return Found(
        more.pop("client", "192.0.2.1"),
        "mx.x.test",
        Address.parse("ann@x.test"),
        ("pass", ""),
        SpfResult("pass", "x.test"),
        SpfResult("none"),
        (DkimResult("fail", "a.test", "s1"),),
        ArcResult("none"),
        dmarc,
        applied=applied,
        **more,
    )


class CountedTests(SynchronousTestCase):
    def row(self, some):
        return counted(some, 0.0, "treewalk").row

    def test_a_line_tells_what_was_found_and_done(self):
        row = self.row(found())
        self.assertEqual(
            (row.source_ip, row.disposition, row.dkim, row.spf, row.header_from),
            ("192.0.2.1", "reject", "fail", "fail", "a.test"),
        )
        self.assertEqual(row.envelope_from, "x.test")
        self.assertEqual(row.spf_proofs[0].result, "pass")
        self.assertEqual(row.dkim_proofs[0].selector, "s1")

    def test_why_a_policy_was_not_followed(self):
        for some, wanted in (
            (found(), ""),
            (found(applied="none", trusted="list.test"), "trusted_forwarder"),
            (found(applied="quarantine", disposition="quarantine"), "sampled_out"),
            (found(applied="none"), "local_policy"),
            (found("pass", "none"), ""),
        ):
            self.assertEqual(self.row(some).override, wanted)

    def test_nobody_who_wants_no_report_is_counted(self):
        silent = policy("a.test", [b"v=DMARC1; p=reject"])
        for some in (
            found(policy=silent),
            found(policy=None),
            found("temperror"),
            found("none"),
        ):
            self.assertIsNone(counted(some, 0.0, "psl"))


class ReportsTests(SynchronousTestCase):
    def setUp(self):
        self.path = self.mktemp()
        self.clock, self.zone, self.delivery = Clock(), Zone(ZONE), Delivery()
        self.clock.advance(1000 * DAY_S)
        self.reports = self.started()

    def started(self):
        self.runner = Direct(connect(self.path), writes=True)
        reports = DmarcReports(
            clock=self.clock,
            resolver=self.zone,
            store=DmarcStore(None, "", runner=self.runner),
            router=Router(),
            delivery=self.delivery,
            reporting=Reporting("mail.b.test", "postmaster@b.test"),
            new_id=lambda: "id1",
            discovery_method="treewalk",
        )
        reports.start()
        reports.lead()
        return reports

    def next_day(self):
        self.clock.pump([LOOK_S] * int(DAY_S / LOOK_S * 1.25))

    def kept(self):
        store = DmarcStore(None, "", runner=Direct(connect(self.path), writes=True))
        today = day_of(self.clock.seconds())
        return [n for _, n in self.successResultOf(store.counted(today, "a.test"))]

    def sent(self):
        return [
            (str(envelope.recipients[0].address), in_message(octets)[0])
            for envelope, octets in self.delivery.messages
        ]

    def test_messages_are_counted_and_made_durable(self):
        for client in ("192.0.2.1", "192.0.2.1", "192.0.2.2"):
            self.reports.told(found(client=client))
        self.assertEqual(self.kept(), [])
        self.clock.advance(FLUSH_S)
        self.assertEqual(self.kept(), [2, 1])

    def test_a_stop_keeps_what_was_counted(self):
        self.reports.told(found())
        self.successResultOf(Deferred.fromCoroutine(self.reports.stop()))
        self.assertEqual(self.kept(), [1])

    def test_a_day_is_reported_when_it_is_over(self):
        self.reports.told(found())
        self.reports.told(found("pass", "none"))
        self.next_day()
        ((to, report),) = self.sent()
        self.assertEqual(to, "r@a.test")
        self.assertEqual(report.published.domain, "a.test")
        self.assertEqual(sorted(row.spf for row, _ in report.rows), ["fail", "pass"])
        self.assertEqual(
            (report.begin_s, report.end_s), (1000 * DAY_S, 1001 * DAY_S - 1)
        )
        self.next_day()
        self.assertEqual(len(self.sent()), 1)

    def test_another_domain_gets_reports_only_if_it_agreed(self):
        self.zone.table["TXT a.test._report._dmarc.c.test"] = [b"v=DMARC1;"]
        self.reports.told(found())
        self.next_day()
        self.assertEqual([to for to, _ in self.sent()], ["r@a.test", "r@c.test"])

    def test_a_domain_of_the_same_organization_need_not_agree(self):
        record = b"v=DMARC1; p=reject; rua=mailto:r@b.a.test"
        self.zone.table |= {"TXT _dmarc.x.a.test": [record]}
        some = found(policy=policy("x.a.test", [record]))
        self.reports.told(some)
        self.next_day()
        self.assertEqual([to for to, _ in self.sent()], ["r@b.a.test"])

    def test_nothing_is_sent_to_who_stopped_asking(self):
        self.reports.told(found())
        self.clock.advance(FLUSH_S)
        self.zone.table["TXT _dmarc.a.test"] = [b"v=DMARC1; p=none"]
        self.next_day()
        self.assertEqual(self.delivery.messages, [])
        self.assertEqual(self.kept(), [])

    def test_a_report_waits_while_DNS_or_the_queue_is_down(self):
        self.reports.told(found())
        self.clock.advance(FLUSH_S)
        self.zone.table["TXT _dmarc.a.test"] = DOWN
        self.next_day()
        self.assertEqual(self.delivery.messages, [])
        self.zone.table["TXT _dmarc.a.test"] = [RECORD]
        self.delivery.fault = StorageFull()
        self.clock.advance(LOOK_S)
        self.delivery.fault = None
        self.clock.advance(LOOK_S)
        self.assertEqual(len(self.sent()), 1)

    def test_a_report_is_mail_that_programs_know(self):
        self.reports.told(found())
        self.next_day()
        ((envelope, octets),) = self.delivery.messages
        self.assertIsNone(envelope.reverse_path)
        self.assertEqual(envelope.signing, "author")
        self.assertIn(
            b"Subject: Report Domain: a.test\r\n\tSubmitter: mail.b.test", octets
        )
        name = rb'filename="mail\.b\.test!a\.test!86400000!86486399\.xml\.gz"'
        self.assertTrue(re.search(name, octets))
        body = octets.rpartition(b"\r\n\r\n")[2].partition(b"--=_")[0]
        xml = gzip.decompress(b64decode(body))
        self.assertEqual(decode(xml).org_name, "mail.b.test")
        self.assertNotIn(b"\n", octets.replace(b"\r\n", b""))


class ThreadTests(TestCase):
    async def test_counts_add_up_on_disk(self):
        path = self.mktemp()
        key = counted(found(), 1000.0 * DAY_S, "treewalk")
        for _ in range(2):
            store = DmarcStore(reactor, path)
            await store.count({key: 2})
            await store.close()
        store = DmarcStore(reactor, path)
        self.assertEqual(await store.counted(key.day, "a.test"), [(key, 4)])
        self.assertEqual(await store.waiting("9999-01-01"), [(key.day, "a.test")])
        await store.forget(key.day, "a.test")
        self.assertEqual(await store.waiting("9999-01-01"), [])
        await store.close()
