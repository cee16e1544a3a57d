"""Tests for searches with a text index: they find what a search without one finds."""

import os
from base64 import b64encode
from quopri import encodestring

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from mailtwist.mailbox import search_index
from mailtwist.mailbox.interfaces import IIndexedMailbox
from mailtwist.mailbox.model import TextHits, TextPlace
from mailtwist.mailbox.search_index import Narrowing, indexable, uncovered
from mailtwist.mailbox.search_text import message_texts
from mailtwist.mailbox.turns import Turns
from mailtwist.search_key import And, Body, Header, Not, Or, Text
from mailtwist.store.text_index import TextIndex

from .search_mailbox import Counted, Searched, answer


async def no_pause():
    return None


@implementer(IIndexedMailbox)
class Indexed(Counted):
    """With an index of those of its messages that were put in."""

    def __init__(self, inside, index):
        super().__init__(inside, None)
        self.index, self.hits_asked = index, 0

    async def text_hits(self, needle, place):
        self.hits_asked += 1
        return self.index.hits("one", needle, place)

    async def text_extracts(self, uids):
        return self.index.extracts("one", uids)

    async def put(self, uids, most=1 << 20):
        found = message_texts(self, uids, most=most, turns=Turns(no_pause))
        self.index.put("one", [text async for text in found])


class Both:
    """The same messages searched with and without an index."""

    def __init__(self, case, octets, indexed=None, most=1 << 20):
        self.case = case
        self.mail = Searched(case, [(one, [], 0) for one in octets])
        self.plain = self.mail.mailbox
        self.index = TextIndex(os.path.join(case.folder, "search.sqlite"))
        self.index.clear()
        self.indexed = Indexed(self.plain, self.index)
        answer(case, self.indexed.put(self.mail.uids if indexed is None else indexed))

    def found(self, key):
        """What both find."""
        self.mail.mailbox = self.plain
        wanted = self.mail.found(key)
        self.mail.mailbox = self.indexed
        self.case.assertEqual(self.mail.found(key), wanted, key)
        self.index.close()
        return wanted


class World(SynchronousTestCase):
    def setUp(self):
        self.patch(search_index, "FEW", 0)
        self.folder = self.mktemp()
        os.makedirs(self.folder)


def mail(body, *, subject="x", kind="text/plain; charset=utf-8", encoding="8bit"):
    octets = body if isinstance(body, bytes) else body.encode()
    if encoding == "base64":
        octets = b64encode(octets)
    elif encoding == "quoted-printable":
        octets = encodestring(octets)
    head = f"Subject: {subject}\r\nContent-Type: {kind}\r\n"
    head += f"Content-Transfer-Encoding: {encoding}\r\n\r\n"
    return head.encode() + octets


NESTED = (
    b'Subject: out\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n'
    b"Content-Type: text/plain; x-part=inside-part\r\n\r\nfirst\r\n--b\r\n"
    b"Content-Type: message/rfc822\r\n\r\nSubject: =?utf-8?q?in=C3=9Fide?=\r\n\r\n"
    b"deep words\r\n--b\r\n"
    b"Content-Type: application/pdf; name*=utf-8''r%C3%A9sum%C3%A9\r\n"
    b"Content-Disposition: attachment; filename=report.pdf\r\n\r\nnever\r\n--b--\r\n"
)
HTML = (
    "<p>Gr&uuml;&szlig;e an <b>alle</b>\r\n   Leute &amp; Freunde</p>"
    "<style>hide</style>"
)


