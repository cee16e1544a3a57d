"""Octets of DNS."""

import contextlib
import struct

from hypothesis import given
from hypothesis import strategies as st
from twisted.names import dns
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.dns import wire
from mailtwist.dns.wire import BadReply, Question, decode, encode, valid_name
from tests.dns.nameserver import a, aaaa, cname, mx, ptr, reply_to, soa, tlsa, txt

ASKED = Question("example.test", wire.MX)


def query_of(question=ASKED, number=7):
    query = dns.Message()
    query.fromStr(encode(question, number, edns=True, dnssec=False))
    return query


def reply(*answers, question=ASKED, **fields):
    made = reply_to(query_of(question), answers)
    for name, value in fields.items():
        setattr(made, name, value)
    return made


class EncodeTests(SynchronousTestCase):
    def test_a_query_is_recursive_and_asks_for_ad(self):
        query = query_of()
        self.assertEqual(
            (query.id, query.recDes, query.authenticData, query.answer), (7, 1, 1, 0)
        )
        self.assertEqual(query.queries, [dns.Query(b"example.test", dns.MX, dns.IN)])

    def test_edns_tells_the_size_and_do_only_if_wanted(self):
        for dnssec in (False, True):
            query = dns.Message()
            query.fromStr(encode(ASKED, 1, edns=True, dnssec=dnssec))
            (option,) = query.additional
            self.assertEqual((option.type, option.cls), (dns.OPT, wire.UDP_OCTETS))
            self.assertEqual(bool(option.ttl & 0x8000), dnssec)

    def test_without_edns_there_is_no_additional_record(self):
        query = dns.Message()
        query.fromStr(encode(ASKED, 1, edns=False, dnssec=True))
        self.assertEqual(query.additional, [])


class DecodeTests(SynchronousTestCase):
    def test_records_become_plain_values(self):
        for kind, made, value in (
            (wire.A, a("h.test", "192.0.2.1"), "192.0.2.1"),
            (wire.AAAA, aaaa("h.test", "2001:db8::1"), "2001:db8::1"),
            (wire.MX, mx("h.test", 10, "MX.Test"), (10, "mx.test")),
            (wire.MX, mx("h.test", 0, ""), (0, "")),
            (wire.TXT, txt("h.test", b"v=a; ", b"b"), b"v=a; b"),
            (wire.PTR, ptr("h.test", "Name.test"), "name.test"),
            (wire.CNAME, cname("h.test", "o.test"), "o.test"),
            (wire.TLSA, tlsa("h.test", 3, 1, 1, b"\0" * 32), (3, 1, 1, b"\0" * 32)),
        ):
            question = Question("h.test", kind)
            got = decode(reply(made, question=question).toStr(), question, 7)
            self.assertEqual(
                [(r.name, r.type, r.ttl_s, r.value) for r in got.records],
                [("h.test", kind, 300, value)],
            )

    def test_the_case_of_the_question_does_not_matter(self):
        octets = reply().toStr().replace(b"example", b"eXaMPLe")
        self.assertEqual(decode(octets, ASKED, 7).rcode, wire.OK)

    def test_flags_and_negative_ttl_are_told(self):
        made = reply(rCode=3, authenticData=1, authority=[soa("test", 90, 40)])
        got = decode(made.toStr(), ASKED, 7)
        self.assertEqual((got.rcode, got.authentic), (wire.NXDOMAIN, True))
        self.assertEqual(got.negative_ttl_s, 40)
        self.assertIsNone(decode(reply().toStr(), ASKED, 7).negative_ttl_s)

    def test_the_extended_rcode_counts(self):
        option = dns.RRHeader(
            type=dns.OPT, cls=1232, ttl=1 << 24, payload=dns.UnknownRecord(b"")
        )
        got = decode(reply(additional=[option]).toStr(), ASKED, 7)
        self.assertEqual(got.rcode, 16)

    def test_what_is_no_reply_to_the_question_is_refused(self):
        other = Question("other.test", wire.MX)
        octets = reply(a("example.test", "192.0.2.1")).toStr()
        for bad, why in (
            (reply(id=8).toStr(), "another id"),
            (encode(ASKED, 7, edns=False, dnssec=False), "a query"),
            (reply(question=other).toStr(), "another name"),
            (reply(question=Question("example.test", wire.A)).toStr(), "another type"),
            (reply(queries=[]).toStr(), "no question"),
            (octets[:-5], "a record cut off"),
            (octets[:11], "a header cut off"),
            (b"", "nothing"),
        ):
            with self.assertRaises(BadReply, msg=why):
                decode(bad, ASKED, 7)

    def test_a_refusal_without_the_question_is_a_reply(self):
        got = decode(reply(queries=[], rCode=wire.FORMERR).toStr(), ASKED, 7)
        self.assertEqual(got.rcode, wire.FORMERR)

    def test_a_truncated_reply_may_have_lost_records(self):
        octets = bytearray(reply(trunc=1).toStr())
        struct.pack_into("!H", octets, 6, 3)
        self.assertTrue(decode(bytes(octets), ASKED, 7).truncated)

    def test_an_address_of_the_wrong_length_is_refused(self):
        made = reply(
            dns.RRHeader(b"h.test", dns.A, payload=dns.UnknownRecord(b"\1" * 6))
        )
        with self.assertRaises(BadReply):
            decode(made.toStr(), ASKED, 7)

    @given(octets=st.binary(max_size=300))
    def test_arbitrary_octets_raise_only_bad_reply(self, octets):
        with contextlib.suppress(BadReply):
            decode(octets, ASKED, 7)

    @given(
        at=st.integers(12, 150),
        octets=st.binary(min_size=1, max_size=8),
        cut=st.booleans(),
    )
    def test_a_damaged_reply_raises_only_bad_reply(self, at, octets, cut):
        whole = reply(
            mx("example.test", 5, "a.example.test"),
            txt("example.test", b"text"),
            tlsa("example.test", 3, 1, 1, b"data"),
            a("a.example.test", "192.0.2.1"),
            authority=[soa("test")],
        ).toStr()
        damaged = whole[:at] + octets + (b"" if cut else whole[at + len(octets) :])
        with contextlib.suppress(BadReply):
            decode(damaged, ASKED, 7)


class NameTests(SynchronousTestCase):
    def test_a_name_must_fit_the_wire(self):
        for name, valid in (
            ("example.test", True),
            ("_25._tcp.mx.test", True),
            ("", False),
            ("a..b", False),
            ("a" * 64 + ".test", False),
            (".".join(["a" * 63] * 4), False),
            ("m\xfcller.test", False),
        ):
            self.assertEqual(valid_name(name), valid, name)
