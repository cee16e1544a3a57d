from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.imap4.cmd.fetch_section import wanted
from mailtwist.imap4.types import FetchBody, Partial, Section, SectionText
from mailtwist.mailbox.model import Column
from mailtwist.mime.index import index

NAMES = (b"Subject", b"from", b"TO", b"References", b"Date")
LINES = st.lists(
    st.sampled_from(
        [
            b"Subject: a\r\n",
            b"subject : b\r\n",
            b"From: x\n",
            b"From:\r\n\tfolded\r\n more\r\n",
            b"To:",
            b"no field\r\n",
            b"X-Odd: y\r\n",
            b"References: <a>\r\n",
            b"\rDate: now\r\n",
            b"Datex: z\r\n",
            b"\r\n",
        ]
    ),
    max_size=8,
).map(b"".join)


class WantedTests(SynchronousTestCase):
    @given(LINES, st.sets(st.sampled_from(NAMES), min_size=1), st.integers(0, 20))
    def test_kept_fields_are_chosen_as_from_the_whole_header(self, lines, names, start):
        section = Section(text=SectionText.FIELDS, fields=tuple(names))
        for partial in (None, Partial(start, 9)):
            body = wanted(FetchBody(section, True, partial))
            self.assertTrue(body.kept)
            fields = index(lines)[Column.FIELDS]
            self.assertEqual(body.of_kept(fields), body.of_header(lines))

    def test_only_fields_of_the_message_itself_are_kept(self):
        fields = (b"Subject",)
        cases = [
            (Section(text=SectionText.FIELDS, fields=fields), True),
            (Section((1,), SectionText.FIELDS, fields), False),
            (Section(text=SectionText.FIELDS_NOT, fields=fields), False),
            (Section(text=SectionText.FIELDS, fields=(*fields, b"X-Odd")), False),
            (Section(text=SectionText.HEADER), False),
            (Section(), False),
        ]
        for section, kept in cases:
            self.assertEqual(wanted(FetchBody(section)).kept, kept, section)