class EqualTests(World):
    def test_each_needle_is_found_where_a_scan_finds_it(self):
        messages = [
            mail("Hello World\r\nnext line"),
            mail("GR\xdcSSE caf\xe9 \u0130stanbul", encoding="base64"),
            mail("soft " * 30 + "needle", encoding="quoted-printable"),
            mail(HTML, kind="text/html; charset=utf-8"),
            NESTED,
            mail("x", subject="=?utf-8?q?Gr=C3=BC?=\r\n =?utf-8?q?=C3=9Fe?="),
            mail(b"raw \xfc latin", subject="plain"),
            mail("nul \0 inside \uffff end"),
        ]
        both = Both(self, messages)
        for key, want, reason in [
            (Body("hello"), [1], "any case"),
            (Body("world\r\nnext"), [1], "over a line end"),
            (Body("gr\xfcsse"), [2, 4], "casemap, base64, and entities of HTML"),
            (Body("CAF\xc9"), [2], "composed or not"),
            (Body("needle"), [3], "over soft line breaks"),
            (Body("an alle leute"), [4], "over tags and white space of HTML"),
            (Body("leute & freunde"), [4], "an entity"),
            (Body("<b>alle"), [4], "the source of HTML"),
            (Body("szlig"), [4], "an entity as it is written"),
            (Body("inside"), [8], "not the header of a part, nor \xdf as s"),
            (Body("inssi"), [5], "a subject of a message inside"),
            (Text("inside-part"), [5], "the header of a part"),
            (Body("r\xe9sum"), [5], "the name of an attachment"),
            (Body("report.pdf"), [5], "another"),
            (Body("never"), [], "what is no text"),
            (Header("subject", "gr\xfc\xdfe"), [6], "encoded words"),
            (Header("x-rare", "abc"), [], "a field that nothing has"),
            (Text("subject: plain"), [7], "a field with its name"),
            (Body("latin"), [7], "behind octets that are no UTF-8"),
            (Body("nul \0 in"), [8], "a needle that no index knows"),
            (Body("end"), [8], "behind what the index cannot hold"),
            (Body("e"), [1, 2, 3, 4, 5, 8], "a short needle"),
            (Or(Body("hello"), Text("deep words")), [1, 5], "or"),
            (And((Body("hello"), Not(Text("next line")))), [], "and, not"),
            (Not(Body("hello")), [2, 3, 4, 5, 6, 7, 8], "not"),
            (And((Header("subject", "out"), Body("deep"))), [5], "both kinds"),
            (Not(Header("subject", "plain")), [1, 2, 3, 4, 5, 6, 8], "not a field"),
            (Or(Header("subject", "out"), Header("to", "zzz")), [5], "or of fields"),
        ]:
            self.assertEqual(both.found(key), want, reason)

    def test_what_html_shows_is_found_as_a_scan_finds_it(self):
        page = "<p>a&#108;pha</p> <b>a</b> nice &uuml;ber &filig;x&nbsp;end &amp; Co"
        both = Both(self, [mail(page, kind="text/html; charset=utf-8"), mail("x")])
        for key, want, reason in [
            (Body("alpha"), [], "a word with an entity of a letter"),
            (Body("a nice"), [1], "words over tags"),
            (Body("nice \xfcber"), [1], "an entity of another letter"),
            (Body("nice u"), [1], "its first half"),
            (Body("\xfcber fix"), [1], "an entity of two letters"),
            (Body("fix end"), [1], "a word of which two letters are in no source"),
            (Body("fix"), [], "that word, as one word is looked for in the source"),
            (Body("& co"), [1], "a sign"),
        ]:
            self.assertEqual(both.found(key), want, reason)

    def test_what_the_index_rules_out_is_not_read(self):
        both = Both(self, [mail("one apple"), mail("two pears"), mail("three nuts")])
        both.mail.mailbox = both.indexed
        self.assertEqual(both.mail.found(Header("x-rare", "pears")), [])
        self.assertEqual(len(both.indexed.octets_asked), 1)  # to put them in

    def test_no_body_is_read_of_what_is_indexed(self):
        both = Both(self, [mail("one apple"), mail("two pears"), mail("three nuts")])
        both.mail.mailbox = both.indexed
        before = len(both.plain.octets_asked)
        for key, want in [
            (Body("pears"), [2]),
            (Body("plums"), []),
            (Body("o"), [1, 2]),
            (Text("subject: x"), [1, 2, 3]),
            (Not(Body("pears")), [1, 3]),
        ]:
            self.assertEqual(both.mail.found(key), want, key)
        self.assertEqual(len(both.plain.octets_asked), before)

    def test_messages_that_are_not_indexed_are_read(self):
        both = Both(self, [mail("apple"), mail("apple"), mail("pear")], indexed=[2])
        self.assertEqual(both.found(Body("apple")), [1, 2])

    def test_a_message_with_too_much_text_is_read(self):
        body = "start " + "x" * 4000 + " finish"
        both = Both(self, [mail(body)], indexed=[])
        answer(self, both.indexed.put([1], most=1000))
        self.assertEqual(both.found(Body("finish")), [1])
        self.assertEqual(both.index.covered("one"), [1, 1])  # and not tried again

    def test_a_large_text_that_is_no_ascii(self):
        body = "zeile \xfc " * 30_000 + "\r\nletzte zeile e\u0301"
        both = Both(self, [mail(body)], most=1 << 20)
        self.assertEqual(both.found(Body("letzte zeile \xe9")), [1])

    def test_messages_that_are_gone_match_nothing(self):
        both = Both(self, [mail("apple"), mail("pear")])
        both.mail.mailbox = both.indexed
        both.indexed.gone = both.plain.gone = {2}
        self.assertEqual(both.mail.found(Not(Body("apple"))), [])

    def test_an_index_that_fails_is_not_missed(self):
        both = Both(self, [mail("apple"), mail("pear")])
        with open(both.index.path, "wb") as file:
            file.write(b"no database" * 1000)
        self.assertEqual(both.found(Body("apple")), [1])
        self.assertEqual(both.found(Body("apple")), [1])
        self.assertEqual(len(self.flushLoggedErrors()), 0)


