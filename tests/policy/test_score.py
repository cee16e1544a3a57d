"""Points of clients, by lists in DNS and by what they do."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.address import Address
from mailtwist.config.gating import DnsList, Gate, dns_list
from mailtwist.errors import MailError
from mailtwist.policy.dns_lists import LEFT_OUT_S, MOST_SILENT, DnsLists, address_key
from mailtwist.policy.model import Verdict, Visit
from mailtwist.policy.score import Score

from .rooms import MemoryResolver

BAD, GOOD = "bad.test", "good.test"
LISTED = {
    ("A", f"7.2.0.192.{BAD}"): ["127.0.0.4"],
    ("TXT", f"7.2.0.192.{BAD}"): [b"see http://bad.test/\xff\r\n"],
    ("A", f"8.2.0.192.{BAD}"): ["127.0.0.4"],
    ("A", f"8.2.0.192.{GOOD}"): ["127.0.5.2"],
    ("A", f"9.2.0.192.{BAD}"): ["127.255.255.254"],
    ("A", f"10.2.0.192.{BAD}"): ["198.51.100.1"],
    ("A", f"11.2.0.192.{BAD}"): ["127.0.0.1"],
    ("A", f"liar.test.{BAD}"): ["127.0.1.2"],
    ("PTR", "192.0.2.20"): ["mx.client.test"],
    ("A", "mx.client.test"): ["192.0.2.20"],
}
NUMBERS = st.integers(0, 255)


def visit(address="192.0.2.7", **changes):
    return Visit(address, "smtp", **{"helo": "mx.client.test"} | changes)


class DnsListTests(SynchronousTestCase):
    def test_what_is_written_is_read(self):
        rows = (
            ("bad.test", DnsList(BAD), "any answer counts 1"),
            ("BAD.test.*-2", DnsList(BAD, None, -2), "a final dot, any case"),
            ("bad.test*+3", DnsList(BAD, None, 3), "a sign"),
        )
        for text, made, reason in rows:
            self.assertEqual(dns_list(text), made, reason)

    def test_what_is_no_list_is_told(self):
        rows = (
            *("", "bad", "bad.test=", "bad.test*", "bad.test=127.0.0", "bad test"),
            *("bad.test=127.0.0.0.0", "bad.test=127.0.0.[2..", "bad.test=127.0.0.256"),
            *(
                "bad.test=127.0.0.[9..2]",
                "bad.test*99999",
                "bad.test=127.0.0.2.",
                "-a.b",
            ),
            *(
                "bad.test=127.0.0.[]",
                "bad.test=127..0.2",
                "a..b",
                "bad.test*2=127.0.0.1",
            ),
        )
        for text in rows:
            with self.assertRaises(ValueError, msg=text):
                dns_list(text)

    def test_answers_are_matched_octet_by_octet(self):
        made = dns_list("bad.test=127.0.[0..1].[2..4;10]*2")
        rows = {
            "127.0.0.2": True,
            "127.0.1.4": True,
            "127.0.1.10": True,
            "127.0.1.5": False,
            "127.0.2.2": False,
        }
        for answer, counted in rows.items():
            self.assertEqual(made.counts(answer), counted, answer)

    @given(st.lists(NUMBERS, min_size=4, max_size=4), NUMBERS, NUMBERS)
    def test_a_range_counts_what_is_in_it(self, octets, one, two):
        low, high = sorted((one, two))
        a, b, c, d = octets
        made = dns_list(f"bad.test={a}.{b}.{c}.[{low}..{high}]")
        self.assertEqual(made.counts(f"{a}.{b}.{c}.{d}"), low <= d <= high)

    @given(st.text("bad.test=127[]*;-0", max_size=40))
    def test_other_texts_raise_value_error_alone(self, text):
        try:
            made = dns_list(text)
        except ValueError:
            return
        self.assertIn(made.zone, text)

    def test_addresses_are_asked_for_backwards(self):
        self.assertEqual(address_key("192.0.2.7"), "7.2.0.192")
        six = address_key("2001:db8::1")
        self.assertTrue(six.startswith("1.0.0.0."))
        self.assertTrue(six.endswith(".8.b.d.0.1.0.0.2"))


class ScoreTests(SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()
        self.resolver = MemoryResolver(LISTED)
        self.records, self.told = [], []
        globalLogPublisher.addObserver(self.note)
        self.addCleanup(globalLogPublisher.removeObserver, self.note)

    def note(self, event):
        self.told.append(formatEvent(event))

    def score(self, **options):
        return Score(
            Gate(**options),
            self.resolver,
            self.clock,
            ["mail.here.test", "here.test"],
            lambda session, decisions: self.records.extend(decisions),
        )

    def ask(self, made, seen):
        made.begin(seen)
        return Deferred.fromCoroutine(made.check(seen))

    def said(self, made, seen):
        """The verdict, or the text of the fault."""
        asked = self.ask(made, seen).addErrback(lambda fault: fault.value)
        result = self.successResultOf(asked)
        return str(result.public) if isinstance(result, MailError) else result

    def test_who_is_listed_is_refused_with_the_reason_of_the_list(self):
        seen = visit()
        told = self.said(self.score(client_lists=(BAD,)), seen)
        self.assertEqual(
            told, "Refused: 192.0.2.7 is listed by bad.test; see http://bad.test/???"
        )
        (decision,) = self.records
        self.assertEqual(
            (decision.check, decision.input, decision.verdict, decision.option),
            ("score", "192.0.2.7", "refused", "gate.refuse_at"),
        )
        self.assertEqual(decision.detail, "1 points: bad.test 127.0.0.4 +1")

    def test_points_are_added_and_good_lists_weigh_against_bad_ones(self):
        lists = (f"{BAD}=127.0.0.4*3", f"{BAD}=127.0.0.9*3", f"{GOOD}=127.0.5.2*-4")
        made = self.score(client_lists=lists, refuse_at=3)
        bad, both = visit(), visit("192.0.2.8")
        self.assertIn("listed by bad.test", self.said(made, bad))
        self.assertIs(self.said(made, both), Verdict.GO_ON)
        self.assertEqual((bad.points, both.points), (3, -1))
        self.assertEqual(both.decisions["score"].verdict, "passed")
        self.assertEqual(both.decisions["score"].option, "")

    def test_lists_that_cannot_be_used_count_for_nothing_and_are_told_once(self):
        made = self.score(client_lists=(BAD,))
        for last in (9, 9, 10, 11):
            seen = visit(f"192.0.2.{last}")
            self.assertIs(self.said(made, seen), Verdict.GO_ON, last)
            self.assertEqual(seen.points, 0)
        told = [line for line in self.told if "DNS list" in line]
        self.assertEqual(
            told,
            [
                "DNS list bad.test refuses to answer our resolver (127.255.255.254)",
            ],
        )

    def test_lists_are_asked_at_once_when_the_client_connects(self):
        made = self.score(client_lists=(BAD, GOOD))
        self.resolver.wait_for(f"7.2.0.192.{BAD}")
        seen = visit()
        made.begin(seen)
        self.addCleanup(seen.end)
        self.assertEqual(
            self.resolver.asked, [("A", f"7.2.0.192.{zone}") for zone in (BAD, GOOD)]
        )

    def test_what_does_not_answer_in_time_counts_for_nothing(self):
        made = self.score(client_lists=(BAD, f"{GOOD}*2"), wait_s=5.0, refuse_at=2)
        self.resolver.wait_for(f"7.2.0.192.{BAD}")
        seen = visit()
        asked = self.ask(made, seen)
        self.clock.advance(4.9)
        self.assertNoResult(asked)
        self.clock.advance(0.2)
        self.assertIs(self.successResultOf(asked), Verdict.GO_ON)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_who_hangs_up_ends_the_look_ups(self):
        made = self.score(client_lists=(BAD,))
        slow = self.resolver.wait_for(f"7.2.0.192.{BAD}")
        seen = visit()
        made.begin(seen)
        seen.end()
        self.assertEqual(self.resolver.waiting[slow], [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_the_lists_are_asked_once_for_a_connection(self):
        made = self.score(client_lists=(f"{GOOD}*-1",))
        seen = visit("192.0.2.8")
        for _ in range(3):
            self.assertIs(self.said(made, seen), Verdict.GO_ON)
        self.assertEqual(len(self.resolver.asked), 1)
        self.assertEqual(seen.points, -1)

    def test_domains_of_helo_and_sender_are_looked_for(self):
        made = self.score(helo_lists=(BAD,), sender_lists=(BAD,))
        by_helo = visit(helo="liar.test")
        self.assertEqual(
            self.said(made, by_helo), "Refused: liar.test is listed by bad.test"
        )
        by_sender = visit(sender=Address("x", "liar.test"))
        self.assertIn("liar.test is listed", self.said(made, by_sender))
        for fine in (
            visit(),
            visit(helo="[192.0.2.7]"),
            visit(helo="ü..", sender=None),
        ):
            self.assertIs(self.said(made, fine), Verdict.GO_ON)

    def test_logins_trusted_networks_and_other_ports_are_not_asked_about(self):
        made = self.score(client_lists=(BAD,))
        for seen in (
            visit(trusted=True),
            visit(login="ann"),
            visit("local"),
            visit("unknown"),
            Visit("192.0.2.7", "submission"),
        ):
            self.assertIs(self.said(made, seen), Verdict.GO_ON)

    def test_behaviour_gives_points(self):
        made = self.score(
            helo_points=2, impatient_points=3, nameless_points=5, refuse_at=100
        )
        rows = (
            (visit("192.0.2.20"), 0, "a good client"),
            (visit("192.0.2.20", helo="[192.0.2.20]"), 0, "its own address"),
            (visit("192.0.2.20", helo="[192.0.2.1]"), 2, "another's address"),
            (visit("192.0.2.20", helo="[IPv6:::1]"), 2, "another's address"),
            (visit("192.0.2.20", helo="192.0.2.20"), 2, "no literal"),
            (visit("192.0.2.20", helo="Mail.Here.test"), 2, "our name"),
            (visit("192.0.2.20", helo="here.test"), 2, "our domain"),
            (visit("192.0.2.20", helo="localhost"), 2, "no full name"),
            (visit("192.0.2.20", impatient=True), 3, "talks early"),
            (visit("192.0.2.21"), 5, "no name"),
            (visit("192.0.2.21", name="mx.client.test"), 0, "a proxy knows its name"),
            (visit("192.0.2.21", impatient=True, helo="[::"), 10, "all"),
        )
        for seen, points, reason in rows:
            self.assertIs(self.said(made, seen), Verdict.GO_ON)
            self.assertEqual(seen.points, points, reason)

    def test_a_name_that_cannot_be_told_now_counts_for_nothing(self):
        self.resolver.down.add("192.0.2.21")
        made = self.score(nameless_points=1)
        self.assertIs(self.said(made, visit("192.0.2.21")), Verdict.GO_ON)
        slow = self.resolver.wait_for("192.0.2.22")
        asked = self.ask(made, visit("192.0.2.22"))
        self.clock.advance(5.1)
        self.assertIs(self.successResultOf(asked), Verdict.GO_ON)
        self.assertEqual(self.resolver.waiting[slow], [])


class SilentListTests(SynchronousTestCase):
    def test_a_list_that_stays_silent_is_left_out_for_a_while(self):
        clock, resolver = Clock(), MemoryResolver(LISTED)
        lists = DnsLists([dns_list(BAD)], resolver, clock, 5.0)

        def asked(key):
            return self.successResultOf(Deferred.fromCoroutine(lists.hits(key)))

        for number in range(MOST_SILENT):
            resolver.down.add(f"{number}.{BAD}")
            self.assertEqual(asked(str(number)), ())
        self.assertEqual(asked("7.2.0.192"), ())
        self.assertEqual(len(resolver.asked), MOST_SILENT)
        clock.advance(LEFT_OUT_S)
        self.assertEqual([hit.answer for hit in asked("7.2.0.192")], ["127.0.0.4"])
