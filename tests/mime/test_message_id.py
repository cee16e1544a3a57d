"""Message identifiers of References, In-Reply-To and Message-ID."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.mime.message_id import message_ids

VALUES = [
    (b"<a@b>", [b"a@b"], "one"),
    (b" <a@b> <c@d>\t<e@f>", [b"a@b", b"c@d", b"e@f"], "several"),
    (b"<a@b><c@d>", [b"a@b", b"c@d"], "without space between"),
    (b'<"01KF8"@x.example>', [b"01KF8@x.example"], "quoting says nothing"),
    (b'<"a b\\"c"@x>', [b'a b"c@x'], "what only quoting can say"),
    (b"your mail of Monday <a@b>", [b"a@b"], "words before"),
    (b"<a> <@b> a@b <a@> <>", [], "no identifiers"),
    (b"<a@[127.0.0.1]>", [b"a@[127.0.0.1]"], "a literal"),
    (b"<A@b>", [b"A@b"], "case counts"),
    (b"", [], "empty"),
]


class MessageIdTests(SynchronousTestCase):
    def test_values(self):
        for value, wanted, why in VALUES:
            self.assertEqual(message_ids(value), wanted, why)

    @given(st.binary(max_size=200))
    def test_any_octets_give_a_list(self, value):
        for one in message_ids(value):
            self.assertIn(b"@", one)
