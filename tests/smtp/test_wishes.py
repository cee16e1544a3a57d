"""What MAIL and RCPT ask for, from the wire into the envelope."""

from twisted.trial.unittest import SynchronousTestCase

from mailtwist.config.model import EHLO_KEYWORDS
from mailtwist.delivery.model import DeliverBy, Notify
from mailtwist.errors import NoSuchUser, OverQuota
from mailtwist.smtp import engine
from mailtwist.smtp.extensions import BY_KEYWORD, COMMANDS

from .rooms import House

FROM, ANN, BOB = (
    "MAIL FROM:<c@client.test>",
    "RCPT TO:<ann@example.test>",
    "RCPT TO:<bob@example.test>",
)
TRUSTED = {"trusted": ["192.0.2.0/24"]}


class WishTests(SynchronousTestCase):
    def envelope(self, mail, rcpt=ANN, *, tls=False, login=False, now=1000.0, **house):
        made = House(**house)
        made.clock.advance(now)
        client = made.connect().begin(tls=tls, login=login)
        self.codes = client.codes(mail, rcpt, "DATA", "x: y", ".")
        return made.delivery.messages[0][0] if made.delivery.messages else None

    def test_DSN_goes_into_the_envelope(self):
        envelope = self.envelope(
            f"{FROM} RET=HDRS ENVID=QQ314159",
            f"{ANN} NOTIFY=SUCCESS,DELAY ORCPT=rfc822;Ann@x.test",
        )
        self.assertEqual(
            (envelope.wishes.ret, envelope.wishes.envid), ("HDRS", "QQ314159")
        )
        self.assertEqual(
            envelope.recipients[0].notify,
            Notify(frozenset(("SUCCESS", "DELAY")), "rfc822;Ann@x.test"),
        )

    def test_REQUIRETLS_is_for_TLS(self):
        self.assertIsNone(self.envelope(f"{FROM} REQUIRETLS"))
        self.assertEqual(self.codes[0], "555 5.5.4")
        envelope = self.envelope(f"{FROM} REQUIRETLS", tls=True)
        self.assertTrue(envelope.wishes.require_tls)

    def test_DELIVERBY_becomes_a_time_of_the_epoch(self):
        envelope = self.envelope(f"{FROM} BY=120;RT", deliver_by_s=60)
        self.assertEqual(envelope.wishes.deliver_by, DeliverBy(1120.0, "R", True))
        self.assertIsNone(self.envelope(f"{FROM} BY=59;R", deliver_by_s=60))
        self.assertEqual(self.codes[0], "550 5.4.7")
        envelope = self.envelope(f"{FROM} BY=-5;N", deliver_by_s=60)
        self.assertEqual(envelope.wishes.deliver_by, DeliverBy(995.0, "N"))

    def test_FUTURERELEASE_is_for_submission(self):
        mail = "MAIL FROM:<ann@example.test>"
        self.assertIsNone(self.envelope(f"{mail} HOLDFOR=60"))
        self.assertEqual(self.codes[0], "555 5.5.4")
        for parameter, until in (
            ("HOLDFOR=60", 1060.0),
            ("HOLDUNTIL=1970-01-01T00:20:00Z", 1200.0),
            ("HOLDUNTIL=1970-01-01T00:00:00Z", 0.0),
            ("HOLDFOR=604800", 605800.0),
        ):
            made = House(role="submission")
            made.clock.advance(1000)
            client = made.connect().begin(tls=True, login=True)
            client.ask(f"{mail} {parameter}", ANN, "DATA", "x: y", ".")
            ((envelope, _),) = made.delivery.messages
            self.assertEqual(envelope.wishes.hold_until_s, until, parameter)
        made = House(role="submission", hold_s=3600)
        client = made.connect().begin(tls=True)
        self.assertIn(
            "250-FUTURERELEASE 3600 1970-01-01T01:00:00Z\r\n", client.ask("EHLO me")
        )
        client = made.connect().begin(tls=True, login=True)
        self.assertEqual(client.codes(f"{mail} HOLDFOR=3601"), ["501 5.5.4"])
        self.assertNotIn(
            "FUTURERELEASE",
            House(role="submission", hold_s=0).connect().ask("EHLO me"),
        )

    def test_a_priority_is_lowered_to_what_the_client_may_ask(self):
        for asked, trusted, got, code in (
            (3, True, 3, "250 2.1.0"),
            (9, True, 4, "250 2.3.6"),
            (3, False, 0, "250 2.3.6"),
            (-3, False, -3, "250 2.1.0"),
        ):
            envelope = self.envelope(
                f"{FROM} MT-PRIORITY={asked}", **(TRUSTED if trusted else {})
            )
            self.assertEqual((envelope.wishes.priority, self.codes[0]), (got, code))

    def test_only_trusted_clients_speak_of_other_logins(self):
        for house, told in ((TRUSTED, "a@b.test"), ({}, "")):
            made = House(**house)
            client = made.connect().begin(tls=True)
            client.ask(f"{FROM} AUTH=a@b.test", ANN, "DATA", ".")
            self.assertEqual(made.delivery.messages[0][0].wishes.auth, told)

    def test_a_message_without_wishes_has_none(self):
        envelope = self.envelope(FROM)
        self.assertEqual(envelope.wishes.body, "7BIT")
        self.assertTrue(envelope.one_reply)


