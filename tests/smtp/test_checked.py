"""Messages that are checked as a whole, before anybody has them."""

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.address import Address
from mailtwist.errors import MailError, RelayDenied
from mailtwist.policy.content import ContentChecks, Judgement
from mailtwist.policy.orders import Orders
from mailtwist.smtp.checked import without_forged
from mailtwist.trust.model import Decision

from .rooms import House

FROM, ANN = "MAIL FROM:<c@client.test>", "RCPT TO:<ann@example.test>"
MESSAGE = "Subject: x\r\nX-A: b\r\n\r\nText\r\n"


class Kept:
    def __init__(self, head):
        self.parts, self.closed = [head], False

    def write(self, octets):
        self.parts.append(octets)

    async def buffer(self):
        return b"".join(self.parts)

    def close(self):
        self.closed = True


class Look:
    def __init__(self, check):
        self.check, self.seen = check, []

    def header(self, octets):
        self.seen.append(octets)

    def body(self, octets):
        self.seen.append(octets)

    async def judge(self, content, envelope):
        self.content = content
        if self.check.waits is not None:
            await self.check.waits
        if isinstance(self.check.says, Exception):
            raise self.check.says
        return self.check.says

    def end(self):
        self.check.ended += 1


class Check:
    def __init__(self, says, waits=None):
        self.says, self.waits, self.looks, self.ended = says, waits, [], 0

    def look(self, visit):
        self.visit = evolve(visit)
        self.looks.append(Look(self))
        return self.looks[-1]


class CheckedTestCase(SynchronousTestCase):
    def house(self, *says, waits=None, trusted=()):
        self.checks = [
            one if isinstance(one, Check) else Check(one, waits) for one in says
        ]
        self.kept, self.recorded = [], []

        def kept(head):
            self.kept.append(Kept(head))
            return self.kept[-1]

        async def junk(envelope):
            path = ("Junk",)
            to = tuple(evolve(each, path=path) for each in envelope.recipients)
            return evolve(envelope, recipients=to)

        content = ContentChecks(
            self.checks,
            "mx.example.test",
            kept,
            lambda buffer: [buffer],
            junk,
            lambda *record: self.recorded.append(record),
        )
        return House(trusted=trusted, more={"content": content})

    def sent(self, house, text=MESSAGE, rcpt=(ANN,)):
        """The answer to the end of a message."""
        client = house.connect().begin()
        client.codes(FROM, *rcpt, "DATA")
        return client.codes(*text.split("\r\n")[:-1], ".")


