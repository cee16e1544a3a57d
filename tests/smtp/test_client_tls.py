"""TLS towards next hops: what is asked, what is given, what is refused."""

import hashlib
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from twisted.trial.unittest import TestCase

from mailtwist.config.relaying import Relay
from mailtwist.delivery.model import Wishes
from mailtwist.errors import ConfigError
from mailtwist.queue.model import Host, TlsRule
from mailtwist.smtp.client_tls import ClientTls

from ..authority import Authority
from .next_hop import CLOSE, MAIL, SILENCE, Content, World, job, offering, run, statuses

TLS = {"EHLO": offering("PIPELINING", "STARTTLS")}
ALL = {"EHLO": offering("PIPELINING", "STARTTLS", "REQUIRETLS")}


class TlsTestCase(TestCase):
    def setUp(self):
        self.authority = Authority()
        self.ca = Path(self.mktemp())
        self.ca.write_bytes(self.authority.pem)

    def world(self, **options):
        relay = Relay(idle_s=0, command_s=1, greeting_s=1)
        return World(self, ca=str(self.ca), relay=relay, **options)

    async def sent(self, rule, *, names=("next.test",), script=TLS, days=1, **fields):
        """(outcome statuses, what was told of TLS, the hop)."""
        world = self.world()
        hop = await world.next_hop(script, rule=rule)
        options = fields.pop("server", {})
        hop.tls, _ = self.authority.server(*names, days=days, **options)
        outcomes = await world.send(job(**fields))
        return statuses(outcomes), [told[2] for told in world.hosts.told], hop


