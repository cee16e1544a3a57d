"""Every word of `[restrictions]`, asked as the server asks it."""

from twisted.internet.defer import Deferred
from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.address import Address
from mailtwist.config import restricting
from mailtwist.config.restricting import RestrictionClass, Restrictions
from mailtwist.errors import MailError
from mailtwist.policy.model import Phase, Verdict, Visit
from mailtwist.policy.restrictions import ACCESS, CHECKS, pipeline

from ..smtp.rooms import MemoryRouter
from .rooms import MemoryResolver, MemoryTable

RECORDS = {
    ("MX", "client.test"): [(10, "mx.client.test")],
    ("A", "mx.client.test"): ["192.0.2.7"],
    ("A", "web.test"): ["192.0.2.9"],
    ("MX", "none.test"): [(0, "")],
    ("TXT", "empty.test"): [b"x"],
    ("PTR", "192.0.2.7"): ["mx.client.test"],
    ("PTR", "192.0.2.8"): ["mx.client.test"],
}


def visit(**changes):
    known = {"address": "192.0.2.7", "role": "smtp", "helo": "mx.client.test"}
    return Visit(**known | changes)


class WordTests(SynchronousTestCase):
    def setUp(self):
        self.resolver = MemoryResolver(RECORDS, down=["down.test", "192.0.2.6"])

    def told(self, word, **known):
        """The verdict, or the status of the fault, of one word."""
        made = CHECKS[word](self.resolver, MemoryRouter())
        asked = Deferred.fromCoroutine(made.check(visit(**known)))
        result = self.successResultOf(asked.addErrback(lambda fault: fault.value))
        return result.status if isinstance(result, MailError) else result

    def check(self, word, key, rows):
        for value, told in rows:
            self.assertEqual(self.told(word, **{key: value}), told, (word, value))

    def test_the_words_are_those_of_the_configuration(self):
        self.assertEqual(set(CHECKS), set(restricting.WORDS))
        self.assertEqual(set(ACCESS), set(restricting.ACCESS_WORDS))

    def test_what_permits(self):
        self.assertIs(self.told("permit"), Verdict.ALLOW)
        go_on, allow = Verdict.GO_ON, Verdict.ALLOW
        self.check("permit_mynetworks", "trusted", ((False, go_on), (True, allow)))
        self.check("permit_sasl_authenticated", "login", (("", go_on), ("ann", allow)))
        self.check(
            "permit_inet_interfaces",
            "address",
            (("192.0.2.7", go_on), ("local", allow)),
        )

    def test_what_refuses_by_what_is_known(self):
        go_on = Verdict.GO_ON
        self.assertEqual(self.told("reject"), "5.7.1")
        self.assertEqual(self.told("defer"), "4.7.1")
        self.check(
            "reject_plaintext_session", "tls", ((False, "5.7.10"), (True, go_on))
        )
        self.check(
            "reject_unauth_pipelining", "impatient", ((True, "5.5.0"), (False, go_on))
        )

    def test_HELO_names(self):
        go_on = Verdict.GO_ON
        self.check(
            "reject_invalid_helo_hostname",
            "helo",
            (
                ("mail.example", go_on),
                ("localhost", go_on),
                ("[192.0.2.1]", go_on),
                ("192.0.2.1", go_on),
                ("", go_on),
                ("-x-.test", "5.5.2"),
                ("[300.0.0.1]", "5.5.2"),
                ("a..b", "5.5.2"),
            ),
        )
        self.check(
            "reject_non_fqdn_helo_hostname",
            "helo",
            (
                ("mail.example", go_on),
                ("[192.0.2.1]", go_on),
                ("192.0.2.1", "5.5.2"),
                ("localhost", "5.5.2"),
            ),
        )
        self.check(
            "reject_unknown_helo_hostname",
            "helo",
            (
                ("mx.client.test", go_on),
                ("client.test", go_on),
                ("[192.0.2.1]", go_on),
                ("nowhere.test", "5.7.1"),
                ("empty.test", "5.7.1"),
                ("down.test", "4.4.3"),
            ),
        )

    def test_domains_of_addresses(self):
        for word, key, unknown, none in (
            ("reject_unknown_sender_domain", "sender", "5.1.8", "5.7.27"),
            ("reject_unknown_recipient_domain", "recipient", "5.1.2", "5.1.10"),
        ):
            self.check(
                word,
                key,
                (
                    (None, Verdict.GO_ON),
                    (Address("a", "client.test"), Verdict.GO_ON),
                    (Address("a", "web.test"), Verdict.GO_ON),
                    (Address("a", "[192.0.2.1]"), Verdict.GO_ON),
                    (Address("a", "nowhere.test"), unknown),
                    (Address("a", "empty.test"), unknown),
                    (Address("a", "none.test"), none),  # null MX
                    (Address("a", "down.test"), "4.4.3"),
                ),
            )
            for down in (set(), {"example.test"}):  # domains here need no DNS
                self.resolver.down |= down
                for name in ("ann", "no", "full"):
                    own = Address(name, "example.test")
                    self.check(word, key, ((own, Verdict.GO_ON),))
            self.resolver.down -= {"example.test"}
        for word, key in (
            ("reject_non_fqdn_sender", "sender"),
            ("reject_non_fqdn_recipient", "recipient"),
        ):
            self.check(
                word,
                key,
                (
                    (None, Verdict.GO_ON),
                    (Address("a", "b.test"), Verdict.GO_ON),
                    (Address("postmaster"), Verdict.GO_ON),
                    (Address("a", "localhost"), "5.5.2"),
                ),
            )

    def test_senders_of_domains_here(self):
        ann, nobody = Address("ann", "example.test"), Address("no", "example.test")
        other = Address("a", "elsewhere.test")
        self.check(
            "reject_unlisted_sender",
            "sender",
            ((ann, Verdict.GO_ON), (nobody, "5.1.0"), (other, Verdict.GO_ON)),
        )
        self.check(
            "reject_sender_login_mismatch",
            "sender",
            (
                (ann, "5.7.1"),
                (Address("full", "example.test"), "5.7.1"),
                (nobody, Verdict.GO_ON),
                (other, Verdict.GO_ON),
                (None, Verdict.GO_ON),
            ),
        )
        self.assertIs(
            self.told("reject_sender_login_mismatch", sender=ann, login="ann"),
            Verdict.GO_ON,
        )

    def test_names_of_clients(self):
        go_on = Verdict.GO_ON
        self.check(
            "reject_unknown_client_hostname",
            "address",
            (
                ("192.0.2.7", go_on),
                ("192.0.2.8", "5.7.25"),  # its name leads elsewhere
                ("192.0.2.9", "5.7.25"),
                ("192.0.2.6", "4.4.3"),
                ("local", go_on),
                ("unknown", "5.7.25"),
            ),
        )
        self.check(
            "reject_unknown_reverse_client_hostname",
            "address",
            (("192.0.2.8", go_on), ("192.0.2.9", "5.7.25")),
        )
        for name, told in (("h.test", go_on), ("", "5.7.25")):  # as a proxy told
            self.assertEqual(
                self.told("reject_unknown_client_hostname", name=name), told
            )

    def test_an_answer_is_looked_up_once_for_a_connection(self):
        check = CHECKS["reject_unknown_client_hostname"](self.resolver, MemoryRouter())
        client = visit()
        check.begin(client)
        for _ in range(3):
            self.successResultOf(Deferred.fromCoroutine(check.check(client)))
        self.assertEqual(len(self.resolver.asked), 2)

    def test_a_look_up_that_failed_for_now_is_tried_again(self):
        check = CHECKS["reject_unknown_client_hostname"](self.resolver, MemoryRouter())
        client = visit(address="192.0.2.6")
        self.failureResultOf(Deferred.fromCoroutine(check.check(client)), MailError)
        self.resolver.down.clear()
        self.resolver.records |= {
            ("PTR", "192.0.2.6"): ["six.test"],
            ("A", "six.test"): ["192.0.2.6"],
        }
        self.successResultOf(Deferred.fromCoroutine(check.check(client)))


