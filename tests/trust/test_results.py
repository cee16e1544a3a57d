from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.trust.results import MethodResult, authserv_id, encoded, parsed

WORD = st.text("abcdefghij-", min_size=1, max_size=10)
RESULTS = st.lists(
    st.builds(
        MethodResult,
        WORD,
        WORD,
        st.dictionaries(WORD.map("smtp.{}".format), st.text(max_size=20), max_size=3),
        reason=st.text('abc "\\();=', max_size=20),
    ),
    max_size=5,
)


class ResultsTests(SynchronousTestCase):
    def test_results_are_written_one_a_line(self):
        found = encoded(
            "mail.test",
            [
                MethodResult("spf", "pass", {"smtp.mailfrom": "a@b.test"}),
                MethodResult("dkim", "fail", {"header.d": "b.test"}, "hash; wrong"),
            ],
        )
        self.assertEqual(
            found,
            "Authentication-Results: mail.test;\r\n"
            "\tspf=pass smtp.mailfrom=a@b.test;\r\n"
            '\tdkim=fail reason="hash; wrong" header.d=b.test\r\n',
        )

    def test_nothing_checked_is_none(self):
        self.assertEqual(
            encoded("mail.test", []), "Authentication-Results: mail.test; none\r\n"
        )
        self.assertEqual(parsed(" mail.test; none"), ("mail.test", []))

    def test_what_a_sender_says_cannot_add_a_line(self):
        bad = MethodResult("spf", "pass", {"smtp.helo": 'x"\r\nFrom: y\r\n'}, "a\nb")
        self.assertEqual(encoded("m.test", [bad]).count("\n"), 2)

    def test_the_forms_of_rfc_8601_are_read(self):
        for text, wanted, why in (
            (
                "example.com 1; spf=pass smtp.mailfrom=example.net",
                ("example.com", [("spf", "pass", {"smtp.mailfrom": "example.net"})]),
                "a version",
            ),
            (
                "example.com; (a (nested) one) dkim=pass (good ; signature)\r\n"
                " header.i=@mail-router.example.net; dkim=fail header.i=@x",
                (
                    "example.com",
                    [
                        ("dkim", "pass", {"header.i": "@mail-router.example.net"}),
                        ("dkim", "fail", {"header.i": "@x"}),
                    ],
                ),
                "comments",
            ),
            (
                "foo.example.net (foobar) 1 (baz);\r\n dkim (Because I like it) / 1 ="
                ' fail policy (A dot can go here) . expired = "now; (x)"',
                ("foo.example.net", []),
                "white space where nobody has it is not read",
            ),
            ("; spf=pass", None, "no authserv-id"),
            ("", None, "nothing"),
        ):
            found = parsed(text)
            if found is not None:
                name, some = found
                told = [(one.method, one.result, dict(one.properties)) for one in some]
                found = name, told
            self.assertEqual(found, wanted, why)

    def test_an_authserv_id_may_be_quoted_hidden_or_missing(self):
        for text, wanted in (
            (" Mail.Test;spf=pass", "mail.test"),
            (" (x) mail.test (y) ; none", "mail.test"),
            (" mail.test", "mail.test"),
            ("", ""),
        ):
            self.assertEqual(authserv_id(text), wanted)

    @given(RESULTS)
    def test_what_is_written_can_be_read(self, some):
        field = encoded("mail.test", some).partition(":")[2]
        name, found = parsed(field)
        self.assertEqual(name, "mail.test")
        told = [(one.method, one.result) for one in found]
        self.assertEqual(told, [(one.method, one.result) for one in some])
        for one, read in zip(some, found, strict=True):
            self.assertEqual(set(read.properties), set(one.properties))

    @given(st.text(max_size=200))
    def test_any_text_is_read_or_not(self, text):
        found = parsed(text)
        if found is not None:
            self.assertEqual(found[0], authserv_id(text))