class RuleTests(TlsTestCase):
    @run
    async def test_what_each_rule_makes_of_a_good_host(self):
        for level, secure, told in (
            ("none", False, []),
            ("may", True, [""]),
            ("encrypt", True, [""]),
            ("verify", True, [""]),
        ):
            got, heard, hop = await self.sent(TlsRule(level))
            self.assertEqual((got, heard), ([None], told), level)
            self.assertEqual(hop.peers[0].secure, secure, level)
            self.assertEqual(len(hop.messages), 1, level)

    @run
    async def test_what_was_offered_in_clear_is_not_believed(self):
        def after(peer):
            secure = offering("PIPELINING", "SIZE 0")
            return secure if peer.secure else offering("STARTTLS", "SIZE 10")

        got, _, hop = await self.sent(TlsRule("may"), script={"EHLO": after})
        self.assertEqual(got, [None])
        self.assertEqual([line[:4] for line in hop.lines].count(b"EHLO"), 2)

    @run
    async def test_verify_refuses_what_cannot_be_trusted(self):
        stranger = Authority("Stranger")
        for authority, names, days, told in (
            (self.authority, ("other.test",), 1, "certificate-host-mismatch"),
            (self.authority, ("next.test",), -1, "certificate-expired"),
            (stranger, ("next.test",), 1, "certificate-not-trusted"),
        ):
            self.authority = authority
            got, heard, hop = await self.sent(TlsRule("verify"), names=names, days=days)
            self.assertEqual((got, heard), (["4.7.5"], [told]))
            self.assertNotIn(b"MAIL", b"".join(hop.lines))
            got, _, _ = await self.sent(TlsRule("encrypt"), names=names, days=days)
            self.assertEqual(got, [None])

    @run
    async def test_the_names_that_a_rule_allows(self):
        for wanted, names, good in (
            (("a.test", "b.test"), ("b.test",), True),
            ((".b.test",), ("mx.b.test",), True),
            ((".b.test",), ("b.test",), False),
            (("mx.b.test",), ("*.b.test",), True),
            (("127.0.0.1",), ("127.0.0.1",), True),
            (("127.0.0.1",), ("next.test",), False),
        ):
            got, _, _ = await self.sent(TlsRule("verify", wanted), names=names)
            self.assertEqual(got, [None if good else "4.7.5"], (wanted, names))

    @run
    async def test_no_tls_where_it_is_needed_is_temporary(self):
        for script, why in (
            ({"EHLO": offering("PIPELINING")}, "not offered"),
            (TLS | {"STARTTLS": b"454 4.7.0 not now\r\n"}, "refused"),
            (TLS | {"STARTTLS": CLOSE}, "cut"),
            (TLS | {"STARTTLS": SILENCE}, "silence"),
        ):
            got, told, hop = await self.sent(TlsRule("encrypt"), script=script)
            self.assertIn(got[0], ("4.7.4", "4.7.5"), why)
            self.assertEqual(told, ["starttls-not-supported"], why)
            self.assertEqual(hop.messages, [], why)

    @run
    async def test_may_goes_on_in_clear_where_tls_fails(self):
        for script, why in (
            ({"EHLO": offering("PIPELINING")}, "not offered"),
            (TLS | {"STARTTLS": b"454 4.7.0 not now\r\n"}, "refused"),
            (TLS | {"STARTTLS": CLOSE}, "cut"),
            (TLS | {"STARTTLS": b"220 go\r\nnonsense"}, "no handshake"),
        ):
            got, told, hop = await self.sent(TlsRule("may"), script=script)
            self.assertEqual(got, [None], why)
            self.assertEqual(len(told), 1, why)
            self.assertFalse(hop.peers[-1].secure, why)

    @run
    async def test_a_policy_in_test_is_told_and_refuses_nothing(self):
        rule = TlsRule("may", ("next.test",), policy="sts", testing=True)
        for names, told in (
            (("next.test",), ""),
            (("other.test",), "certificate-host-mismatch"),
        ):
            got, heard, hop = await self.sent(rule, names=names)
            self.assertEqual((got, heard), ([None], [told]))
            self.assertTrue(hop.peers[0].secure)

    @run
    async def test_octets_behind_the_reply_to_starttls_are_never_an_answer(self):
        injected = b"220 go\r\n" + offering("PIPELINING", "AUTH PLAIN")
        script = TLS | {"STARTTLS": injected}
        got, _, hop = await self.sent(TlsRule("encrypt"), script=script)
        self.assertEqual(got, ["4.7.5"])
        self.assertEqual(hop.messages, [])

    def test_the_name_that_is_asked_for(self):
        dane = TlsRule("dane", ("end.test", "mx.test", "b.test"), ((3, 1, 1, b"x"),))
        for name, rule, asked in (
            ("mx.test", TlsRule(), b"mx.test"),
            ("mx.test", TlsRule("verify", ("other.test",)), b"mx.test"),
            ("mx.test", dane, b"end.test"),
            ("192.0.2.1", TlsRule(), None),
        ):
            connection = ClientTls().connection(Host(name, 25, (), rule))
            begun = connection.clientConnectionForTLS(None)
            self.assertEqual(begun.get_servername(), asked, (name, rule))

    def test_a_ca_file_that_is_none_is_told_at_once(self):
        self.assertRaises(ConfigError, ClientTls, self.mktemp())