# Pieces that meet in every way: folds of case, of width, of what is composed.
PIECES = st.sampled_from(
    [
        "abc",
        "ABC",
        "\xe9",
        "e\u0301",
        "\xdf",
        "SS",
        "\ufb01",
        "fi",
        " ",
        "\r\n",
        "=",
        "&",
    ]
    + [
        "<b>",
        "</b>",
        "&uuml;",
        "&#97;",
        "&filig;",
        "\u0130",
        "\u212a",
        "\U0001f600",
        "\0",
    ]
    + [
        "=?utf-8?q?=C3=A9?=",
        "=?utf-8?b?w6k=?=",
        "\uff21",
        "\t",
        "x" * 70,
        "<!--",
        "-->",
    ]
)
TEXTS = st.lists(PIECES, max_size=12).map("".join)
KINDS = st.sampled_from(["text/plain", "text/html"])
ENCODINGS = st.sampled_from(["8bit", "base64", "quoted-printable"])
MAIL = st.builds(
    lambda text, subject, kind, encoding: mail(
        text,
        subject=subject.replace("\r\n", "\r\n "),
        kind=f"{kind}; charset=utf-8",
        encoding=encoding,
    ),
    TEXTS,
    TEXTS,
    KINDS,
    ENCODINGS,
)
KEYS = st.sampled_from([Body, Text, lambda needle: Header("Subject", needle)])


class AnyTests(World):
    @given(
        messages=st.lists(MAIL, min_size=1, max_size=4),
        needles=st.lists(
            st.tuples(KEYS, st.lists(PIECES, min_size=1, max_size=3).map("".join)),
            min_size=1,
            max_size=6,
        ),
        skipped=st.integers(0, 1),
    )
    @settings(max_examples=150, deadline=None)
    def test_any_search_finds_the_same_with_an_index(self, messages, needles, skipped):
        both = Both(self, messages, indexed=range(1 + skipped, len(messages) + 1))
        for key, needle in needles:
            both.found(key(needle))

    @given(st.sets(st.integers(1, 30)), st.sets(st.integers(1, 30)))
    def test_uncovered_is_what_is_in_no_range(self, uids, inside):
        ranges = []
        for uid in sorted(inside):
            if ranges and ranges[-1] == uid - 1:
                ranges[-1] = uid
            else:
                ranges += [uid, uid]
        self.assertEqual(uncovered(uids, ranges), sorted(uids - inside))


@implementer(IIndexedMailbox)
class Asked:
    asked = 0

    async def text_hits(self, needle, place):
        self.asked += 1
        return TextHits([7], [1, 1000])


class NarrowingTests(SynchronousTestCase):
    def test_for_few_messages_nobody_is_asked(self):
        mailbox = Asked()
        narrowing = Narrowing(mailbox)
        many, few = set(range(1, 500)), {1, 2}

        def left(needle, among):
            return answer(self, narrowing.text(needle, TextPlace.BODY, among))

        self.assertEqual(left("a\0bc", many), (set(), many))
        self.assertEqual(left("abc", few), (set(), few))
        self.assertEqual(mailbox.asked, 0)
        self.assertEqual(left("abc", many), ({7}, set()))

    def test_short_needles_have_no_trigrams(self):
        mailbox = Asked()
        narrowing = Narrowing(mailbox)
        many = set(range(1, 500))
        for place, want in [(TextPlace.HEADER, many), (TextPlace.BODY, many)]:
            found = answer(self, narrowing.candidates("ab", place, many))
            self.assertEqual(found, want, place)
        self.assertEqual(mailbox.asked, 0)

    def test_what_can_be_asked(self):
        for needle, want, reason in [
            ("abc", True, "three characters"),
            ("ab", True, "two"),
            ("a\0bc", False, "what ends a text for SQLite"),
            ("ab\uffffcd", False, "what stands between texts"),
            ("\U0001f600\U0001f600\U0001f600", True, "characters, not octets"),
        ]:
            self.assertEqual(indexable(needle), want, reason)
