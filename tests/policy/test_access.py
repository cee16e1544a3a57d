"""Access tables as access(5) has them."""

from twisted.internet.defer import Deferred
from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.address import Address
from mailtwist.errors import MailError
from mailtwist.policy import access
from mailtwist.policy.model import Verdict, Visit
from mailtwist.policy.orders import NO_ORDERS, Orders

from .rooms import MemoryResolver, MemoryTable


class KeyTests(SynchronousTestCase):
    def test_addresses_are_looked_up_from_the_whole_to_the_domain_above(self):
        visit = Visit("192.0.2.1", "smtp", sender=Address("Ann+x", "a.b.test"))
        self.assertEqual(
            list(access.sender_keys(visit, False)),
            ["ann+x@a.b.test", "a.b.test", ".b.test", "b.test", ".test", "test"]
            + ["ann+x@"],
        )
        self.assertEqual(list(access.sender_keys(visit, True)), ["ann+x@a.b.test"])
        visit.sender = None
        self.assertEqual(list(access.sender_keys(visit, False)), ["<>"])
        visit.recipient = Address("postmaster")
        self.assertEqual(
            list(access.recipient_keys(visit, False)), ["postmaster", "postmaster@"]
        )

    def test_clients_are_looked_up_by_name_address_and_network(self):
        self.assertEqual(
            list(access.client_keys("h.b.test", "192.0.2.1", False)),
            ["h.b.test", ".b.test", "b.test", ".test", "test"]
            + ["192.0.2.1", "192.0.2", "192.0", "192"],
        )
        self.assertEqual(
            list(access.client_keys("", "2001:db8::1", False)),
            ["2001:db8::1", "2001:db8", "2001"],
        )
        self.assertEqual(
            list(access.client_keys("h.test", "192.0.2.1", True)),
            ["h.test", "192.0.2.1"],
        )
        self.assertEqual(list(access.client_keys("", "local", False)), ["local"])

    def test_HELO_names_are_looked_up_as_they_stand_if_they_are_none(self):
        for helo, keys in (
            ("Mail.Example", ["mail.example", ".example", "example"]),
            ("[192.0.2.1]", ["[192.0.2.1]"]),
            ("-Bad-", ["-bad-"]),
            ("", []),
        ):
            visit = Visit("192.0.2.1", "smtp", helo=helo)
            self.assertEqual(list(access.helo_keys(visit, False)), keys)


class TableTests(SynchronousTestCase):
    def ask(self, check, visit):
        return Deferred.fromCoroutine(check.check(visit))

    def visit(self, **changes):
        return Visit("192.0.2.1", "smtp", sender=Address("c", "client.test"), **changes)

    def test_the_first_key_that_is_there_decides(self):
        for entries, told in (
            ({"c@client.test": "OK", "client.test": "REJECT"}, Verdict.ALLOW),
            ({"client.test": "DUNNO", "c@": "REJECT"}, Verdict.GO_ON),
            ({}, Verdict.GO_ON),
        ):
            check = access.Access(MemoryTable(entries), access.sender_keys)
            self.assertIs(self.successResultOf(self.ask(check, self.visit())), told)

    def test_a_value_that_is_no_action_defers_mail(self):
        for text in ("?", "REJCT no spam", "PREPEND X", "permit_mynetworks"):
            check = access.Access(
                MemoryTable({"client.test": text}), access.sender_keys
            )
            fault = self.failureResultOf(self.ask(check, self.visit()), MailError)
            self.assertEqual(fault.value.status, "4.3.5", text)

    def test_what_is_ordered_is_kept_for_the_message_and_told_to_the_log(self):
        for text, orders, told in (
            ("HOLD look first", Orders(hold=True), Verdict.GO_ON),
            ("DISCARD", Orders(discard=True), Verdict.ALLOW),
            ("WARN who is that", NO_ORDERS, Verdict.GO_ON),
            ("INFO a friend", NO_ORDERS, Verdict.GO_ON),
        ):
            visit, lines = self.visit(session="s1"), []
            globalLogPublisher.addObserver(lines.append)
            self.addCleanup(globalLogPublisher.removeObserver, lines.append)
            check = access.Access(
                MemoryTable({"client.test": text}), access.sender_keys
            )
            self.assertIs(self.successResultOf(self.ask(check, visit)), told)
            self.assertEqual(visit.orders, orders)
            line = formatEvent(lines[0])
            self.assertIn(f"s1 policy {text.split()[0]} 'client.test:", line)
            self.assertIn("from='c@client.test'", line)

    def test_a_client_is_known_by_its_confirmed_name_alone(self):
        table = MemoryTable({"mx.client.test": "REJECT", "192.0.2": "OK"})
        forged = {("PTR", "192.0.2.1"): ["mx.client.test"]}
        true = {**forged, ("A", "mx.client.test"): ["192.0.2.1"]}
        check = access.ClientAccess(table, MemoryResolver(forged))
        self.assertIs(
            self.successResultOf(self.ask(check, self.visit())), Verdict.ALLOW
        )
        check = access.ClientAccess(table, MemoryResolver(true))
        self.failureResultOf(self.ask(check, self.visit()), MailError)
        check = access.ClientAccess(table, MemoryResolver(down=["192.0.2.1"]))
        self.assertIs(
            self.successResultOf(self.ask(check, self.visit())), Verdict.ALLOW
        )