class DaneTests(TlsTestCase):
    async def judged(self, *records, names=("next.test",), days=1):
        world = self.world()
        hop = await world.next_hop(TLS, rule=TlsRule("dane"))
        hop.tls, leaf = self.authority.server(*names, days=days)
        made = tuple(record(leaf, self.authority.certificate) for record in records)
        world.hosts.rule(TlsRule("dane", tlsa=made, policy="tlsa"))
        return statuses(await world.send(job()))

    @run
    async def test_a_record_of_the_certificate_or_its_key_is_enough(self):
        for record in (
            lambda leaf, ca: (3, 1, 1, hashlib.sha256(spki(leaf)).digest()),
            lambda leaf, ca: (3, 0, 2, hashlib.sha512(der(leaf)).digest()),
            lambda leaf, ca: (3, 1, 0, spki(leaf)),
            lambda leaf, ca: (2, 0, 1, hashlib.sha256(der(ca)).digest()),
            lambda leaf, ca: (2, 1, 1, hashlib.sha256(spki(ca)).digest()),
            lambda leaf, ca: (2, 0, 0, der(ca)),
        ):
            self.assertEqual(await self.judged(bad_record, record), [None])

    @run
    async def test_names_and_dates_count_only_below_an_anchor(self):
        def leaf_key(leaf, ca):
            return (3, 1, 1, hashlib.sha256(spki(leaf)).digest())

        def anchor(leaf, ca):
            return (2, 1, 1, hashlib.sha256(spki(ca)).digest())

        bad = {"names": ("other.test",), "days": -1}
        self.assertEqual(await self.judged(leaf_key, **bad), [None])
        self.assertEqual(await self.judged(anchor, names=("other.test",)), ["4.7.5"])
        self.assertEqual(await self.judged(anchor, days=-1), ["4.7.5"])

    @run
    async def test_a_record_that_does_not_fit_keeps_the_mail(self):
        self.assertEqual(await self.judged(bad_record), ["4.7.5"])

    @run
    async def test_records_that_cannot_be_used_ask_for_tls_alone(self):
        for usage in (0, 1, 9):
            got = await self.judged(lambda leaf, ca, usage=usage: (usage, 1, 1, b"x"))
            self.assertEqual(got, [None])


def bad_record(leaf, ca):
    return (3, 1, 1, b"\0" * 32)


def der(certificate):
    return certificate.public_bytes(Encoding.DER)


def spki(certificate):
    return certificate.public_key().public_bytes(
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    )


class RequireTlsTests(TlsTestCase):
    """RFC 8689: what the sender says of TLS."""

    async def required(self, script, names=("next.test",), *, authentic=True):
        world = self.world()
        hop = await world.next_hop(script, authentic=authentic)
        hop.tls, _ = self.authority.server(*names)
        outcomes = await world.send(job(wishes=Wishes(require_tls=True)))
        return statuses(outcomes), hop

    @run
    async def test_it_is_passed_on_to_a_host_that_promises_it(self):
        got, hop = await self.required(ALL)
        self.assertEqual(got, [None])
        self.assertIn(b"MAIL FROM:<ann@a.test> REQUIRETLS", hop.lines)

    @run
    async def test_without_a_host_that_can_the_mail_comes_back(self):
        for script, names, authentic, status in (
            (TLS, ("next.test",), True, "5.7.30"),
            (ALL, ("other.test",), True, "5.7.10"),
            (ALL, ("next.test",), False, "5.7.10"),  # anybody may have named it
            ({"EHLO": offering("REQUIRETLS")}, ("next.test",), True, "5.7.10"),
        ):
            got, hop = await self.required(script, names, authentic=authentic)
            self.assertEqual(got, [status])
            self.assertEqual(hop.messages, [])

    @run
    async def test_tlsa_records_that_say_nothing_prove_nothing(self):
        unusable = TlsRule("dane", tlsa=((1, 1, 1, b"x"),), policy="tlsa")
        world = self.world()
        hop = await world.next_hop(ALL, rule=unusable, authentic=True)
        hop.tls, _ = self.authority.server("next.test")
        outcomes = await world.send(job(wishes=Wishes(require_tls=True)))
        self.assertEqual(statuses(outcomes), ["5.7.10"])

    @run
    async def test_tls_required_no_outweighs_the_policy_of_the_recipient(self):
        content = Content(b"TLS-Required: No\r\n" + MAIL)
        for rule, status in (
            (TlsRule("verify", policy="sts"), None),
            (TlsRule("dane", tlsa=((3, 1, 1, b"x"),), policy="tlsa"), None),
            (TlsRule("verify"), "4.7.5"),  # what our administrator asks stays
        ):
            world = self.world()
            hop = await world.next_hop(TLS, rule=rule)
            hop.tls, _ = self.authority.server("other.test")
            self.assertEqual(statuses(await world.send(job(), content)), [status])