class OfferTests(SynchronousTestCase):
    def test_LIMITS_tells_what_holds(self):
        client = House(recipients=200, messages=5, recipient_domains=2).connect()
        self.assertIn(
            "250-LIMITS MAILMAX=5 RCPTMAX=200 RCPTDOMAINMAX=2\r\n",
            client.ask("EHLO me"),
        )

    def test_domains_over_the_limit_wait_for_another_message(self):
        house = House(recipient_domains=2, **TRUSTED)
        client = house.connect().begin()
        client.ask(FROM)
        self.assertEqual(
            client.codes(
                ANN, "RCPT TO:<a@b.test>", "RCPT TO:<a@c.test>", "RCPT TO:<b@b.test>"
            ),
            ["250 2.1.5", "250 2.1.5", "452 4.5.3", "250 2.1.5"],
        )

    def test_what_is_withheld_is_neither_offered_nor_taken(self):
        house = House(
            withheld=("DSN", "MT-PRIORITY", "DELIVERBY", "LIMITS", "PRDR", "8BITMIME")
        )
        client = house.connect()
        told = client.ask("EHLO me")
        for keyword in house.factory.rooms.config.withheld:
            self.assertNotIn(keyword, told)
        for parameter in ("RET=FULL", "MT-PRIORITY=1", "BY=5;N", "PRDR", "BODY=7BIT"):
            self.assertEqual(client.codes(f"{FROM} {parameter}"), ["555 5.5.4"])
        self.assertEqual(client.codes(FROM), ["250 2.1.0"])
        self.assertEqual(client.codes(f"{ANN} NOTIFY=NEVER"), ["555 5.5.4"])

    def test_HELP_tells_the_parameters_that_are_offered(self):
        client = House(withheld=("DSN",)).connect().begin()
        told = client.ask("HELP MAIL")
        self.assertIn("BY=seconds", told)
        self.assertNotIn("ENVID", told)


class PrdrTests(SynchronousTestCase):
    def setUp(self):
        self.house = House()
        self.client = self.house.connect().begin()

    def send(self, *recipients):
        self.client.ask(f"{FROM} PRDR", *recipients, "DATA")
        return self.client.codes("x: y", ".")

    def test_each_recipient_has_its_reply_and_one_is_for_all(self):
        self.house.delivery.verdicts = [None, OverQuota()]
        self.assertEqual(
            self.send(ANN, BOB), ["353", "250 2.0.0", "452 4.2.2", "250 2.0.0"]
        )
        self.assertFalse(self.house.delivery.sinks[0].envelope.one_reply)

    def test_if_nobody_got_it_the_last_reply_says_so(self):
        self.house.delivery.verdicts = [NoSuchUser(), OverQuota()]
        self.assertEqual(
            self.send(ANN, BOB), ["353", "550 5.1.1", "452 4.2.2", "452 4.2.2"]
        )

    def test_one_recipient_has_one_reply(self):
        self.assertEqual(self.send(ANN), ["250 2.0.0"])
        self.assertTrue(self.house.delivery.sinks[0].envelope.one_reply)

    def test_a_message_that_is_refused_has_one_reply(self):
        self.client.ask(f"{FROM} PRDR", ANN, BOB, "DATA")
        self.assertEqual(self.client.codes(b"x\0y", "."), ["554 5.6.0"])

    def test_it_goes_with_BDAT_too(self):
        self.client.ask(f"{FROM} PRDR", ANN, BOB)
        self.client.send(b"BDAT 6 LAST\r\nx: y\r\n")
        self.assertEqual(
            self.client.codes(), ["353", "250 2.0.0", "250 2.0.0", "250 2.0.0"]
        )


class TableTests(SynchronousTestCase):
    def test_what_can_be_withheld_are_keywords_of_EHLO(self):
        always = {"SIZE", "STARTTLS", "AUTH", "ENHANCEDSTATUSCODES"}
        self.assertEqual(set(EHLO_KEYWORDS), set(BY_KEYWORD) - always)

    def test_every_verb_of_the_engine_is_one_of_HELP(self):
        verbs = {known.verb for known in COMMANDS}
        found = {*engine._PARSERS, *engine.PARSERS}
        self.assertEqual({verb.decode() for verb in found}, verbs)