class PipelineTests(SynchronousTestCase):
    def made(self, *, classes=(), tables=(), **lists):
        known = {"senders": {"client.test": "OK"}} | dict(tables)
        return pipeline(
            Restrictions(**lists),
            resolver=MemoryResolver(RECORDS),
            router=MemoryRouter(),
            tables={name: MemoryTable(rows) for name, rows in known.items()},
            classes=[RestrictionClass(name=n, checks=c) for n, c in classes],
        )

    def status(self, made, phase=Phase.SENDER, **known):
        """Of the fault that the list ends in, "" for none."""
        asked = self.ask(made, phase, sender=Address("a", "client.test"), **known)
        result = self.successResultOf(asked.addErrback(lambda fault: fault.value))
        return result.status if isinstance(result, MailError) else ""

    def ask(self, made, phase=Phase.SENDER, **known):
        return Deferred.fromCoroutine(made.ask(phase, visit(**known)))

    def test_the_first_that_permits_or_refuses_counts(self):
        made = self.made(sender=("check_sender_access senders", "reject"))
        self.successResultOf(self.ask(made, sender=Address("a", "client.test")))
        self.failureResultOf(self.ask(made, sender=Address("a", "b.test")), MailError)

    def test_a_list_that_permits_does_not_speak_for_the_next(self):
        made = self.made(client=("permit",), sender=("reject",))
        judged = Deferred.fromCoroutine(made.judge_sender(visit()))
        self.failureResultOf(judged, MailError)

    def test_it_knows_where_there_is_nothing_to_ask(self):
        made = self.made(recipient=("reject",))
        self.assertFalse(made.empty)
        self.assertFalse(made.judges_sender)
        self.assertTrue(made.wants(Phase.RECIPIENT))
        self.assertTrue(self.made().empty)

    def test_a_class_is_a_word_and_goes_on_where_it_does_not_decide(self):
        classes = [("strict", ("inner", "reject")), ("inner", ("permit_mynetworks",))]
        made = self.made(classes=classes, sender=("strict", "defer"))
        self.assertEqual(self.status(made), "5.7.1")
        self.assertEqual(self.status(made, trusted=True), "")
        made = self.made(classes=classes, sender=("inner", "defer"))
        self.assertEqual(self.status(made), "4.7.1")

    def test_a_table_may_name_classes_words_and_other_tables(self):
        for value, told in (
            ("strict", "5.7.1"),
            ("permit_mynetworks reject", "5.7.1"),
            ("permit_mynetworks, defer", "4.7.1"),
            ("check_sender_access senders, reject", ""),
            ("warn_if_reject reject", "4.7.1"),  # the list goes on
            ("nothing_known", "4.3.5"),
            ("check_sender_access nowhere", "4.3.5"),
        ):
            made = self.made(
                classes=[("strict", ("reject",))],
                tables={"t": {"client.test": value}},
                sender=("check_sender_access t", "defer"),
            )
            self.assertEqual(self.status(made), told, value)

    def test_tables_that_lead_to_each_other_without_end_defer_mail(self):
        made = self.made(
            tables={"t": {"client.test": "check_sender_access t"}},
            sender=("check_sender_access t",),
        )
        self.assertEqual(self.status(made), "4.3.5")

    def test_what_would_be_refused_can_be_told_to_the_log_alone(self):
        lines = []
        globalLogPublisher.addObserver(lines.append)
        self.addCleanup(globalLogPublisher.removeObserver, lines.append)
        made = self.made(sender=("warn_if_reject reject", "permit"))
        self.assertEqual(self.status(made), "")
        self.assertIn("would be refused: 5.7.1", formatEvent(lines[0]))

    def test_a_refusal_can_be_deferred_by_what_was_said_before(self):
        made = self.made(sender=("defer_if_reject", "reject"))
        self.assertEqual(self.status(made), "4.7.1")
        made = self.made(sender=("defer_if_reject", "permit"))
        self.assertEqual(self.status(made), "")
