"""CONTEXT=SEARCH and CONTEXT=SORT (RFC 5267): updates with two clients."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.errors import BadParameter, MailError, StorageFull
from mailtwist.imap4 import types as t
from mailtwist.imap4.cmd import context
from mailtwist.imap4.types_search import SearchReturn, Update
from mailtwist.store.memory_mailbox import MemoryMailbox

from ..room import HELLO, Room, small
from ..talk import asked


def subject(text):
    return HELLO.replace(b"Subject: hello", b"Subject: " + text.encode())


class GrammarTests(SynchronousTestCase):
    def test_return_options(self):
        for line, update, options in (
            (b"SEARCH RETURN (UPDATE) ALL", Update(), set()),
            (b"search return (update count) ALL", Update(), {SearchReturn.COUNT}),
            (
                b"UID SEARCH RETURN (CONTEXT COUNT) ALL",
                None,
                {SearchReturn.COUNT, SearchReturn.CONTEXT},
            ),
            (b"SEARCH RETURN (UPDATE (UID FLAGS UID)) ALL",)
            + (Update((t.FetchUid(), t.FetchFlags())), set()),
            (b"SEARCH RETURN (UPDATE(ENVELOPE) MIN) ALL",)
            + (Update((t.FetchEnvelope(),)), {SearchReturn.MIN}),
        ):
            returns = asked(line).returns
            self.assertEqual((returns.update, returns.options), (update, options), line)
        sort = asked(b"SORT RETURN (UPDATE PARTIAL 1:5) (DATE) UTF-8 ALL")
        self.assertEqual(sort.search.returns.update, Update())

    def test_cancel_update(self):
        self.assertEqual(
            asked(b'CANCELUPDATE "B01" "B\\"2" x'),
            t.CancelUpdate((b"B01", b'B"2', b"x")),
        )
        for line in (b"CANCELUPDATE", b"CANCELUPDATE ()", b'CANCELUPDATE "a'):
            self.assertRaises(MailError, asked, line)
        self.assertRaises(BadParameter, asked, b"SEARCH RETURN (UPDATE (NIX)) ALL")


class UpdateTests(SynchronousTestCase):
    def setUp(self):
        self.room = Room()
        self.first = self.room.selected(messages=4)
        self.second = self.room.selected()
        self.second.hear()

    def told(self, client, command="NOOP"):
        return client.ask(command)[:-1]

    def test_changes_by_others_are_told_behind_their_cause(self):
        self.first.ask("STORE 1 +FLAGS (\\Flagged)")
        self.second.send(b"B1 UID SEARCH RETURN (UPDATE COUNT) FLAGGED\r\n")
        self.assertIn(b'* ESEARCH (TAG "B1") UID COUNT 1', self.second.hear())
        self.first.ask("STORE 2,3 +FLAGS (\\Flagged)")
        self.assertEqual(
            self.told(self.second),
            [
                b"* 2 FETCH (FLAGS (\\Flagged))",
                b"* 3 FETCH (FLAGS (\\Flagged))",
                b'* ESEARCH (TAG "B1") UID ADDTO (0 2:3)',
            ],
        )
        self.first.ask("STORE 1 -FLAGS (\\Flagged)")
        self.assertEqual(
            self.told(self.second)[-1], b'* ESEARCH (TAG "B1") UID REMOVEFROM (0 1)'
        )
        self.first.append(flags="\\Flagged")
        self.assertEqual(
            self.told(self.second),
            [b"* 5 EXISTS", b'* ESEARCH (TAG "B1") UID ADDTO (0 5)'],
        )

    def test_own_changes_are_told_too(self):
        self.second.send(b"B1 SEARCH RETURN (UPDATE ALL) SEEN\r\n")
        self.second.hear()
        lines = self.told(self.second, "STORE 2:3 +FLAGS.SILENT (\\Seen)")
        self.assertEqual(lines, [b'* ESEARCH (TAG "B1") ADDTO (0 2:3)'])
        self.assertEqual(self.told(self.second), [])

    def test_what_is_expunged_goes_before_its_number_does(self):
        self.second.send(b"B1 SEARCH RETURN (UPDATE) ALL\r\n")
        self.second.hear()
        self.room.folder().remove([2])
        self.assertEqual(
            self.told(self.second, "FETCH 1 UID"),
            [b"* 1 FETCH (UID 1)", b'* ESEARCH (TAG "B1") REMOVEFROM (0 2)'],
        )
        self.assertEqual(self.told(self.second), [b"* 2 EXPUNGE"])
        self.room.folder().remove([3])
        self.assertEqual(
            self.told(self.second),
            [b'* ESEARCH (TAG "B1") REMOVEFROM (0 2)', b"* 2 EXPUNGE"],
        )

    def test_idle_is_told_at_once(self):
        self.second.send(b"B1 UID SEARCH RETURN (UPDATE) UNSEEN\r\nB2 IDLE\r\n")
        self.second.hear()
        self.first.ask("STORE 3 +FLAGS.SILENT (\\Seen)")
        self.assertEqual(
            self.second.hear(),
            [
                b"* 3 FETCH (FLAGS (\\Seen))",
                b'* ESEARCH (TAG "B1") UID REMOVEFROM (0 3)',
            ],
        )

    def test_a_sort_has_positions(self):
        folder = self.room.folder()
        folder.remove(list(folder.messages))
        for text in ("b", "d", "f"):
            self.first.append(subject(text))
        self.second.ask("NOOP")
        self.second.send(b"S1 UID SORT RETURN (UPDATE ALL) (SUBJECT) UTF-8 ALL\r\n")
        self.assertIn(b'* ESEARCH (TAG "S1") UID ALL 5:7', self.second.hear())
        self.first.append(subject("c"))  # 8
        self.first.append(subject("a"))  # 9
        self.first.append(subject("g"))  # 10
        lines = self.told(self.second)
        self.assertEqual(
            lines[-1], b'* ESEARCH (TAG "S1") UID ADDTO (1 9 3 8 6 10)', "a b c d f g"
        )
        folder.remove([5, 8, 10])
        self.assertIn(
            b'* ESEARCH (TAG "S1") UID REMOVEFROM (6 10 2 5,8)', self.told(self.second)
        )

    def test_many_new_messages_are_sorted_at_once(self):
        self.patch(context, "FEW", 1)
        self.second.send(b"S1 UID SORT RETURN (UPDATE) (REVERSE ARRIVAL) UTF-8 ALL\r\n")
        self.second.hear()
        for _ in range(3):
            self.first.append()
        self.assertIn(b'* ESEARCH (TAG "S1") UID ADDTO (5 5:7)', self.told(self.second))

    def test_numbers_of_the_search_are_those_of_then(self):
        self.second.send(b"B1 UID SEARCH RETURN (UPDATE) 3:4 UNSEEN\r\n")
        self.second.hear()
        self.room.folder().remove([1])
        self.told(self.second)
        self.first.ask("STORE 2,4 +FLAGS.SILENT (\\Seen)")  # UIDs 2 and 4, or 3
        seen = [u for u, m in self.room.folder().messages.items() if m.flags]
        lines = self.told(self.second)
        wanted = [uid for uid in seen if uid in (3, 4)]
        self.assertEqual(
            lines[-1], b'* ESEARCH (TAG "B1") UID REMOVEFROM (0 %d)' % wanted[0]
        )

    def test_what_was_saved_is_read_before_the_search_saves_anew(self):
        self.second.ask("SEARCH RETURN (SAVE) 2:3")
        self.first.ask("STORE 1:4 +FLAGS.SILENT (\\Flagged)")
        self.second.send(b"B1 UID SEARCH RETURN (SAVE UPDATE) $ UNSEEN\r\n")
        self.second.send(b"B2 UID SEARCH RETURN (UPDATE SAVE COUNT) UID 1 $\r\n")
        self.second.hear()
        self.first.ask("STORE 1:4 +FLAGS.SILENT (\\Seen)")
        self.assertEqual(
            self.told(self.second)[-1], b'* ESEARCH (TAG "B1") UID REMOVEFROM (0 2:3)'
        )

    def test_attributes_of_new_messages_come_with_them(self):
        self.second.send(
            b"B1 SEARCH RETURN (UPDATE (UID BODY.PEEK[HEADER.FIELDS (SUBJECT)]))"
            b" SUBJECT dinner\r\n"
        )
        self.second.hear()
        self.first.append(subject("dinner"))
        self.first.append(subject("lunch"))
        field = b"Subject: dinner\r\n\r\n"
        self.assertEqual(
            self.told(self.second),
            [
                b"* 6 EXISTS",
                b"* 5 FETCH (UID 5 BODY[HEADER.FIELDS (SUBJECT)] {%d}\r\n%b)"
                % (len(field), field),
                b'* ESEARCH (TAG "B1") ADDTO (0 5)',
            ],
        )
        self.second.append(subject("dinner"))
        self.assertEqual(
            self.told(self.second), [], "who made it knows it, and was told ADDTO"
        )

    def test_a_tag_is_used_once(self):
        self.second.send(b"B1 SEARCH RETURN (UPDATE) ALL\r\n")
        self.second.send(b"B1 SORT RETURN (UPDATE) (DATE) UTF-8 FLAGGED\r\n")
        self.assertEqual(self.second.hear()[-1], b"B1 BAD Tag reuse")

    def test_no_more_contexts_than_a_session_may_have(self):
        for number in range(context.MOST_CONTEXTS):
            self.second.send(b"B%d SEARCH RETURN (UPDATE COUNT) ALL\r\n" % number)
        self.second.hear()
        self.second.send(b"C1 SEARCH RETURN (UPDATE COUNT) ALL\r\n")
        self.assertEqual(
            self.second.hear(),
            [
                b'* ESEARCH (TAG "C1") COUNT 4',
                b'* NO [NOUPDATE "C1"] Too many contexts',
                b"C1 OK SEARCH completed",
            ],
        )
        self.second.ask('CANCELUPDATE "B0" "B1"')
        self.second.send(b"C2 SEARCH RETURN (UPDATE) ALL\r\n")
        self.assertEqual(len(self.second.hear()), 2)

    def test_cancelled_searches_are_silent(self):
        self.second.send(b"B1 SEARCH RETURN (UPDATE) FLAGGED\r\n")
        self.second.hear()
        self.assertEqual(
            self.second.ask('CANCELUPDATE "B1"'), [b"OK No further updates"]
        )
        self.first.ask("STORE 1 +FLAGS.SILENT (\\Flagged)")
        self.assertEqual(self.told(self.second), [b"* 1 FETCH (FLAGS (\\Flagged))"])
        self.assertTrue(self.second.ask('CANCELUPDATE "B1"')[0].startswith(b"BAD"))

    def test_another_mailbox_ends_them(self):
        self.second.send(b"B1 SEARCH RETURN (UPDATE) FLAGGED\r\n")
        self.second.ask("SELECT INBOX")
        self.first.ask("STORE 1 +FLAGS.SILENT (\\Flagged)")
        self.assertEqual(self.told(self.second), [b"* 1 FETCH (FLAGS (\\Flagged))"])

    def test_what_the_store_cannot_tell_now_is_told_later(self):
        rows = MemoryMailbox.rows

        async def full(mailbox, uids=None):
            raise StorageFull()

        self.second.send(b"B1 SEARCH RETURN (UPDATE) FLAGGED\r\n")
        self.second.hear()
        self.first.ask("STORE 1 +FLAGS.SILENT (\\Flagged)")
        self.patch(MemoryMailbox, "rows", full)
        self.assertEqual(self.told(self.second), [b"* 1 FETCH (FLAGS (\\Flagged))"])
        self.patch(MemoryMailbox, "rows", rows)
        self.assertEqual(self.told(self.second), [b'* ESEARCH (TAG "B1") ADDTO (0 1)'])


ACTIONS = st.lists(
    st.sampled_from(
        [
            "APPEND",
            "NOOP",
            "SECOND NOOP",
            "SECOND FETCH 1:* UID",
            "SECOND STORE 1 +FLAGS.SILENT (\\Seen)",
            "STORE 1:* +FLAGS.SILENT (\\Seen)",
            "STORE 2 -FLAGS (\\Seen)",
            "STORE 1 +FLAGS (\\Deleted)",
            "EXPUNGE",
            "SECOND UID EXPUNGE 1:9",
            "UID COPY 1:3 INBOX",
        ]
    ),
    max_size=20,
)


class ManyUpdatesTests(SynchronousTestCase):
    @settings(max_examples=60, deadline=None)
    @given(ACTIONS)
    def test_what_a_client_keeps_is_what_it_would_find(self, actions):
        room = Room(config=small(errors=1000))
        first = room.selected(messages=3)
        second = room.selected()
        kept = {b"U": [], b"S": []}
        second.hear()
        for tag, search in (
            (b"U", b"UID SEARCH RETURN (UPDATE ALL) UNSEEN"),
            (b"S", b"UID SORT RETURN (UPDATE ALL) (REVERSE SUBJECT) UTF-8 UNSEEN"),
        ):
            second.send(tag + b" " + search + b"\r\n")
            self.apply(kept, second.hear())
        for number, action in enumerate(actions):
            client = second if action.startswith("SECOND ") else first
            action = action.removeprefix("SECOND ")
            if action == "APPEND":
                first.append(subject("abc"[number % 3]))
            else:
                lines = client.ask(action)
                if client is second:
                    self.apply(kept, lines)
        for _ in range(2):
            self.apply(kept, second.ask("NOOP"))
        found = second.ask("UID SEARCH UNSEEN")[0].split()[2:]
        self.assertEqual(kept[b"U"], list(map(int, found)))
        found = second.ask("UID SORT (REVERSE SUBJECT) UTF-8 UNSEEN")[0].split()[2:]
        self.assertEqual(kept[b"S"], list(map(int, found)))

    def apply(self, kept, lines):
        for line in lines:
            if not line.startswith(b"* ESEARCH"):
                continue
            tag = line.split(b'"')[1]
            words = line.replace(b"(", b"").replace(b")", b"").split()[4:]
            results, at = kept[tag], 0
            name = b""
            while at < len(words):
                if words[at].isalpha():
                    name = words[at]
                    at += 1
                    if name == b"ALL":
                        results += self.numbers(words[at])
                        at += 1
                    continue
                position, uids = int(words[at]), self.numbers(words[at + 1])
                at += 2
                self.move(results, name, position, uids)

    def move(self, results, name, position, uids):
        if name == b"REMOVEFROM":
            for uid in uids:
                if position:
                    self.assertEqual(results[position - 1], uid)
                results.remove(uid)
        elif position:
            results[position - 1 : position - 1] = uids
        else:
            results[:] = sorted(results + uids)

    @staticmethod
    def numbers(text):
        found = []
        for one in text.split(b","):
            low, _, high = one.partition(b":")
            found += range(int(low), int(high or low) + 1)
        return found
