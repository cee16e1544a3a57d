"""MESSAGELIMIT (RFC 9738) and UIDBATCHES (RFC 10022)."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.errors import BadParameter, MailError
from mailtwist.imap4.cmd import limit
from mailtwist.imap4.types_events import UidBatches

from ..room import HELLO, Room, small
from ..talk import asked

LIMIT = 1000


class LimitTests(SynchronousTestCase):
    def setUp(self):
        self.room = Room(config=small(messages_per_command=LIMIT))
        self.client = self.room.login()
        folder = self.room.folder()
        self.client.append()
        folder.add([folder.messages[1]] * (LIMIT + 1))  # UIDs 1 to 1002
        self.client.ask("SELECT INBOX")
        self.client.hear()

    def test_the_limit_is_told_as_a_capability(self):
        (line, _) = self.client.ask("CAPABILITY")
        self.assertIn(b" MESSAGELIMIT=1000", line)
        self.assertNotIn(b"MESSAGELIMIT", Room().login().ask("CAPABILITY")[0])

    def test_what_takes_the_newest_messages_and_says_so(self):
        code = b"OK [MESSAGELIMIT 1000 3] "
        for command, lines, first in (
            ("FETCH 1:* UID", LIMIT, b"* 1002 FETCH (UID 1002)"),
            ("UID FETCH 1:* UID", LIMIT, b"* 1002 FETCH (UID 1002)"),
            ("FETCH 1:* BODY.PEEK[]", LIMIT, b"* 1002 FETCH (BODY[] "),
            ("STORE 1:* +FLAGS (\\Flagged)", LIMIT, b"* 1002 FETCH (FLAGS (\\Fl"),
            ("SEARCH FLAGGED", 1, b"* SEARCH 1002 1001"),
            ("SEARCH RETURN (COUNT) FLAGGED", 1, b"* ESEARCH (TAG "),
            ("UID STORE 1:* +FLAGS.SILENT (\\Deleted)", 0, b""),
        ):
            *told, answer = self.client.ask(command)
            self.assertEqual(len(told), lines, command)
            self.assertTrue(answer.startswith(code), (command, answer))
            if told:
                self.assertTrue(told[0].startswith(first), (command, told[0]))

    def test_messages_are_told_from_the_highest_uid_down(self):
        for command in ("FETCH 1:* FLAGS", "FETCH 1:* BODY.PEEK[TEXT]"):
            *told, _ = self.client.ask(command)
            numbers = [int(line.split()[1]) for line in told]
            self.assertEqual(numbers, list(range(LIMIT + 2, 2, -1)), command)

    def test_what_must_be_whole_is_refused(self):
        for command in (
            "SORT (DATE) UTF-8 ALL",
            "UID THREAD ORDEREDSUBJECT UTF-8 ALL",
            "UID FETCH 1:5 FLAGS (PARTIAL 1:1001)",
        ):
            (answer,) = self.client.ask(command)
            self.assertTrue(answer.startswith(b"NO [MESSAGELIMIT 1000] "), command)

    def test_a_search_that_is_refused_leaves_nothing_saved(self):
        self.client.ask("SEARCH RETURN (SAVE) UID 5")
        self.client.ask("SORT RETURN (SAVE) (DATE) UTF-8 ALL")
        self.assertEqual(self.client.ask("UID SEARCH $")[0], b"* SEARCH")

    def test_what_is_within_the_limit_is_done_as_ever(self):
        for command in (
            "FETCH 2:1001 UID",
            "SEARCH 2:1001 ALL",
            "UID SEARCH UIDAFTER 2 UNSEEN",
            "UID SEARCH UNSEEN UID 1:1000",
            "STORE 1:1000 +FLAGS.SILENT (\\Seen)",
            "COPY 1:1000 INBOX",
            "SORT (DATE) UTF-8 2:1001",
            "UID FETCH 1:* UID (PARTIAL -1:-1000)",
        ):
            answer = self.client.ask(command)[-1]
            self.assertTrue(answer.startswith(b"OK"), (command, answer))
            self.assertNotIn(b"MESSAGELIMIT", answer, command)

    def test_the_search_after_it_is_about_what_is_left(self):
        self.room.folder().messages[2].flags = frozenset({"\\Answered"})
        self.assertEqual(self.client.ask("SEARCH ANSWERED")[0], b"* SEARCH")
        self.assertEqual(
            self.client.ask("UID SEARCH UIDBEFORE 3 ANSWERED"),
            [b"* SEARCH 2", b"OK SEARCH completed"],
        )

    def test_saved_messages_are_counted_as_they_are(self):
        self.client.ask("SEARCH RETURN (SAVE) UID 5:7")
        self.assertEqual(
            self.client.ask("SEARCH $"), [b"* SEARCH 5 6 7", b"OK SEARCH completed"]
        )

    def test_copy_is_whole_or_not_at_all(self):
        before = len(self.room.folder().messages)
        self.assertEqual(
            self.client.ask("COPY 1:* INBOX"),
            [b"NO [MESSAGELIMIT 1000 3] At most 1000 messages at a time"],
        )
        self.assertEqual(len(self.room.folder().messages), before)

    def test_append_is_whole_or_not_at_all(self):
        before = len(self.room.folder().messages)
        one = b"{6+}\r\na: 1\r\n"
        for count, answer in ((LIMIT, b"OK "), (LIMIT + 1, b"NO [MESSAGELIMIT 1000]")):
            line = b"APPEND INBOX " + b" ".join([one] * count)
            self.assertTrue(self.client.ask(line)[-1].startswith(answer), count)
        self.assertEqual(len(self.room.folder().messages), before + LIMIT)

    def test_move_takes_the_newest(self):
        self.client.ask("CREATE There")
        *lines, answer = self.client.ask("MOVE 1:* There")
        self.assertTrue(lines[0].startswith(b"* OK [COPYUID"), lines[0])
        self.assertEqual(answer, b"OK [MESSAGELIMIT 1000 3] MOVE completed")
        self.assertEqual(list(self.room.folder().messages), [1, 2])

    def test_uid_expunge_takes_the_newest_and_expunge_all(self):
        self.client.ask("UID STORE 1:1000 +FLAGS.SILENT (\\Deleted)")
        self.client.ask("UID STORE 1001:* +FLAGS.SILENT (\\Deleted)")
        answer = self.client.ask("UID EXPUNGE 1:*")[-1]
        self.assertEqual(answer, b"OK [MESSAGELIMIT 1000 3] EXPUNGE completed")
        self.assertEqual(list(self.room.folder().messages), [1, 2])

    def test_a_second_code_stands_apart(self):
        self.client.ask("ENABLE QRESYNC")
        self.client.ask("UID STORE 1:1000 +FLAGS.SILENT (\\Deleted)")
        self.client.ask("UID STORE 1001:* +FLAGS.SILENT (\\Deleted)")
        lines = self.client.ask("UID EXPUNGE 1:*")
        self.assertIn(
            b"* NO [MESSAGELIMIT 1000 3] Done for the newest messages alone", lines
        )
        self.assertTrue(lines[-1].startswith(b"OK [HIGHESTMODSEQ "), lines[-1])


class BatchTests(SynchronousTestCase):
    def test_grammar(self):
        cases = (
            (b"UIDBATCHES 2000", UidBatches(2000)),
            (b"uidbatches 500 3:7", UidBatches(500, (3, 7))),
            (b"UIDBATCHES 1 1:1", UidBatches(1, (1, 1))),
        )
        for line, wanted in cases:
            self.assertEqual(asked(line), wanted)
        for line in (
            b"UIDBATCHES",
            b"UIDBATCHES x",
            b"UIDBATCHES 0",
            b"UIDBATCHES 500 1",
            b"UIDBATCHES 500 0:1",
            b"UIDBATCHES 500 1:*",
            b"UIDBATCHES 500 1:2 3",
            b"UIDBATCHES 4294967296",
        ):
            self.assertRaises(MailError, asked, line)
        self.assertRaises(BadParameter, asked, b"UIDBATCHES 500 6:5")

    @given(st.integers(1, 2**32 - 1), st.integers(1, 2**32 - 1), st.integers(0, 9))
    def test_what_is_written_is_read(self, size, first, more):
        last = min(first + more, 2**32 - 1)
        line = b"UIDBATCHES %d %d:%d" % (size, first, last)
        self.assertEqual(asked(line), UidBatches(size, (first, last)))

    def test_batches_go_from_the_newest_to_uid_1(self):
        self.patch(limit, "LEAST_BATCH", 2)
        room = Room()
        client = room.selected(messages=7)
        room.folder().remove([1, 4])  # 2 3 5 6 7
        client.ask("NOOP")
        for rest, wanted in (
            (b"2", b" 7:6,5:3,2:1"),
            (b"3", b" 7:5,3:1"),
            (b"5", b" 7:1"),
            (b"600", b" 7:1"),
            (b"2 2:2", b" 5:3"),
            (b"2 2:9", b" 5:3,2:1"),
            (b"2 4:9", b""),
        ):
            line, answer = client.ask(b"UIDBATCHES " + rest)
            tag = b'* UIDBATCHES (TAG "t%d")' % client._tags
            self.assertEqual((line, answer[:3]), (tag + wanted, b"OK "), rest)

    @given(st.sets(st.integers(1, 60), max_size=40), st.integers(2, 9))
    def test_every_message_is_in_one_batch(self, uids, size):
        room = Room()
        client = room.selected(messages=1)
        folder = room.folder()
        folder.add([folder.messages[1]] * 60)
        folder.remove(sorted(set(folder.messages) - uids))
        client.ask("NOOP")
        self.patch(limit, "LEAST_BATCH", 2)
        ranges = client.ask(f"UIDBATCHES {size}")[0].split(b")")[1].strip()
        seen, counts = [], []
        for one in filter(None, ranges.split(b",")):
            high, low = map(int, one.split(b":"))
            here = [uid for uid in uids if low <= uid <= high]
            seen += here
            counts.append(len(here))
        self.assertEqual(sorted(seen), sorted(uids))
        self.assertEqual(counts[:-1], [size] * (len(counts) - 1))

    def test_refused(self):
        client = Room(config=small(messages_per_command=LIMIT)).selected()
        self.assertEqual(
            client.ask("UIDBATCHES 499"),
            [b"NO [TOOFEW] Batches hold 500 messages or more"],
        )
        self.assertEqual(
            client.ask("UIDBATCHES 1001"),
            [b"NO [TOOMANY] One command may not touch as many messages"],
        )
        self.assertEqual(
            client.ask("UIDBATCHES 500"),
            [b'* UIDBATCHES (TAG "t%d")' % client._tags, b"OK UIDBATCHES completed"],
        )

    def test_a_message_of_this_session_is_what_a_batch_counts(self):
        """Not yet told as new, a message is in no batch."""
        room = Room()
        client, other = room.selected(messages=2), room.login()
        other.append(HELLO)
        lines = client.ask("UIDBATCHES 500")
        self.assertEqual(lines[0][-4:], b" 2:1")
        self.assertIn(b"* 3 EXISTS", lines)
