from twisted.trial.unittest import SynchronousTestCase

from mailtwist.errors import StorageFull
from mailtwist.imap4.cmd import fetch_body
from mailtwist.store.memory_mailbox import MemoryMailbox

from ..room import HELLO, Room

NESTED = (
    b"Subject: outer\r\nMIME-Version: 1.0\r\n"
    b'Content-Type: multipart/mixed; boundary="a"\r\n\r\n'
    b"preamble\r\n"
    b"--a\r\n\r\nfirst\r\n"
    b"--a\r\nContent-Type: message/rfc822\r\n\r\n"
    b"Subject: inner\r\nX-Odd: 1\r\n"
    b'Content-Type: multipart/alternative; boundary="b"\r\n\r\n'
    b"--b\r\nContent-Type: text/plain\r\n\r\nplain\r\n"
    b"--b\r\nContent-Type: text/html\r\nX-Html: yes\r\n\r\n<p>html</p>\r\n--b--\r\n"
    b"--a--\r\nepilogue\r\n"
)
INNER_HEADER = (
    b"Subject: inner\r\nX-Odd: 1\r\n"
    b'Content-Type: multipart/alternative; boundary="b"\r\n\r\n'
)
INNER_TEXT = (
    b"--b\r\nContent-Type: text/plain\r\n\r\nplain\r\n"
    b"--b\r\nContent-Type: text/html\r\nX-Html: yes\r\n\r\n<p>html</p>\r\n--b--"
)


class SectionTests(SynchronousTestCase):
    def setUp(self):
        self.room = Room()
        self.client = self.room.login()

    def body(self, message, section):
        """What BODY.PEEK[section] is of `message`; None for NIL."""
        self.room.folder().remove(list(self.room.folder().messages))
        self.client.append(message)
        self.client.ask("SELECT INBOX")
        line, answer = self.client.ask(f"FETCH 1 BODY.PEEK{section}")
        self.assertEqual(answer, b"OK FETCH completed")
        if line.endswith(b" NIL)"):
            return None
        head, _, octets = line[:-1].partition(b"\r\n")
        count = int(head[head.rindex(b"{") + 1 : -1])
        self.assertEqual(len(octets), count)
        return octets

    def test_sections_of_nested_messages(self):
        whole = NESTED
        text = whole[whole.index(b"\r\n\r\n") + 4 :]
        cases = [
            ("[]", whole),
            ("[HEADER]", whole[: -len(text)]),
            ("[TEXT]", text),
            ("[1]", b"first"),
            ("[1.MIME]", b"\r\n"),
            ("[1.HEADER]", None),
            ("[1.1]", None),
            ("[2]", INNER_HEADER + INNER_TEXT),
            ("[2.MIME]", b"Content-Type: message/rfc822\r\n\r\n"),
            ("[2.HEADER]", INNER_HEADER),
            ("[2.TEXT]", INNER_TEXT),
            ("[2.HEADER.FIELDS (x-odd)]", b"X-Odd: 1\r\n\r\n"),
            ("[2.HEADER.FIELDS.NOT (content-type x-odd)]", b"Subject: inner\r\n\r\n"),
            ("[2.1]", b"plain"),
            ("[2.1.MIME]", b"Content-Type: text/plain\r\n\r\n"),
            ("[2.2]", b"<p>html</p>"),
            ("[2.2.MIME]", b"Content-Type: text/html\r\nX-Html: yes\r\n\r\n"),
            ("[2.3]", None),
            ("[3]", None),
        ]
        for section, wanted in cases:
            self.assertEqual(self.body(NESTED, section), wanted, section)

    def test_sections_of_a_plain_message(self):
        header, text = HELLO[: HELLO.index(b"Hi")], b"Hi Ann,\r\nlunch?\r\n"
        cases = [
            ("[1]", text, "a message that is no multipart is its own part 1"),
            ("[TEXT]", text, ""),
            ("[HEADER]", header, "with the blank line"),
            ("[1.1]", None, ""),
            ("[1.HEADER]", None, "no message/rfc822"),
            ("[HEADER.FIELDS (SUBJECT)]", b"Subject: hello\r\n\r\n", "kept"),
            ("[HEADER.FIELDS (X-ODD)]", b"X-Odd: yes\r\n\r\n", "not kept"),
            ("[HEADER.FIELDS (NONE)]", b"\r\n", "the blank line alone"),
        ]
        for section, wanted, why in cases:
            self.assertEqual(self.body(HELLO, section), wanted, f"{section} {why}")

    def test_partials(self):
        cases = [
            ("[]<0.4>", b"From"),
            ("[]<6.3>", b"Bob"),
            (f"[]<{len(HELLO) - 2}.10>", b"\r\n"),
            (f"[]<{len(HELLO)}.10>", b""),
            ("[]<4000000.10>", b""),
            ("[TEXT]<3.3>", b"Ann"),
            ("[HEADER.FIELDS (SUBJECT)]<9.5>", b"hello"),
            ("[HEADER.FIELDS (X-ODD)]<7.99>", b"yes\r\n\r\n"),
            ("[HEADER.FIELDS (X-ODD)]<99.9>", b""),
        ]
        for section, wanted in cases:
            self.assertEqual(self.body(HELLO, section), wanted, section)

    def test_the_label_tells_the_start_and_the_section_as_asked(self):
        self.client.append()
        self.client.ask("SELECT INBOX")
        (line, _) = self.client.ask("FETCH 1 BODY.PEEK[header.fields (sUBJECT)]<9.2>")
        self.assertEqual(
            line, b"* 1 FETCH (BODY[HEADER.FIELDS (sUBJECT)]<9> {2}\r\nhe)"
        )

    def test_messages_without_header_or_body(self):
        cases = [
            (b"\r\nbody only", "[HEADER]", b"\r\n"),
            (b"\r\nbody only", "[TEXT]", b"body only"),
            (b"Subject: no body", "[TEXT]", b""),
            (b"Subject: no body", "[HEADER]", b"Subject: no body"),
            (b"Subject: no body", "[1]", b""),
        ]
        for message, section, wanted in cases:
            self.assertEqual(self.body(message, section), wanted, (message, section))

    def test_nul_is_no_octet_of_a_literal(self):
        self.room.folder().add([])
        self.assertEqual(self.body(b"a: b\r\n\r\n\0x", "[TEXT]"), b"\x80x")

    def test_percent_in_a_field_name_is_no_format(self):
        self.assertEqual(self.body(HELLO, "[HEADER.FIELDS (Subject \"X-%d\")]"),
                         b"Subject: hello\r\n\r\n")  # fmt: skip

    def test_rfc822_words_answer_under_their_own_names(self):
        self.client.append()
        self.client.ask("SELECT INBOX")
        at = HELLO.index(b"Hi")
        for word, octets in (
            (b"RFC822.HEADER", HELLO[:at]),
            (b"RFC822.TEXT", HELLO[at:]),
            (b"RFC822", HELLO),
        ):
            (line, _) = self.client.ask(b"FETCH 1 (%b UID)" % word)
            wanted = b"* 1 FETCH (%b {%d}\r\n%b UID 1" % (word, len(octets), octets)
            self.assertTrue(line.startswith(wanted), line)


