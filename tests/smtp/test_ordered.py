"""What policy orders of a message, as the delivery sees it."""

from mailtwist.address import Address
from mailtwist.delivery.model import LocalRecipient, Route
from mailtwist.delivery.spare import for_mailbox

from .test_policy import ANN, BOB, FROM, PolicyTestCase

ARCHIVE = Address("bob", "example.test")


class OrderTestCase(PolicyTestCase):
    def sent(self, *actions, rcpt=(ANN,), text=("x: y", "", "z"), **more):
        """What the delivery got after these actions of the sender's table."""
        self.home = self.house(
            sender=tuple(f"check_sender_access t{n}" for n, _ in enumerate(actions)),
            tables=[(f"t{n}", {"client.test": a}) for n, a in enumerate(actions)],
            **more,
        )
        self.client = self.home.connect().begin()
        self.told = self.client.codes(FROM, *rcpt, "DATA", *text, ".")
        return self.home.delivery.messages

    def envelope(self, *actions, **more):
        [(envelope, _)] = self.sent(*actions, **more)
        self.assertEqual(self.told[-1], "250 2.0.0")
        return envelope


class OrderTests(OrderTestCase):
    def test_a_message_is_held(self):
        envelope = self.envelope("HOLD")
        self.assertTrue(envelope.held)
        self.assertFalse(self.envelope("DUNNO").held)

    def test_a_message_is_thrown_away_with_a_250(self):
        self.assertEqual(self.sent("DISCARD", "REDIRECT bob@example.test"), [])
        self.assertEqual(self.told[-1], "250 2.0.0")
        self.assertEqual(self.home.delivery.sinks, [])

    def test_a_message_goes_elsewhere_and_nowhere_else(self):
        envelope = self.envelope(
            "BCC carl@elsewhere.test", "REDIRECT bob@example.test", rcpt=(ANN, BOB)
        )
        [only] = envelope.recipients
        self.assertEqual(only.address, ARCHIVE)
        self.assertEqual(only.targets[0].route, Route("mailbox"))

    def test_a_redirected_message_tells_each_recipient_the_one_verdict(self):
        self.sent("REDIRECT bob@example.test", rcpt=(ANN, BOB))
        self.client.ask("MAIL FROM:<c@client.test> PRDR", ANN, BOB)
        self.assertEqual(
            self.client.codes("DATA", "x: y", "."),
            ["354", "353", "250 2.0.0", "250 2.0.0", "250 2.0.0"],
        )

    def test_a_copy_goes_along_and_nobody_is_told_of_it(self):
        envelope = self.envelope("BCC bob@example.test")
        ann, bob = envelope.recipients
        self.assertIsInstance(ann, LocalRecipient)
        self.assertEqual(bob.address, ARCHIVE)
        self.assertEqual(bob.notify.when, {"NEVER"})
        self.assertTrue(envelope.one_reply)

    def test_a_copy_for_a_recipient_is_no_second_one(self):
        envelope = self.envelope("BCC ann@example.test", "BCC bob@example.test")
        self.assertEqual(len(envelope.recipients), 2)

    def test_a_copy_for_somebody_unknown_is_the_queues_to_fail(self):
        envelope = self.envelope("BCC nobody@example.test")
        self.assertEqual(envelope.recipients[1].targets[0].route.transport, "error")
        envelope = self.envelope("BCC full@example.test")
        self.assertEqual(envelope.recipients[1].targets[0].route, Route("mailbox"))

    def test_a_message_takes_another_way(self):
        envelope = self.envelope("FILTER smtp:[127.0.0.1]:10025")
        self.assertEqual(envelope.filter, Route("smtp", "[127.0.0.1]:10025"))
        self.assertIsInstance(envelope.recipients[0], LocalRecipient)
        self.assertNotEqual(for_mailbox(envelope.recipients[0]), envelope.recipients[0])

    def test_fields_stand_above_the_message_in_their_order(self):
        envelope = self.envelope("PREPEND X-One: 1", "PREPEND X-Two: 2")
        self.assertTrue(
            envelope.trace.startswith(b"X-One: 1\r\nX-Two: 2\r\nReceived: ")
        )

    def test_what_was_ordered_ends_with_its_transaction(self):
        self.sent("HOLD")
        self.client.ask("MAIL FROM:<>", ANN)
        self.client.ask("DATA", "x: y", ".")
        held = [envelope.held for envelope, _ in self.home.delivery.messages]
        self.assertEqual(held, [True, False])

    def test_what_was_ordered_of_the_client_is_for_all_its_messages(self):
        house = self.house(
            delay_reject=False,
            client=("check_client_access c",),
            helo=("check_helo_access h",),
            tables=[("c", {"192.0.2.7": "HOLD"}), ("h", {"test": "PREPEND X-H: 1"})],
        )
        client = house.connect().begin()
        client.ask("EHLO again.test")
        for _ in range(2):
            client.ask(FROM, ANN, "DATA", "x: y", ".")
        for envelope, _ in house.delivery.messages:
            self.assertTrue(envelope.held)
            self.assertEqual(envelope.trace.count(b"X-H: 1"), 1)

    def test_what_a_refused_recipient_ordered_is_forgotten(self):
        house = self.house(
            recipient=("check_recipient_access hold", "check_recipient_access no"),
            tables=[
                ("hold", {"example.test": "DUNNO", "bob@example.test": "HOLD"}),
                ("no", {"bob@example.test": "REJECT"}),
            ],
        )
        client = house.connect().begin()
        told = client.codes(FROM, BOB, ANN, "DATA", "x: y", ".")
        self.assertEqual(told[1:3], ["550 5.7.1", "250 2.1.5"])
        self.assertFalse(house.delivery.messages[0][0].held)

    def test_BDAT_is_ordered_like_DATA(self):
        self.sent("HOLD")
        self.client.ask(FROM, ANN)
        self.client.send(b"BDAT 6 LAST\r\nx: y\r\n")
        self.assertTrue(self.home.delivery.messages[1][0].held)


class DeferTests(OrderTestCase):
    def test_mail_that_nothing_refuses_is_deferred(self):
        self.sent("DEFER_IF_PERMIT not now")
        self.assertEqual(self.told[1], "450 4.7.1")

    def test_what_is_refused_later_is_refused_for_now(self):
        for recipient, told in (("reject", "450 4.7.1"), ("permit", "250 2.1.5")):
            self.sent("DEFER_IF_REJECT", recipient=(recipient,))
            self.assertEqual(self.told[1], told)
        self.sent("DEFER_IF_PERMIT", recipient=("reject",))
        self.assertEqual(self.told[1], "550 5.7.1")

    def test_a_reason_to_defer_is_of_one_recipient(self):
        house = self.house(
            recipient=("check_recipient_access t",),
            tables=[("t", {"ann@example.test": "DEFER_IF_PERMIT"})],
        )
        client = house.connect().begin()
        self.assertEqual(client.codes(FROM, ANN, BOB)[1:], ["450 4.7.1", "250 2.1.5"])

    def test_the_message_is_deferred_before_it_comes(self):
        house = self.house(data=("defer_if_permit",))
        client = house.connect().begin()
        self.assertEqual(client.codes(FROM, ANN, "DATA")[-1], "450 4.7.1")

    def test_a_code_of_its_own_is_told_and_421_ends_the_connection(self):
        self.sent("554 5.7.9 go")
        self.assertEqual(self.told[1], "554 5.7.9")
        self.sent("421 enough")
        self.assertEqual(self.told[1], "421 4.7.1")
        self.assertTrue(self.client.is_closed())
