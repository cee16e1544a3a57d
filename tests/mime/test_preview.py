"""The beginning of a message as a list shows it."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.mime.parse import parse
from mailtwist.mime.preview import MOST_CHARACTERS, octets_of, preview, shown_part


def shown(message):
    """The preview of a message; None if it has nothing to show."""
    part = shown_part(parse(message))
    if part is None:
        return None
    start = part.body[0]
    return preview(part, message[start : start + octets_of(part)]).decode()


def typed(kind, body, *fields):
    head = b"".join(b"%b\r\n" % field for field in (b"Content-Type: " + kind, *fields))
    return head + b"\r\n" + body


def multipart(subtype, *parts):
    inner = b"".join(b"--b\r\n%b\r\n" % part for part in parts)
    return typed(b"multipart/%b; boundary=b" % subtype, inner + b"--b--\r\n")


TABLE = [
    (
        typed(b"text/plain", b"Hello,\r\n  all\tof  you\r\n"),
        "Hello, all of you",
        "spaces",
    ),
    (b"Subject: x\r\n\r\nno type\r\n", "no type", "RFC 2045 §5.2"),
    (typed(b"text/plain", b""), None, "nothing"),
    (typed(b"text/plain", b"\r\n \r\n"), "", "white space"),
    (typed(b"text/plain", b"> old\r\n>> older\r\nnew\r\n"), "new", "quotations go"),
    (typed(b"text/plain", b"> old\r\n"), "> old", "unless there is nothing else"),
    (typed(b"text/plain", b"yes\r\n-- \r\nAnn\r\n"), "yes", "a signature goes"),
    (
        typed(b"text/plain; charset=iso-8859-1", b"caf\xe9"),
        "caf\u00e9",
        "its charset",
    ),
    (
        typed(b"text/plain; charset=utf-7", b"+ZeVnLIqe-"),
        "\u65e5\u672c\u8a9e",
        "also that",
    ),
    (typed(b"text/plain; charset=none", b"caf\xe9"), "caf\u00e9", "unknown: Latin-1"),
    (
        typed(b"text/plain", b"SGVsbG8=", b"Content-Transfer-Encoding: base64"),
        "Hello",
        "base64",
    ),
    (
        typed(
            b"text/plain; charset=utf-8",
            b"soft=\r\n er =C3=A9",
            b"Content-Transfer-Encoding: quoted-printable",
        ),
        "soft er \u00e9",
        "quoted-printable",
    ),
    (
        typed(
            b"text/html",
            b"<html><head><title>T</title><style>p {}</style></head>"
            b"<!-- no --><p>A &amp; B<br>C&nbsp;&#68;<script>x()</script>",
        ),
        "A & B C D",
        "markup goes",
    ),
    (
        typed(
            b"text/html; charset=utf-8",
            b"Sale\xe2\x80\x8c\xc2\xad\xcd\x8f&zwnj;&nbsp;now",
        ),
        "Sale now",
        "fillers nobody sees go",
    ),
    (typed(b"text/html", b"<style>p {}"), "", "unclosed"),
    (
        multipart(
            b"alternative",
            typed(b"text/html", b"<b>html</b>"),
            typed(b"text/plain", b"plain"),
        ),
        "plain",
        "plain text is better wherever it stands",
    ),
    (
        multipart(
            b"mixed",
            typed(b"text/plain", b"log", b"Content-Disposition: attachment"),
            typed(b"image/png", b"x"),
            typed(b"text/plain", b"words"),
        ),
        "words",
        "not an attachment",
    ),
    (
        multipart(b"mixed", typed(b"message/rfc822", typed(b"text/plain", b"inner"))),
        None,
        "another message",
    ),
    (
        multipart(b"encrypted", typed(b"text/plain", b"Version: 1")),
        None,
        "encrypted",
    ),
    (typed(b"image/png", b"x"), None, "no text"),
]


class PreviewTests(SynchronousTestCase):
    def test_what_is_shown(self):
        for message, wanted, why in TABLE:
            self.assertEqual(shown(message), wanted, f"{why}: {message}")

    def test_it_is_cut_by_characters_wherever_octets_end(self):
        for character in ("x", "\u00e9", "\U0001f600"):
            body = character.encode() * 20_000
            text = shown(typed(b"text/plain; charset=utf-8", body))
            self.assertEqual(text, character * MOST_CHARACTERS)

    @given(st.binary(max_size=300), st.sampled_from([b"plain", b"html"]), st.booleans())
    def test_any_octets_give_text_that_may_be_told(self, body, subtype, coded):
        encoding = b"base64" if coded else b"8bit"
        field = b"Content-Transfer-Encoding: " + encoding
        text = shown(typed(b"text/%b" % subtype, body, field))
        if text is not None:
            self.assertLessEqual(len(text), MOST_CHARACTERS)
            self.assertFalse(set(text) & set("\0\r\n\t\x7f"))
            self.assertEqual(text, text.strip())

    def test_a_part_that_is_nothing_but_tags_costs_little(self):
        self.assertEqual(shown(typed(b"text/html", b"<style>" * 9000)), "")
        self.assertEqual(shown(typed(b"text/html", b"<!--" * 9000)), "")
