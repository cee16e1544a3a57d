from email import message_from_bytes, policy

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.lists.digest import Stamp, digest
from mailtwist.lists.footer import footer_of, with_footer
from mailtwist.lists.outgoing import header, unsubscribe_fields, whole

from .samples import mailing_list, post, read

TO_LIST = "<mailto:dev@lists.test>"


def sent(octets=None, *, rewrite_from=False, **options):
    """The post as members get it, parsed by the standard library."""
    message, dev = read(post() if octets is None else octets), mailing_list(**options)
    found = header(message, dev, rewrite_from=rewrite_from)
    found, body = with_footer(
        message, found, footer_of(dev), in_signed=dev.options.footer_in_signed
    )
    return message_from_bytes(whole(found, body), policy=policy.default)


class HeaderTests(SynchronousTestCase):
    def test_the_list_names_itself(self):
        made = sent(description="For developers")
        self.assertEqual(made["List-Id"], '"For developers" <dev.lists.test>')
        self.assertEqual(made["List-Post"], TO_LIST)
        self.assertEqual(
            made["List-Unsubscribe"], "<mailto:dev-unsubscribe@lists.test>"
        )
        self.assertEqual(made["Precedence"], "list")
        self.assertEqual(made["From"], "Ann Example <ann@a.test>")

    def test_readers_of_announcements_are_told_not_to_post(self):
        self.assertEqual(sent(posting="moderators")["List-Post"], "NO")
        self.assertIs(sent(subscription="closed")["List-Subscribe"], None)

    def test_one_click(self):
        found = header(read(post()), mailing_list(), rewrite_from=False, personal=True)
        own = unsubscribe_fields(mailing_list(), "https://x.test/u/t")
        made = message_from_bytes(whole(own + found, b""), policy=policy.default)
        self.assertEqual(made["List-Unsubscribe-Post"], "List-Unsubscribe=One-Click")
        self.assertEqual(len(made.get_all("List-Unsubscribe")), 1)
        self.assertTrue(made["List-Unsubscribe"].startswith("<https://x.test/u/t>"))

    def test_what_is_for_the_author_s_eyes_goes(self):
        more = b"Disposition-Notification-To: a@a.test\r\nList-Id: <x.y>\r\nX-A: 1\r\n"
        made = sent(post(more=more + b"Approved: secret\r\n"))
        self.assertIs(made["Disposition-Notification-To"], None)
        self.assertIs(made["Approved"], None)
        self.assertEqual(made["X-A"], "1")
        self.assertEqual(len(made.get_all("List-Id")), 1)

    def test_nothing_else_is_touched(self):
        octets = post(more=b"Subject-Of: x\r\n  folded\r\nDKIM-Signature: v=1\r\n")
        message = read(octets)
        made = whole(header(message, mailing_list(), rewrite_from=False), b"")
        self.assertTrue(made.endswith(octets[: message.root.header[1]]))


class SubjectTests(SynchronousTestCase):
    def test_the_prefix_stands_in_front_once(self):
        for subject, expected in (
            ("A question", "[dev] A question"),
            ("Re: A question", "[dev] Re: A question"),
            ("Re: [Dev] A question", "Re: [Dev] A question"),
            ("=?utf-8?q?gr=C3=BCn?=", "[dev] grün"),
            ("", "[dev] (no subject)"),
        ):
            made = sent(post(subject=subject), prefix="[dev]")
            self.assertEqual(made["Subject"], expected)

    def test_a_prefix_may_be_in_any_script(self):
        self.assertEqual(sent(prefix="[grün]")["Subject"], "[grün] A question")


class ReplyToTests(SynchronousTestCase):
    def test_choices(self):
        theirs = post(more=b"Reply-To: Bob <bob@b.test>\r\n")
        for octets, choice, expected in (
            (post(), "keep", None),
            (theirs, "keep", "Bob <bob@b.test>"),
            (theirs, "list", "dev@lists.test"),
            (theirs, "both", 'dev@lists.test, "Bob" <bob@b.test>'),
            (post(), "both", "dev@lists.test, ann@a.test"),
        ):
            made = sent(octets, reply_to=choice)["Reply-To"]
            plain = None if made is None else str(made).replace('"', "")
            wanted = None if expected is None else expected.replace('"', "")
            self.assertEqual(plain, wanted)

    def test_a_rewritten_from_keeps_the_author_reachable(self):
        made = sent(rewrite_from=True)
        self.assertEqual(
            made["From"].addresses[0].addr_spec, "dev@lists.test", made["From"]
        )
        self.assertEqual(made["From"].addresses[0].display_name, "Ann Example via dev")
        self.assertEqual(made["Reply-To"], "ann@a.test")
        self.assertEqual(str(made["Author"]), '"Ann Example" <ann@a.test>')

    def test_a_name_in_any_script_survives(self):
        made = sent(post(author="=?utf-8?q?J=C3=BCrg?= <j@a.test>"), rewrite_from=True)
        self.assertEqual(made["From"].addresses[0].display_name, "Jürg via dev")


