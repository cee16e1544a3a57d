"""Policy in the conversation: when it is asked, and when the client hears of it."""

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.config.restricting import Restrictions
from mailtwist.policy.restrictions import pipeline

from ..policy.rooms import MemoryResolver, MemoryTable
from .rooms import PLAIN, House, MemoryRouter

FROM, ANN, BOB = (
    "MAIL FROM:<c@client.test>",
    "RCPT TO:<ann@example.test>",
    "RCPT TO:<bob@example.test>",
)
RECORDS = {
    ("MX", "client.test"): [(10, "mx.client.test")],
    ("A", "mx.client.test"): ["192.0.2.7"],
    ("PTR", "192.0.2.7"): ["mx.client.test"],
}


class PolicyTestCase(SynchronousTestCase):
    def house(self, trusted=(), role="smtp", tables=(), **options):
        restrictions = Restrictions(**{"error_delay_s": 0.0} | options)
        self.resolver = MemoryResolver(RECORDS)
        made = pipeline(
            restrictions,
            resolver=self.resolver,
            router=MemoryRouter(),
            tables={name: MemoryTable(entries) for name, entries in tables},
        )
        return House(
            trusted=trusted, role=role, restrictions=restrictions, more={"policy": made}
        )


class PhaseTests(PolicyTestCase):
    def test_what_is_delayed_is_told_at_RCPT(self):
        for phase in ("client", "helo", "sender", "recipient"):
            client = self.house(**{phase: ("reject",)}).connect().begin()
            self.assertEqual(
                client.codes(FROM, ANN, BOB, "DATA"),
                ["250 2.1.0", "550 5.7.1", "550 5.7.1", "554 5.5.1"],
                phase,
            )

    def test_otherwise_it_is_told_at_once(self):
        at_once = {"delay_reject": False}
        client = self.house(client=("reject",), **at_once).connect()
        self.assertEqual(client.codes(), ["554 5.7.1"])
        self.assertTrue(client.is_closed())
        client = self.house(client=("defer",), **at_once).connect()
        self.assertEqual(client.codes(), ["421 4.7.1"])
        client = self.house(
            helo=("reject_non_fqdn_helo_hostname",), **at_once
        ).connect()
        client.said()
        self.assertEqual(client.codes("EHLO me", FROM), ["501 5.5.2", "503 5.5.1"])
        self.assertEqual(client.codes("EHLO me.test", FROM), ["250", "250 2.1.0"])
        client = self.house(sender=("reject",), **at_once).connect().begin()
        self.assertEqual(client.codes(FROM, ANN), ["550 5.7.1", "503 5.5.1"])

    def test_a_list_ends_for_trusted_networks_and_logins(self):
        lists = {"client": ("permit_mynetworks", "permit_sasl_authenticated", "reject")}
        client = self.house(["192.0.2.0/24"], **lists).connect().begin()
        self.assertEqual(client.codes(FROM, ANN), ["250 2.1.0", "250 2.1.5"])
        client = self.house(**lists).connect().begin(tls=True, login=True)
        self.assertEqual(
            client.codes("MAIL FROM:<ann@example.test>", ANN),
            ["250 2.1.0", "250 2.1.5"],
        )

    def test_a_recipient_that_is_refused_leaves_the_others(self):
        house = self.house(
            recipient=("check_recipient_access rcpt",),
            tables=[("rcpt", {"bob@example.test": "REJECT 5.2.1 on holiday"})],
        )
        client = house.connect().begin()
        told = client.ask(FROM, ANN, BOB, "RCPT TO:<nobody@example.test>")
        self.assertIn("550 5.2.1 on holiday", told)
        self.assertIn("550 5.1.1 No such user here", told)
        client.ask("DATA", "x: y", ".")
        self.assertEqual(len(house.delivery.messages[0][0].recipients), 1)

    def test_the_message_can_be_refused_before_it_comes(self):
        house = self.house(data=("reject",))
        client = house.connect().begin()
        self.assertEqual(client.codes(FROM, ANN, "DATA")[-1], "550 5.7.1")
        client.send(b"BDAT 6 LAST\r\nx: y\r\n")
        self.assertEqual(client.codes("NOOP"), ["550 5.7.1", "250 2.0.0"])
        self.assertEqual(house.delivery.sinks, [])

    def test_LMTP_has_no_restrictions(self):
        client = self.house(role="lmtp", client=("reject",)).connect()
        client.ask("LHLO me")
        self.assertEqual(client.codes(FROM, ANN), ["250 2.1.0", "250 2.1.5"])


