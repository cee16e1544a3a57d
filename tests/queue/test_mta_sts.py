"""MTA-STS records and policies, read."""

import contextlib

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.queue.mta_sts import (
    MOST_AGE_S,
    BadPolicy,
    StsPolicy,
    policy_text,
    record_id,
)

TEXT = (
    b"version: STSv1\r\nmode: enforce\r\nmx: Mail.example.test\r\n"
    b"mx: *.example.net\r\nmax_age: 86400\r\n"
)


class RecordTests(SynchronousTestCase):
    def test_a_domain_has_one_record_or_no_mta_sts(self):
        for records, found, why in (
            ([b"v=STSv1; id=20160831085700Z;"], "20160831085700Z", "as in the RFC"),
            ([b"v=STSv1;id=1"], "1", "no space, no end"),
            ([b"v=STSv1; x=y; id=1;"], "1", "an extension"),
            ([b"v=spf1 -all", b"v=STSv1; id=1;"], "1", "another kind beside it"),
            ([], None, "none"),
            ([b"v=STSv1; id=1;", b"v=STSv1; id=2;"], None, "two"),
            ([b"v=STSv1;"], None, "no id"),
            ([b"v=STSv1; id=a-b;"], None, "not alphanumeric"),
            ([b"v=STSv1; id=" + b"a" * 33], None, "too long"),
            ([b"v=STSv12; id=1"], None, "another version"),
            ([b"id=1; v=STSv1"], None, "the version is not first"),
        ):
            self.assertEqual(record_id(records), found, why)


class PolicyTests(SynchronousTestCase):
    def test_a_policy_is_read(self):
        policy = StsPolicy.parse(TEXT)
        self.assertEqual((policy.mode, policy.max_age_s), ("enforce", 86400))
        self.assertEqual(policy.mx, ("mail.example.test", "*.example.net"))
        self.assertEqual(policy.text, TEXT.decode().strip().replace("\r\n", "\n"))

    def test_a_policy_of_ours_is_written_as_others_read_it(self):
        text = policy_text("enforce", ["mail.example.test", "*.example.net"], 86400)
        self.assertEqual(text.encode(), TEXT.replace(b"Mail", b"mail"))
        long = policy_text("none", [], MOST_AGE_S * 2)
        self.assertEqual(StsPolicy.parse(long.encode()).max_age_s, MOST_AGE_S)

    def test_freedom_of_the_grammar(self):
        for octets, why in (
            (TEXT.replace(b"\r\n", b"\n"), "LF"),
            (TEXT.strip(), "no last line end"),
            (TEXT + b"x-new: thing\r\n", "an unknown field"),
            (TEXT.replace(b": ", b":"), "no space"),
            (TEXT + b"mode: none\r\n", "a second mode"),
        ):
            self.assertEqual(StsPolicy.parse(octets).mode, "enforce", why)

    def test_the_age_is_bounded(self):
        policy = StsPolicy.parse(TEXT.replace(b"86400", b"9999999999"))
        self.assertEqual(policy.max_age_s, MOST_AGE_S)

    def test_mode_none_needs_no_hosts(self):
        policy = StsPolicy.parse(b"version: STSv1\nmode: none\nmax_age: 1\n")
        self.assertEqual((policy.mode, policy.mx), ("none", ()))

    def test_what_breaks_the_grammar_is_refused(self):
        for octets, why in (
            (b"", "empty"),
            (TEXT.replace(b"STSv1", b"STSv2"), "version"),
            (TEXT.replace(b"enforce", b"strict"), "mode"),
            (TEXT.replace(b"86400", b"-1"), "age"),
            (TEXT.replace(b"86400", b"\xd9\xa1"), "age in other digits"),
            (b"version: STSv1\nmode: enforce\nmax_age: 1\n", "no mx"),
            (TEXT + b"mx: a b\r\n", "a host with a space"),
            (TEXT + b"mx: a.*.test\r\n", "a wildcard inside"),
            (TEXT + b"<html>\r\n", "no field"),
            (TEXT + b"x: \xff\r\n", "no UTF-8"),
        ):
            with self.assertRaises(BadPolicy, msg=why):
                StsPolicy.parse(octets)

    def test_a_wildcard_is_one_label(self):
        policy = StsPolicy.parse(TEXT)
        for host, allowed in (
            ("mail.example.test", True),
            ("MAIL.example.test.", True),
            ("example.test", False),
            ("a.mail.example.test", False),
            ("a.example.net", True),
            ("example.net", False),
            ("a.b.example.net", False),
            ("aexample.net", False),
        ):
            self.assertEqual(policy.allows(host), allowed, host)

    @given(octets=st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
    def test_arbitrary_octets_raise_only_bad_policy(self, octets):
        with contextlib.suppress(BadPolicy):
            StsPolicy.parse(octets)
        record_id([octets])