ENTITIES = {
    "plain": (b"", b"Hello.\r\n"),
    "no line end": (b"", b"Hello."),
    "base64": (b"Content-Transfer-Encoding: base64\r\n", b"SGVsbG8uDQo=\r\n"),
    "quoted-printable": (
        b"Content-Type: text/plain; charset=utf-8\r\n"
        b"Content-Transfer-Encoding: quoted-printable\r\n",
        b"Hello=2E\r\n",
    ),
    "UTF-8": (
        b"Content-Type: text/plain; charset=utf-8\r\n"
        b"Content-Transfer-Encoding: 8bit\r\n",
        "Hello. grün\r\n".encode(),
    ),
    "UTF-16": (
        b"Content-Type: text/plain; charset=utf-16\r\n"
        b"Content-Transfer-Encoding: base64\r\n",
        b"//5IAGUAbABsAG8ALgA=\r\n",
    ),
    "HTML": (b"Content-Type: text/html\r\n", b"<p>Hello.</p>\r\n"),
    "alternative": (
        b"Content-Type: multipart/alternative; boundary=b\r\n",
        b"--b\r\n\r\nHello.\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>\r\n--b--\r\n",
    ),
    "mixed": (
        b"Content-Type: multipart/mixed; boundary=b\r\n",
        b"--b\r\n\r\nHello.\r\n--b--\r\nepilogue\r\n",
    ),
    "mixed that is cut off": (
        b"Content-Type: multipart/mixed; boundary=b\r\n",
        b"--b\r\n\r\nHello.\r\n",
    ),
}
SIGNED = (
    b"Content-Type: multipart/signed; boundary=b\r\n",
    b"--b\r\n\r\nHello.\r\n--b\r\nContent-Type: application/pgp-signature\r\n\r\nx\r\n"
    b"--b--\r\n",
)


def texts(message):
    return [
        part.get_content()
        for part in message.walk()
        if part.get_content_type().startswith("text/")
    ]


class FooterTests(SynchronousTestCase):
    def test_each_form_keeps_its_text_and_gets_the_footer(self):
        for name, (more, body) in ENTITIES.items():
            for footer in ("Leave: {unsubscribe}", "Grüße von {list}"):
                octets = post(body, more=b"MIME-Version: 1.0\r\n" + more)
                found = "\n".join(texts(sent(octets, footer=footer)))
                self.assertIn("Hello.", found, name)
                self.assertIn(footer.partition(":")[0].partition("{")[0], found, name)
                self.assertIn("lists.test", found, name)

    def test_a_signed_message_is_left_alone(self):
        more, body = SIGNED
        octets = post(body, more=b"MIME-Version: 1.0\r\n" + more)
        self.assertEqual(sent(octets, footer="x").as_bytes().count(b"____"), 0)
        made = sent(octets, footer="Bye", footer_in_signed=True)
        self.assertEqual(made.get_content_type(), "multipart/mixed")
        self.assertIn(body.strip(), made.as_bytes().replace(b"\n", b"\r\n"))

    def test_a_part_is_not_broken_by_its_neighbour(self):
        more, body = ENTITIES["mixed"]
        made = sent(post(body, more=b"MIME-Version: 1.0\r\n" + more), footer="Bye")
        self.assertEqual(len(list(made.iter_parts())), 2)
        self.assertEqual(made.defects, [])

    @given(st.binary(max_size=500))
    def test_any_body_is_kept(self, body):
        message = read(post(body))
        found, made = with_footer(message, [], "Bye", in_signed=False)
        self.assertTrue(made.startswith(body))


STAMP = Stamp("Wed, 25 Nov 2026 00:00:00 +0000", "<d1@lists.test>")


class DigestTests(SynchronousTestCase):
    posts = (
        post(b"One.\r\n", subject="First"),
        post(b"--=_list\r\nTwo.\r\n", subject="=?utf-8?q?zw=C3=B6lf?="),
    )

    def test_the_mime_form_holds_the_posts_as_they_are(self):
        octets = digest(mailing_list(footer="Bye"), "digest", self.posts, 3, STAMP)
        made = message_from_bytes(octets, policy=policy.default)
        self.assertEqual(made["Subject"], "dev digest, issue 3")
        contents, inside, footer = made.iter_parts()
        self.assertIn("1. First (Ann Example)", contents.get_content())
        self.assertIn("2. zwölf", contents.get_content())
        self.assertEqual(inside.get_content_type(), "multipart/digest")
        parts = list(inside.iter_parts())
        self.assertEqual([p.get_content_type() for p in parts], ["message/rfc822"] * 2)
        self.assertEqual(parts[0].get_content()["Subject"], "First")
        self.assertIn("Bye", footer.get_content())

    def test_the_plain_form_is_text(self):
        rules = (post(b"-" * 30 + b"\r\nThree.\r\n"),)
        octets = digest(mailing_list(), "plain", self.posts + rules, 1, STAMP)
        made = message_from_bytes(octets, policy=policy.default)
        text = made.get_content()
        lines = text.splitlines()
        self.assertEqual(lines.count("-" * 70), 1)
        self.assertEqual(lines.count("-" * 30), 3)
        self.assertIn("Subject: zwölf", text)
        self.assertEqual(lines[-2:], ["End of dev digest, issue 1", "*" * 26])

    def test_8_bit_posts_are_declared(self):
        octets = digest(mailing_list(), "digest", [post(b"gr\xc3\xbcn")], 1, STAMP)
        self.assertIn(b"Content-Transfer-Encoding: 8bit", octets)