class LookUpTests(PolicyTestCase):
    def test_the_sender_is_looked_up_once_for_all_recipients(self):
        client = self.house(sender=("reject_unknown_sender_domain",)).connect().begin()
        self.assertEqual(
            client.codes(FROM, ANN, BOB), ["250 2.1.0", "250 2.1.5", "250 2.1.5"]
        )
        self.assertEqual(self.resolver.asked, [("MX", "client.test")])

    def test_recipients_that_wait_are_looked_up_meanwhile(self):
        house = self.house(sender=("reject_unknown_sender_domain",))
        client = house.connect().begin()
        waiting = self.resolver.wait_for("client.test")
        slow = [f"RCPT TO:<slow{n}@example.test>" for n in range(5)]
        self.assertEqual(client.codes(FROM, *slow), ["250 2.1.0"])
        self.assertEqual(len(house.router.asked), 4)  # the first waits for the sender
        waiting.callback(None)
        for n in range(5):
            house.router.slow[f"slow{n}"].callback(None)
        self.assertEqual(client.codes(), ["250 2.1.5"] * 5)

    def test_the_name_of_a_client_is_looked_up_while_it_talks(self):
        house = self.house(client=("reject_unknown_client_hostname",))
        house.connect().begin()
        self.assertEqual(len(self.resolver.asked), 2)
        client = house.connect("192.0.2.66").begin()
        self.assertEqual(client.codes(FROM, ANN), ["250 2.1.0", "550 5.7.25"])

    def test_a_sender_that_cannot_be_looked_up_now_is_to_come_again(self):
        client = self.house(sender=("reject_unknown_sender_domain",)).connect().begin()
        self.resolver.down.add("client.test")
        self.assertEqual(client.codes(FROM, ANN), ["250 2.1.0", "451 4.4.3"])

    def test_a_look_up_that_takes_too_long_refuses_every_recipient_for_now(self):
        house = self.house(sender=("reject_unknown_sender_domain",))
        client = house.connect().begin()
        self.resolver.wait_for("client.test")
        client.ask(FROM, ANN)
        house.clock.advance(241)
        self.assertEqual(client.codes(BOB), ["451 4.3.0", "451 4.3.0"])
        self.assertEqual(client.codes("RSET"), ["250 2.0.0"])

    def test_a_chunk_waits_for_its_checks_and_is_refused_if_they_take_too_long(self):
        house = self.house(data=("reject_unknown_client_hostname",))
        waiting = self.resolver.wait_for("192.0.2.7")
        client = house.connect().begin()
        client.ask(FROM, ANN)
        client.send(b"BDAT 6 LAST\r\nx: y\r\n")
        self.assertEqual(client.codes(), [])
        waiting.callback(None)
        self.assertEqual(client.codes(), ["250 2.0.0"])
        late = house.connect("192.0.2.66").begin()
        self.resolver.wait_for("192.0.2.66")
        late.ask(FROM, ANN)
        late.send(b"BDAT 6 LAST\r\nx: y\r\n")
        house.clock.advance(241)
        self.assertEqual(late.codes("NOOP"), ["451 4.3.0", "250 2.0.0"])
        self.assertEqual(len(house.delivery.messages), 1)

    def test_a_client_that_leaves_ends_its_look_ups(self):
        house = self.house(client=("reject_unknown_client_hostname",))
        waiting = self.resolver.wait_for("192.0.2.7")
        client = house.connect().begin()
        client.ask(FROM)
        client.close()
        self.assertTrue(waiting.called)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_what_waits_for_a_sender_ends_with_its_transaction(self):
        house = self.house(sender=("reject_unknown_sender_domain",))
        client = house.connect().begin()
        waiting = self.resolver.wait_for("client.test")
        client.ask(FROM)
        del self.resolver.slow["client.test"]
        self.assertEqual(
            client.codes("RSET", FROM, ANN), ["250 2.0.0", "250 2.1.0", "250 2.1.5"]
        )
        self.assertTrue(waiting.called)
        self.assertIsInstance(waiting, Deferred)