class CheckedTests(CheckedTestCase):
    def test_what_a_check_adds_stands_above_the_trace(self):
        house = self.house(Judgement(fields=b"X-Checked: yes\r\n"))
        self.assertEqual(self.sent(house), ["250 2.0.0"])
        ((envelope, octets),) = house.delivery.messages
        self.assertTrue(envelope.trace.startswith(b"X-Checked: yes\r\nReceived: "))
        self.assertEqual(octets, MESSAGE.encode())
        self.assertEqual(self.checks[0].looks[0].content, MESSAGE.encode())

    def test_a_check_sees_header_and_body(self):
        self.sent(self.house(Judgement()))
        header, *body = self.checks[0].looks[0].seen
        self.assertEqual(header, b"Subject: x\r\nX-A: b\r\n\r\n")
        self.assertEqual(b"".join(body), b"Text\r\n")
        self.assertEqual(str(self.checks[0].visit.sender), "c@client.test")

    def test_a_refusal_is_told_and_nobody_has_the_message(self):
        house = self.house(Judgement(refuse=RelayDenied("No")), Judgement())
        self.assertEqual(self.sent(house), ["550 5.7.1"])
        self.assertEqual(house.delivery.messages, [])
        self.assertTrue(self.kept[0].closed)
        self.assertEqual([check.ended for check in self.checks], [1, 1])

    def test_a_permanent_refusal_goes_before_a_temporary_one(self):
        house = self.house(
            Judgement(refuse=MailError()), Judgement(refuse=RelayDenied())
        )
        self.assertEqual(self.sent(house), ["550 5.7.1"])

    def test_a_check_that_breaks_makes_mail_wait(self):
        self.assertEqual(self.sent(self.house(MailError())), ["451 4.3.0"])

    def test_spam_is_filed_as_such(self):
        house = self.house(Judgement(junk=True))
        self.sent(house)
        ((envelope, _),) = house.delivery.messages
        self.assertEqual(envelope.recipients[0].path, ("Junk",))

    def test_orders_are_carried_out(self):
        to = Address.parse("bob@example.test")
        house = self.house(Judgement(orders=Orders(redirect=to)))
        self.assertEqual(self.sent(house), ["250 2.0.0"])
        ((envelope, _),) = house.delivery.messages
        self.assertEqual([each.address for each in envelope.recipients], [to])
        house = self.house(Judgement(orders=Orders(discard=True)))
        self.assertEqual(self.sent(house), ["250 2.0.0"])
        self.assertEqual(house.delivery.messages, [])

    def test_a_check_may_change_the_message(self):
        house = self.house(Judgement(content=b"Subject: y\r\n\r\n"))
        self.sent(house)
        self.assertEqual(house.messages(), [b"Subject: y\r\n\r\n"])

    def test_decisions_are_recorded_by_message(self):
        decision = Decision("spf", "<c@client.test>", "pass")
        house = self.house(Judgement(decisions=(decision,)), Judgement())
        self.sent(house)
        ((envelope, _),) = house.delivery.messages
        self.assertEqual(self.recorded, [(envelope.message_id, [decision])])

    def test_trusted_networks_are_not_checked(self):
        house = self.house(Judgement(refuse=RelayDenied()), trusted=["192.0.2.0/24"])
        self.assertEqual(self.sent(house), ["250 2.0.0"])
        self.assertEqual(self.checks[0].looks, [])

    def test_what_no_check_wants_to_see_goes_straight_on(self):
        check = Check(Judgement())
        check.look = lambda visit: None
        house = self.house(check)
        ours = "Authentication-Results: mx.example.test; spf=pass\r\n"
        self.assertEqual(self.sent(house, ours + MESSAGE), ["250 2.0.0"])
        self.assertEqual(house.messages(), [(ours + MESSAGE).encode()])
        self.assertEqual(self.kept, [])

    def test_who_gives_up_before_the_end_leaves_nothing(self):
        house = self.house(Judgement())
        client = house.connect().begin()
        client.codes(FROM, ANN, "RSET", FROM, ANN, "DATA", "Subject: x")
        client.close()
        self.assertEqual(self.checks[0].ended, 2)
        self.assertTrue(self.kept[0].closed)

    def test_who_leaves_while_checks_are_awaited_has_sent_it(self):
        waits = Deferred()
        house = self.house(Judgement(), waits=waits)
        client = house.connect().begin()
        client.codes(FROM, ANN, "DATA")
        client.codes("Subject: x", "", "Text", ".")
        client.close()
        waits.callback(None)
        self.assertEqual(len(house.delivery.messages), 1)
        self.assertTrue(self.kept[0].closed)


class ForgedTests(SynchronousTestCase):
    def test_only_results_of_ours_are_taken_out(self):
        ours, others = b"mx.test; spf=pass", b"mx.other.test; spf=pass"
        for value, kept, why in (
            (ours, False, "ours"),
            (b"MX.Test (x) 1;\r\n spf=pass", False, "ours in other words"),
            (b'"mx.test"; spf=pass', False, "quoted, so not a word to compare"),
            (b"; spf=pass", False, "nobody's"),
            (others, True, "of others"),
        ):
            field = b"Authentication-Results:" + value + b"\r\n"
            header = b"A: b\r\n" + field + b"C: d\r\n\r\n"
            found = without_forged(header, "mx.test")
            wanted = header if kept else b"A: b\r\nC: d\r\n\r\n"
            self.assertEqual(found, wanted, why)

    @given(st.lists(st.sampled_from([b"A: b\r\n", b" c\r\n", b"x\r\n", b"D:\r\n"])))
    def test_a_header_without_results_stays_as_it_is(self, lines):
        header = b"".join(lines) + b"\r\n"
        self.assertEqual(without_forged(header, "mx.test"), header)