class SeenTests(SynchronousTestCase):
    def setUp(self):
        self.room = Room()
        self.client = self.room.selected(messages=2)

    def flags(self, uid=1):
        return self.room.folder().messages[uid].flags

    def test_what_sets_seen(self):
        cases = [
            ("BODY.PEEK[]", False),
            ("RFC822.HEADER", False),
            ("BODY.PEEK[HEADER.FIELDS (FROM)]", False),
            ("BODY[HEADER.FIELDS (FROM)]", True),
            ("BODY[1]", True),
            ("RFC822", True),
            ("RFC822.TEXT", True),
        ]
        for items, sets in cases:
            self.client.ask("STORE 1 FLAGS ()")
            *lines, _ = self.client.ask(f"FETCH 1 {items}")
            self.assertEqual("\\Seen" in self.flags(), sets, items)
            told = lines[-1].endswith(b" FLAGS (\\Seen \\Recent))")
            self.assertEqual(told, sets, lines)

    def test_flags_asked_for_are_told_as_they_are_now_and_once(self):
        (line, _) = self.client.ask("FETCH 1 (FLAGS BODY[TEXT])")
        self.assertTrue(line.startswith(b"* 1 FETCH (FLAGS (\\Seen \\Recent) BODY"))
        self.assertEqual(line.count(b"FLAGS"), 1)

    def test_only_those_that_became_seen_tell_flags(self):
        self.client.ask("STORE 1 +FLAGS.SILENT (\\Seen)")
        first, second, _ = self.client.ask("FETCH 1:2 BODY[TEXT]<0.1>")
        self.assertEqual(first, b"* 1 FETCH (BODY[TEXT]<0> {1}\r\nH)")
        self.assertEqual(
            second, b"* 2 FETCH (BODY[TEXT]<0> {1}\r\nH FLAGS (\\Seen \\Recent))"
        )
        self.assertEqual(self.client.ask("NOOP"), [b"OK NOOP completed"])

    def test_with_condstore_the_modseq_is_told_too(self):
        self.client.ask("ENABLE CONDSTORE")
        (line, _) = self.client.ask("FETCH 1 BODY[TEXT]<0.1>")
        self.assertTrue(line.endswith(b" FLAGS (\\Seen \\Recent) MODSEQ (4))"), line)

    def test_a_mailbox_that_cannot_be_changed_is_still_read(self):
        async def full(*_, **__):
            raise StorageFull()

        self.patch(MemoryMailbox, "store_flags", full)
        (line, answer) = self.client.ask("FETCH 1 BODY[TEXT]<0.2>")
        self.assertEqual(line, b"* 1 FETCH (BODY[TEXT]<0> {2}\r\nHi)")
        self.assertEqual(answer, b"OK FETCH completed")


