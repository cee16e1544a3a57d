"""Faults seen in another IMAP server on Twisted, each shown to be absent here.

Most have fuller tests beside the code they concern; here is one short case for each.
"""

import time

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.store.memory_mailbox import MemoryMailbox

from .room import HELLO, Room, small

MULTIPART = (
    b"Received: from a\r\nRECEIVED: from b\r\nSubject: x\r\n"
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b--\r\n"
)


class HoleTests(SynchronousTestCase):
    def setUp(self):
        self.room = Room()

    def test_clear_text_behind_STARTTLS_is_not_executed(self):
        client = Room(tls=object()).connect()
        client.hear()
        client.send(b"a STARTTLS\r\nb NOOP\r\n")
        self.assertEqual([line[:5] for line in client.hear()], [b"a BAD"])

    def test_a_set_of_thousands_of_numbers_costs_next_to_nothing(self):
        client = self.room.selected(messages=1)
        numbers = b",".join(b"%d" % number for number in range(1, 9000, 2))
        before = time.process_time()
        client.ask(b"UID FETCH %b FLAGS" % numbers)
        client.ask(b"UID FETCH 1:4294967295 FLAGS")
        self.assertLess(time.process_time() - before, 1.0)

    def test_APPEND_needs_no_list_of_flags(self):
        client = self.room.selected()
        self.assertIn(b"APPENDUID", client.append()[-1])

    def test_a_missing_target_asks_for_CREATE(self):
        client = self.room.selected(messages=1)
        for command in ("APPEND none {1+}\r\nx", "COPY 1 none", "MOVE 1 none"):
            told = client.ask(command)[-1]
            self.assertTrue(told.startswith(b"NO [TRYCREATE]"), command)

    def test_what_cannot_be_selected_is_NO(self):
        client = self.room.login()
        client.ask("CREATE Gone/deep")
        client.ask("DELETE Gone")
        for command in ("SELECT Gone", "EXAMINE none", "STATUS none (MESSAGES)"):
            self.assertTrue(client.ask(command)[-1].startswith(b"NO"), command)

    def test_SELECT_tells_all_it_must_and_EXAMINE_is_read_only(self):
        client = self.room.selected(messages=2)
        told = b"\n".join(client.ask("SELECT INBOX"))
        for code in (b"[UNSEEN 1]", b"[UIDNEXT 3]", b"[PERMANENTFLAGS ("):
            self.assertIn(code, told)
        self.assertIn(b"[READ-ONLY]", client.ask("EXAMINE INBOX")[-1])

    def test_a_partial_FETCH_gives_that_part(self):
        client = self.room.selected(messages=1)
        told = client.ask("FETCH 1 BODY.PEEK[]<2.5>")[0]
        self.assertEqual(told, b"* 1 FETCH (BODY[]<2> {5}\r\n" + HELLO[2:7] + b")")

    def test_FETCH_sets_Seen_and_PEEK_does_not(self):
        client = self.room.selected(messages=1)
        client.ask("FETCH 1 BODY.PEEK[]")
        self.assertIn(b"FLAGS (\\Recent)", client.ask("FETCH 1 FLAGS")[0])
        self.assertIn(b"\\Seen", client.ask("FETCH 1 BODY[]")[0])

    def test_the_header_is_as_it_came_with_its_blank_line(self):
        client = self.room.selected()
        client.append(MULTIPART)
        header = MULTIPART[: MULTIPART.index(b"\r\n\r\n") + 4]
        for what in ("BODY.PEEK[HEADER]", "RFC822.HEADER"):
            told = client.ask(f"FETCH 1 {what}")
            self.assertTrue(any(header in line for line in told), what)
        told = client.ask("FETCH 1 BODY.PEEK[HEADER.FIELDS (received)]")
        both = b"Received: from a\r\nRECEIVED: from b\r\n\r\n"
        self.assertTrue(any(both in line for line in told))

    def test_choosing_fields_of_an_endless_header_costs_little(self):
        client = self.room.selected()
        client.append(b"X-First: a\r\n" + b"b:\r\n" * 4_000_000)
        before = time.process_time()
        for what in ("FIELDS (x-first x-none)", "FIELDS.NOT (b)"):
            told = client.ask(f"FETCH 1 BODY.PEEK[HEADER.{what}]")
            self.assertTrue(any(b"}\r\nX-First: a\r\n\r\n)" in line for line in told))
        self.assertLess(time.process_time() - before, 1.0)

    def test_the_last_message_has_a_name_of_its_own(self):
        client = self.room.selected(messages=2)
        self.assertEqual(client.ask("FETCH *:* UID")[0], b"* 2 FETCH (UID 2)")

    def test_a_part_that_is_not_there_is_NIL(self):
        client = self.room.selected(messages=1)
        self.assertEqual(
            client.ask("FETCH 1 BODY.PEEK[2]")[0], b"* 1 FETCH (BODY[2] NIL)"
        )

    def test_pipelined_FETCHes_wait_for_each_other(self):
        client = self.room.selected(messages=1)
        waiting, rows = [], MemoryMailbox.rows

        async def slow(*args, **options):
            waiting.append(Deferred())
            await waiting[-1]
            return await rows(*args, **options)

        self.patch(MemoryMailbox, "rows", slow)
        client.send(b"a FETCH 1 UID\r\nb FETCH 1 UID\r\n")
        self.assertEqual((client.hear(), len(waiting)), ([], 1))
        while waiting:
            waiting.pop().callback(None)
            self.room.settle()
        told = [line for line in client.hear() if not line.startswith(b"* ")]
        self.assertEqual([line[:4] for line in told], [b"a OK", b"b OK"])

    def test_every_kind_of_SEARCH_key_works(self):
        client = self.room.selected(messages=1)
        client.ask("STORE 1 +FLAGS ($Work)")
        for key in (
            *("FROM bob", "TO ann", "SUBJECT hello", "HEADER X-Odd yes"),
            *("SINCE 1-Jan-2026", "ON 1-Jan-2026", "BEFORE 2-Jan-2026"),
            *("SENTSINCE 1-Jan-2026", "SENTON 1-Jan-2026", "SENTBEFORE 2-Jan-2026"),
            *("KEYWORD $Work", "UNKEYWORD $Play", "CHARSET UTF-8 BODY lunch"),
            "SUBJECT {5+}\r\nhello",
        ):
            self.assertEqual(client.ask(f"SEARCH {key}")[0], b"* SEARCH 1", key)
        self.assertEqual(client.ask("SEARCH FROM nobody")[0], b"* SEARCH")
        self.assertIn(b"[BADCHARSET", client.ask("SEARCH CHARSET X BODY x")[-1])

    def test_SEARCH_by_flags_opens_no_message(self):
        client = self.room.selected(messages=3)
        self.patch(MemoryMailbox, "octets", None)
        self.assertEqual(client.ask("SEARCH UNSEEN")[0], b"* SEARCH 1 2 3")

    def test_a_quoted_string_is_unescaped(self):
        client = self.room.login()
        client.ask(r'CREATE "a \"quoted\" \\ name"')
        told = client.ask('LIST "" *')
        self.assertIn(rb'* LIST (\HasNoChildren) "/" "a \"quoted\" \\ name"', told)

    def test_a_literal_is_never_a_command(self):
        client = self.room.login()
        refused = client.ask(b"NONSENSE {14+}\r\nx CREATE no\r\n ")
        self.assertTrue(refused[-1].startswith(b"BAD"))
        refused = client.ask(b"LOGIN ann {-1}")
        self.assertTrue(refused[-1].startswith(b"BAD"))
        self.assertEqual(client.ask('LIST "" no'), [b"OK LIST completed"])

    def test_a_command_that_is_too_long_is_answered(self):
        room = Room(config=small(line_octets=1000))
        client = room.login()
        self.assertTrue(client.ask("SEARCH " + "1," * 9000)[-1].startswith(b"BAD"))
        self.assertEqual(client.ask("NOOP"), [b"OK NOOP completed"])

    def test_octets_beyond_ASCII_are_answered(self):
        client = self.room.login()
        self.assertTrue(client.ask(b"\xff\xfe")[-1].startswith(b"BAD"))

    def test_other_sessions_are_told_of_EXPUNGE(self):
        one = self.room.selected(messages=2)
        other = self.room.selected()
        one.ask("STORE 1 +FLAGS.SILENT (\\Deleted)")
        one.ask("EXPUNGE")
        self.assertIn(b"* 1 EXPUNGE", other.ask("NOOP"))

    def test_the_namespaces_are_told_once_each(self):
        told = self.room.login().ask("NAMESPACE")
        self.assertEqual(told[0], b'* NAMESPACE (("" "/")) NIL NIL')

    def test_small_answers_are_not_held_back_by_the_network(self):
        self.assertTrue(self.room.connect().transport.no_delay)
