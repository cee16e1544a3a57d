import gzip
import io
import json
import zipfile
from base64 import encodebytes

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.errors import BadMessage
from mailtwist.trust.aggregate import (
    AggregateReport,
    DkimProof,
    Published,
    Row,
    SpfProof,
    decode,
    encode,
    sums,
)
from mailtwist.trust.received import in_message, in_octets

WORD = st.text("abcdefghij.-<>&\"'é", min_size=1, max_size=12).map(
    lambda text: text.lower()
)
ROWS = st.builds(
    Row,
    st.sampled_from(["192.0.2.1", "2001:db8::1"]),
    st.sampled_from(["none", "quarantine", "reject"]),
    st.sampled_from(["pass", "fail"]),
    st.sampled_from(["pass", "fail"]),
    WORD,
    WORD,
    st.sampled_from(["", "sampled_out"]),
    dkim_proofs=st.lists(st.builds(DkimProof, WORD, WORD, WORD), max_size=2).map(tuple),
    spf_proofs=st.lists(st.builds(SpfProof, WORD, WORD, WORD), max_size=1).map(tuple),
)
REPORTS = st.builds(
    AggregateReport,
    WORD,
    WORD,
    WORD,
    st.integers(0, 2**40),
    st.integers(0, 2**40),
    st.builds(Published, WORD, testing=st.sampled_from(["", "y"])),
    st.lists(st.tuples(ROWS, st.integers(0, 10**9)), max_size=4).map(tuple),
)
REPORT = AggregateReport(
    "else.test",
    "postmaster@else.test",
    "1",
    1_700_000_000,
    1_700_086_399,
    Published("a.test", "reject"),
    (
        (Row("192.0.2.1", "none", "pass", "fail", "a.test"), 5),
        (Row("192.0.2.9", "reject", "fail", "fail", "a.test"), 2),
    ),
)
# The form of RFC 7489 appendix C, as most still send it.
OLD = b"""<?xml version="1.0" encoding="UTF-8" ?>
<feedback>
  <report_metadata>
    <org_name>old.test</org_name>
    <email>noreply@old.test</email>
    <report_id>17</report_id>
    <date_range><begin>1700000000</begin><end>1700086399</end></date_range>
  </report_metadata>
  <policy_published>
    <domain>A.test</domain><adkim>r</adkim><aspf>r</aspf><p>none</p><pct>100</pct>
  </policy_published>
  <record>
    <row><source_ip>192.0.2.1</source_ip><count>3</count>
      <policy_evaluated><disposition>none</disposition>
        <dkim>fail</dkim><spf>pass</spf></policy_evaluated></row>
    <identifiers><header_from>a.test</header_from></identifiers>
    <auth_results><spf><domain>a.test</domain><result>pass</result></spf>
    </auth_results>
  </record>
</feedback>
"""
TLS = {
    "organization-name": "else.test",
    "date-range": {
        "start-datetime": "2026-11-24T00:00:00Z",
        "end-datetime": "2026-11-24T23:59:59Z",
    },
    "report-id": "t1",
    "policies": [
        {
            "policy": {"policy-type": "sts", "policy-domain": "A.test"},
            "summary": {
                "total-successful-session-count": 7,
                "total-failure-session-count": 1,
            },
            "failure-details": [
                {
                    "result-type": "certificate-expired",
                    "receiving-mx-hostname": "mx.a.test",
                    "failed-session-count": 1,
                }
            ],
        }
    ],
}


class XmlTests(SynchronousTestCase):
    @given(REPORTS)
    def test_what_is_written_can_be_read(self, report):
        self.assertEqual(decode(encode(report)), report)

    def test_the_older_form_is_read(self):
        found = decode(OLD)
        self.assertEqual(
            (found.published.domain, found.published.pct), ("a.test", "100")
        )
        self.assertEqual(sums([found]), {("a.test", "192.0.2.1", True): 3})

    def test_sums_are_by_author_source_and_verdict(self):
        found = sums([REPORT, REPORT])
        self.assertEqual(
            found,
            {("a.test", "192.0.2.1", True): 10, ("a.test", "192.0.2.9", False): 4},
        )

    def test_nothing_is_expanded(self):
        bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa">]><feedback>&a;</feedback>'
        for octets, why in (
            (bomb, "entities"),
            (b"<feedback>", "no XML"),
            (b"<html/>", "another document"),
            (b"", "nothing"),
            (b'<?xml version="1.0" encoding="no-such"?><feedback/>', "encoding"),
        ):
            with self.assertRaises(BadMessage, msg=why):
                decode(octets)

    @given(st.binary(max_size=200))
    def test_any_octets_are_a_report_or_a_bad_message(self, octets):
        for found in (octets, b"<feedback>" + octets + b"</feedback>"):
            try:
                decode(found)
            except BadMessage as bad:
                self.assertTrue(bad.public)


class ReceivedTests(SynchronousTestCase):
    def zipped(self, octets):
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("report.xml", octets)
        return made.getvalue()

    def test_a_report_may_be_packed(self):
        xml = encode(REPORT)
        for octets in (
            xml,
            gzip.compress(xml),
            self.zipped(xml),
            b"\xef\xbb\xbf" + xml,
        ):
            self.assertEqual(in_octets(octets), [REPORT])

    def test_a_tls_report_is_read(self):
        (found,) = in_octets(gzip.compress(json.dumps(TLS).encode()))
        (policy,) = found.policies
        self.assertEqual(
            (policy.domain, policy.succeeded, policy.failed), ("a.test", 7, 1)
        )
        self.assertEqual(policy.failures, (("certificate-expired", "mx.a.test", 1),))

    def test_what_grows_without_end_is_refused(self):
        many = b"<feedback>" + b" " * (30 * 1024 * 1024)
        for octets in (gzip.compress(many), self.zipped(many)):
            with self.assertRaises(BadMessage):
                in_octets(octets)

    def test_reports_are_found_in_messages(self):
        for kind in (b"application/gzip", b"application/octet-stream"):
            octets = gzip.compress(encode(REPORT))
            body = encodebytes(octets).replace(b"\n", b"\r\n")
            message = (
                b"Subject: Report\r\nMIME-Version: 1.0\r\n"
                b"Content-Type: multipart/mixed; boundary=x\r\n\r\n"
                b"--x\r\nContent-Type: text/plain\r\n\r\nhello\r\n"
                b"--x\r\nContent-Type: " + kind + b"\r\n"
                b"Content-Transfer-Encoding: base64\r\n\r\n" + body + b"--x--\r\n"
            )
            self.assertEqual(in_message(message), [REPORT])
        self.assertEqual(in_message(b"Subject: none\r\n\r\nhello\r\n"), [])

    @given(st.binary(max_size=300))
    def test_any_octets_are_reports_or_a_bad_message(self, octets):
        for front in (b"", b"\x1f\x8b", b"PK\x03\x04", b"{"):
            try:
                in_octets(front + octets)
            except BadMessage as bad:
                self.assertTrue(bad.public)
        self.assertEqual(in_message(octets), [])

    @given(
        st.recursive(
            st.none() | st.integers() | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(
                        ["policies", "policy", "summary", "failure-details"]
                    ),
                    inner,
                    max_size=3,
                )
            ),
            max_leaves=10,
        )
    )
    def test_any_json_is_a_tls_report_or_a_bad_message(self, said):
        try:
            in_octets(b" {" + json.dumps(said).encode() + b"}")
        except BadMessage as bad:
            self.assertTrue(bad.public)
        try:
            in_octets(json.dumps({"policies": said}).encode())
        except BadMessage as bad:
            self.assertTrue(bad.public)