class ImpatienceTests(PolicyTestCase):
    def test_commands_behind_DATA_are_told(self):
        house = self.house(data=("reject_unauth_pipelining",))
        client = house.connect().begin()
        self.assertEqual(client.codes(FROM, ANN, "DATA", "x: y", ".")[2], "554 5.5.0")
        client = house.connect().begin()
        self.assertEqual(client.codes(FROM, ANN, "DATA")[-1], "354")
        self.assertEqual(client.codes("x: y", "."), ["250 2.0.0"])

    def test_after_HELO_every_command_waits(self):
        house = self.house(data=("reject_unauth_pipelining",))
        client = house.connect()
        client.ask("HELO me")
        self.assertEqual(client.codes(FROM, ANN, "DATA")[-1], "554 5.5.0")


class RateTests(PolicyTestCase):
    def test_a_client_that_is_too_fast_is_told_to_come_again(self):
        house = self.house(
            messages_per_minute=2, recipients_per_minute=3, connections_per_minute=2
        )
        client = house.connect().begin()
        told = client.codes(FROM, ANN, BOB, "RSET", FROM, ANN, BOB, "RSET", FROM)
        self.assertEqual(
            told[-4:], ["250 2.1.5", "451 4.7.1", "250 2.0.0", "451 4.7.1"]
        )
        house.connect()
        client = house.connect()
        self.assertEqual(client.codes(), ["421 4.7.1"])
        self.assertTrue(client.is_closed())
        self.assertEqual(house.connect("192.0.2.8").codes(), ["220"])
        house.clock.advance(60)
        self.assertEqual(house.connect().codes(), ["220"])

    def test_trusted_networks_are_as_fast_as_they_can(self):
        house = self.house(["192.0.2.0/24"], connections_per_minute=1)
        for _ in range(3):
            self.assertEqual(house.connect().codes(), ["220"])

    def test_a_login_has_its_own_limit(self):
        house = self.house(messages_per_minute=1, login_messages_per_hour=3)
        client = house.connect().begin(tls=True, login=True)
        mail = "MAIL FROM:<ann@example.test>"
        told = client.codes(*(mail, "RSET") * 4)
        self.assertEqual(told[::2], ["250 2.1.0"] * 3 + ["451 4.7.1"])

    def test_a_login_has_so_many_connections_at_once(self):
        house = self.house(login_connections=1)
        first = house.connect().begin(tls=True, login=True)
        second = house.connect().begin(tls=True)
        self.assertEqual(second.codes(f"AUTH PLAIN {PLAIN}"), ["454 4.7.0"])
        self.assertEqual(house.authenticator.logged_out, 1)
        first.close()
        self.assertEqual(second.codes(f"AUTH PLAIN {PLAIN}"), ["235 2.7.0"])

    def test_IPv4_in_IPv6_is_the_same_client(self):
        house = self.house(["192.0.2.0/24"], client=("permit_mynetworks", "reject"))
        client = house.connect("::ffff:192.0.2.9").begin()
        client.ask(FROM, ANN, "DATA", "x: y", ".")
        self.assertIn(b"[192.0.2.9]", house.delivery.messages[0][0].trace)


class SlowTests(PolicyTestCase):
    def test_errors_over_the_soft_limit_are_answered_slowly(self):
        house = self.house(soft_errors=2, error_delay_s=3.0)
        client = house.connect().begin()
        self.assertEqual(client.codes("FOO", "FOO", "FOO", "NOOP"), ["500 5.5.1"] * 2)
        house.clock.advance(3)
        self.assertEqual(client.codes(), ["500 5.5.1", "250 2.0.0"])

    def test_a_client_that_leaves_meanwhile_is_forgotten(self):
        house = self.house(soft_errors=0, error_delay_s=3.0)
        client = house.connect().begin()
        client.ask("FOO")
        client.close()
        self.assertEqual(house.clock.getDelayedCalls(), [])

    def test_HELO_can_be_left_out_where_that_is_configured(self):
        client = self.house(helo_required=False).connect()
        client.said()
        self.assertEqual(client.codes(FROM, ANN), ["250 2.1.0", "250 2.1.5"])
