"""IMAP URLs: what they name, and what is none."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.errors import BadUrl
from mailtwist.imap4.grammar.url import encoded_path, imap_url
from mailtwist.imap4.types import Section, SectionText
from mailtwist.imap4.types_url import Access, ImapUrl, UrlAuth

TOKEN = b"91354a473744909de610943775f92038"
FROM = Section((), SectionText.FIELDS, (b"From", b"To"))


class UrlTests(SynchronousTestCase):
    def test_what_a_url_names(self):
        for url, wanted in [
            (b"/INBOX/;UID=20", ImapUrl("INBOX", 20)),
            (b"/a/b%20c/;uid=1", ImapUrl("a/b c", 1)),
            (b"/%E6%97%A5/;UID=4294967295", ImapUrl("\u65e5", 4294967295)),
            (
                b"/Drafts;UIDVALIDITY=385759045/;UID=20/;section=HEADER",
                ImapUrl(
                    "Drafts",
                    20,
                    uid_validity=385759045,
                    section=Section((), SectionText.HEADER),
                ),
            ),
            (
                b"/x/;UID=3/;SECTION=1.2.MIME/;PARTIAL=0.1024",
                ImapUrl(
                    "x",
                    3,
                    section=Section((1, 2), SectionText.MIME),
                    partial=(0, 1024),
                ),
            ),
            (
                b"/x/;UID=3/;SECTION=HEADER.FIELDS%20(From%20To)",
                ImapUrl("x", 3, section=FROM),
            ),
            (b"/x/;UID=3/;PARTIAL=7", ImapUrl("x", 3, partial=(7, None))),
            (
                b"imap://joe@Example.com/INBOX/;uid=20",
                ImapUrl("INBOX", 20, "joe", "example.com"),
            ),
            (
                b"imap://joe%40example.com;AUTH=*@[::1]:143/INBOX/;uid=20",
                ImapUrl("INBOX", 20, "joe@example.com", "[::1]", 143),
            ),
            (b"IMAP://h/x/;uid=2", ImapUrl("x", 2, None, "h")),
            (b"//h/x/;uid=2", ImapUrl("x", 2, None, "h")),
        ]:
            self.assertEqual(imap_url(url), wanted, url)

    def test_what_authorizes_a_url(self):
        start = b"imap://joe@h/x/;uid=2"
        for rest, verifier, access, user, expires_at in [
            (b";urlauth=submit+fred", b"", Access.SUBMIT, "fred", None),
            (b";URLAUTH=anonymous", b":internal:" + TOKEN, Access.ANONYMOUS, "", None),
            (b";urlauth=authuser", b":INTERNAL:" + TOKEN, Access.AUTHUSER, "", None),
            (
                b"/;section=1.2;expire=1970-01-01T01:00:09+01:00;urlauth=user+a%40b",
                b":x-other.1:" + TOKEN,
                Access.USER,
                "a@b",
                9,
            ),
            (
                b";EXPIRE=1970-01-01T00:00:01.5Z;URLAUTH=anonymous",
                b"",
                Access.ANONYMOUS,
                "",
                1,
            ),
        ]:
            mechanism = verifier.split(b":")[1].decode().upper() if verifier else None
            token = TOKEN if verifier else b""
            wanted = UrlAuth(access, user, expires_at, start + rest, mechanism, token)
            self.assertEqual(imap_url(start + rest + verifier).auth, wanted, rest)
        self.assertNotIn(TOKEN.decode(), repr(wanted))

    def test_relative_urls(self):
        base = encoded_path("Lists/py thon")
        for url, mailbox in [
            (b";UID=20", "Lists/py thon"),
            (b"Drafts/;UID=20", "Lists/Drafts"),
            (b"../Drafts/;UID=20", "Drafts"),
            (b"./Drafts/./;UID=20", "Lists/Drafts"),
            (b"/x/y/../z/;UID=20", "x/z"),
            (b"/../../x/;UID=20", "x"),
            (b"..;UIDVALIDITY=385759045/;UID=20", "Lists/.."),
        ]:
            self.assertEqual(imap_url(url, base).mailbox, mailbox, url)

    def test_what_is_no_url_of_a_message(self):
        for url, why in [
            (b"", "nothing"),
            (b";UID=20", "relative to nothing"),
            (b"/INBOX", "a mailbox"),
            (b"/INBOX?SUBJECT%20x", "a search"),
            (b"imap://h", "a server"),
            (b"imap:/x/;UID=1", "a scheme without a server"),
            (b"http://h/x/;UID=1", "another scheme"),
            (b"/x/;UID=0", "no UID"),
            (b"/x/;UID=4294967296", "no UID"),
            (b"/x;UIDVALIDITY=0/;UID=1", "no UIDVALIDITY"),
            (b"/x/;UID=1/;SECTION=foo", "no section"),
            (b"/x/;UID=1/;SECTION=1.2x", "no section"),
            (b"/x/;UID=1/;PARTIAL=0.0", "no octets"),
            (b"/x/;UID=1/;PARTIAL=99999999999999999999", "too far"),
            (b"/x/;PARTIAL=1/;UID=1", "the wrong order"),
            (b"/%E6/;UID=1", "no UTF-8"),
            (b"/%/;UID=1", "no escape"),
            (b"/a b/;UID=1", "a space"),
            (b"/\xc3\xa4/;UID=1", "octets above 127"),
            (b"/x/;UID=1;URLAUTH=submit+", "nobody"),
            (b"/x/;UID=1;URLAUTH=anonymousfred", "a user too many"),
            (b"/x/;UID=1;URLAUTH=everybody", "no access identifier"),
            (b"/x/;UID=1:internal:" + TOKEN, "a token for nothing"),
            (b"/x/;UID=1;URLAUTH=anonymous:internal:1234", "a token too short"),
            (b"/x/;UID=1;EXPIRE=2026-01-01T00:00:00Z", "an end of nothing"),
            (b"/x/;UID=1;EXPIRE=tomorrow;URLAUTH=anonymous", "no date"),
            (b"/x/;UID=1;EXPIRE=2026-13-01T00:00:00Z;URLAUTH=anonymous", "no month"),
            (b"imap://h:99999/x/;UID=1", "no port"),
            (b"imap://a:b@h/x/;UID=1", "a password"),
            (b"/" + b"x" * 9000 + b"/;UID=1", "too long"),
        ]:
            fault = self.assertRaises(BadUrl, imap_url, url)
            self.assertTrue(url.startswith(fault.url), why)

    @given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=50))
    def test_every_mailbox_has_a_base(self, mailbox):
        if not mailbox.startswith("/") and not {"", ".", ".."} & {*mailbox.split("/")}:
            url = imap_url(b";UID=1", encoded_path(mailbox))
            self.assertEqual(url.mailbox, mailbox)

    @given(
        st.lists(
            st.sampled_from(
                [b"/", b"//", b"imap://", b"h", b"@", b";UID=", b"1", b";SECTION="]
                + [b";PARTIAL=", b".", b"..", b"%41", b"%", b";URLAUTH=", b"anonymous"]
                + [b"submit+", b":internal:", TOKEN, b";EXPIRE=", b"?", b"\xff", b" "]
            ),
            max_size=12,
        ).map(b"".join)
        | st.binary(max_size=60)
    )
    def test_anything_is_a_url_or_none(self, url):
        try:
            found = imap_url(url, b"/x")
        except BadUrl:
            return
        self.assertGreater(found.uid, 0)