class LargeTests(SynchronousTestCase):
    """Bodies over the size that is read at once, which is made small here."""

    def setUp(self):
        self.patch(fetch_body, "BATCH_OCTETS", 100)
        self.patch(fetch_body, "PIECE_OCTETS", 40)
        self.room = Room()
        self.client = self.room.selected()

    def test_any_mix_of_sizes_is_told_exactly(self):
        messages = [HELLO, b"a: b\r\n\r\nx", NESTED, b"a: b\r\n\r\n" + b"y" * 99]
        for message in messages:
            self.client.append(message)
        self.client.ask("NOOP")
        *lines, _ = self.client.ask("FETCH 1:* (UID BODY.PEEK[] BODY.PEEK[TEXT] FLAGS)")
        for n, (line, message) in enumerate(zip(lines, messages, strict=True), 1):
            text = message[message.index(b"\r\n\r\n") + 4 :]
            wanted = (
                b"* %d FETCH (UID %d BODY[] {%d}\r\n%b BODY[TEXT] {%d}\r\n%b"
                b" FLAGS (\\Recent))"
            ) % (n, n, len(message), message, len(text), text)
            self.assertEqual(line, wanted)

    def test_no_read_is_larger_than_allowed(self):
        reads = []
        octets = MemoryMailbox.octets

        async def noted(mailbox, ranges):
            found = await octets(mailbox, ranges)
            reads.append(sum(len(one) for one in found if one))
            return found

        self.patch(MemoryMailbox, "octets", noted)
        for size in (10, 30, 50, 70, 90, 3000):
            self.client.append(b"a: b\r\n\r\n" + b"z" * size)
        self.client.ask("NOOP")
        self.client.ask("FETCH 1:* BODY.PEEK[]")
        self.assertTrue(reads)
        self.assertTrue(max(reads) <= 100, reads)

    def test_header_fields_of_a_large_header(self):
        self.client.append(b"X-Odd: %b\r\n\r\n" % (b"o" * 300))
        self.client.ask("NOOP")
        (line, _) = self.client.ask("FETCH 1 BODY.PEEK[HEADER.FIELDS (X-ODD)]")
        self.assertIn(b"{311}\r\nX-Odd: ooo", line)

    def test_a_large_message_becomes_seen(self):
        self.client.append(NESTED)
        self.client.ask("NOOP")
        (line, _) = self.client.ask("FETCH 1 BODY[]")
        self.assertTrue(line.endswith(b"epilogue\r\n FLAGS (\\Seen \\Recent))"))

    def test_a_wrong_size_in_the_rows_does_no_harm(self):
        """A file name may tell a wrong size."""
        self.client.append(NESTED)
        self.client.ask("NOOP")
        rows = MemoryMailbox.rows

        async def wrong(mailbox, uids=None):
            found = await rows(mailbox, uids)
            found.octets[:] = [5000] * len(found)
            return found

        self.patch(MemoryMailbox, "rows", wrong)
        (line, answer) = self.client.ask("FETCH 1 BODY.PEEK[]")
        self.assertEqual(line, b"* 1 FETCH (BODY[] {%d}\r\n%b)" % (len(NESTED), NESTED))
        self.assertEqual(answer, b"OK FETCH completed")

    def test_a_large_message_that_is_gone_is_left_out(self):
        self.client.append(NESTED)
        self.client.ask("NOOP")

        async def gone(mailbox, ranges):
            return [None for _ in ranges]

        self.patch(MemoryMailbox, "octets", gone)
        (answer,) = self.client.ask("FETCH 1 BODY.PEEK[]")
        self.assertTrue(answer.startswith(b"OK [EXPUNGEISSUED]"))

    def test_one_that_goes_away_in_the_middle_ends_the_connection(self):
        """The octets announced cannot come, and no others may stand in for them."""
        self.client.append(NESTED)
        self.client.ask("NOOP")
        octets = MemoryMailbox.octets

        async def later_gone(mailbox, ranges):
            found = await octets(mailbox, ranges)
            return [
                None if r.start else one for r, one in zip(ranges, found, strict=True)
            ]

        self.patch(MemoryMailbox, "octets", later_gone)
        self.client.send(b"a FETCH 1 BODY.PEEK[]\r\n")
        self.assertTrue(self.client.is_closed())
        self.assertNotIn(b"a OK", self.client.transport.value())
