"""Several sessions on one mailbox: numbers are right at every moment."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.errors import StorageFull
from mailtwist.store.memory_folder import Folder
from mailtwist.store.memory_mailbox import MemoryMailbox

from .room import Room, small

NOOP_DONE = [b"OK NOOP completed"]


class TwoSessionsTests(SynchronousTestCase):
    def setUp(self):
        self.room = Room()
        self.first = self.room.selected(messages=3)
        self.second = self.room.selected()
        self.second.hear()

    def test_new_mail_is_told_with_the_next_command(self):
        self.first.append()
        self.assertEqual(self.second.ask("NOOP"), [b"* 4 EXISTS", *NOOP_DONE])

    def test_flags_are_told_to_the_other_and_once(self):
        self.first.ask("STORE 2 +FLAGS (\\Answered)")
        self.assertEqual(
            self.second.ask("CHECK"),
            [b"* 2 FETCH (FLAGS (\\Answered))", b"OK CHECK completed"],
        )
        self.assertEqual(self.second.ask("NOOP"), NOOP_DONE)

    def test_expunge_waits_behind_commands_with_numbers(self):
        self.first.ask("STORE 1 +FLAGS.SILENT (\\Deleted)")
        self.first.ask("EXPUNGE")
        for command in ("FETCH 2 UID", "STORE 2 +FLAGS.SILENT (\\Seen)", "SEARCH 2"):
            lines = self.second.ask(command)
            self.assertFalse([line for line in lines if b"EXPUNGE " in line], lines)
        self.assertEqual(self.second.ask("FETCH 2 UID")[0], b"* 2 FETCH (UID 2)")
        self.assertEqual(self.second.ask("NOOP")[0], b"* 1 EXPUNGE")
        self.assertEqual(self.second.ask("FETCH 2 UID")[0], b"* 2 FETCH (UID 3)")

    def test_uid_commands_tell_expunge(self):
        self.first.ask("STORE 1 +FLAGS.SILENT (\\Deleted)")
        self.first.ask("EXPUNGE")
        self.assertEqual(
            self.second.ask("UID FETCH 2 UID")[:2],
            [b"* 2 FETCH (UID 2)", b"* 1 EXPUNGE"],
        )

    def test_new_mail_below_an_expunged_unknown_message_is_told(self):
        """EXPUNGE removes a message this session never heard of, with a higher UID."""
        self.first.append()
        self.first.append(flags="\\Deleted")
        self.assertEqual(
            self.second.ask("EXPUNGE"), [b"* 4 EXISTS", b"OK EXPUNGE completed"]
        )
        self.assertEqual(self.second.ask("FETCH 4 UID")[0], b"* 4 FETCH (UID 4)")

    def test_idle_is_told_at_once(self):
        self.second.send(b"a IDLE\r\n")
        self.assertEqual(self.second.hear(), [b"+ idling"])
        self.first.append()
        self.assertEqual(self.second.hear(), [b"* 4 EXISTS"])
        self.first.ask("STORE 4 +FLAGS (\\Deleted)")
        self.assertEqual(self.second.hear(), [b"* 4 FETCH (FLAGS (\\Deleted))"])
        self.first.ask("EXPUNGE")
        self.assertEqual(self.second.hear(), [b"* 4 EXPUNGE"])
        self.second.send(b"DONE\r\n")
        self.assertEqual(self.second.hear(), [b"a OK IDLE completed"])

    def test_idle_starts_with_what_was_not_told_yet(self):
        self.first.append()
        self.second.send(b"a IDLE\r\n")
        self.assertEqual(self.second.hear(), [b"+ idling", b"* 4 EXISTS"])

    def test_idle_without_a_mailbox_waits_in_silence(self):
        third = self.room.login()
        third.hear()
        third.send(b"a IDLE\r\n")
        self.first.append()
        self.assertEqual(third.hear(), [b"+ idling"])
        third.send(b"done\r\n")
        self.assertEqual(third.hear(), [b"a OK IDLE completed"])

    def test_what_is_no_done_ends_idle_with_bad(self):
        self.second.send(b"a IDLE\r\n")
        self.second.send(b"NOOP\r\n")
        self.assertTrue(self.second.hear()[-1].startswith(b"a BAD "))
        self.assertEqual(self.second.ask("NOOP"), NOOP_DONE)

    def test_idle_looks_for_what_no_hint_told(self):
        """Other programs deliver into the folder and tell nobody."""
        self.patch(Folder, "publish", lambda folder: None)
        self.second.send(b"a IDLE\r\n")
        self.second.hear()
        self.first.append()
        self.assertEqual(self.second.hear(), [])
        self.room.clock.advance(self.room.config.poll_s)
        self.assertEqual(self.second.hear()[0], b"* 4 EXISTS")

    def test_a_fault_of_the_store_in_idle_is_told_later(self):
        changes = MemoryMailbox.changes

        async def busy(mailbox, modseq):
            raise StorageFull()

        self.second.send(b"a IDLE\r\n")
        self.second.hear()
        self.patch(MemoryMailbox, "changes", busy)
        self.first.append()
        self.assertEqual(self.second.hear(), [])
        self.patch(MemoryMailbox, "changes", changes)
        self.room.clock.advance(self.room.config.poll_s)
        self.assertEqual(self.second.hear()[0], b"* 4 EXISTS")

    def test_a_deleted_mailbox_says_bye_to_the_others(self):
        self.first.ask("CREATE Work")
        for client in (self.first, self.second):
            client.ask("SELECT Work")
        self.second.send(b"a IDLE\r\n")
        self.second.hear()
        self.first.ask("UNSELECT")
        self.first.ask("DELETE Work")
        self.assertEqual(
            self.second.hear(), [b"* BYE The selected mailbox was deleted"]
        )
        self.assertTrue(self.second.is_closed())

    def test_a_renamed_mailbox_goes_on(self):
        self.first.ask("CREATE Work")
        self.second.ask("SELECT Work")
        self.first.ask("RENAME Work Play")
        self.first.append(path="Play")
        self.assertIn(b"* 1 EXISTS", self.second.ask("NOOP"))

    def test_condstore_adds_uid_and_modseq(self):
        self.second.ask("ENABLE CONDSTORE")
        self.first.ask("STORE 2 +FLAGS (\\Answered)")
        self.assertEqual(
            self.second.ask("NOOP")[0],
            b"* 2 FETCH (UID 2 FLAGS (\\Answered) MODSEQ (5))",
        )

    def test_a_new_keyword_is_told_in_flags(self):
        self.first.ask("STORE 1 +FLAGS ($Todo)")
        lines = self.second.ask("NOOP")
        self.assertTrue(lines[0].startswith(b"* FLAGS ("))
        self.assertIn(b"$Todo", lines[0])
        self.assertIn(b"* 1 FETCH (FLAGS ($Todo))", lines)

    def test_a_change_while_a_mailbox_is_selected_is_not_lost(self):
        """New mail comes between the questions that SELECT asks the store."""
        rows = MemoryMailbox.rows

        async def late(mailbox, uids=None):
            found = await rows(mailbox, uids)
            if uids is None:
                self.room.folder().add([self.room.folder().messages[1]])
            return found

        third = self.room.login()
        self.patch(MemoryMailbox, "rows", late)
        lines = third.ask("SELECT INBOX")
        self.assertLess(lines.index(b"* 3 EXISTS"), lines.index(b"* 4 EXISTS"))


class Model:
    """What a client knows: UIDs by number and flags, from untagged responses alone."""

    def __init__(self, client):
        self.client, self.uids, self.flags = client, [], {}

    def ask(self, command):
        append = command == "APPEND"
        lines = self.client.append() if append else self.client.ask(command)
        for line in lines[:-1]:
            self.hear(line)

    def hear(self, line):
        words = line.split()
        if words[-1] == b"EXPUNGE":
            del self.uids[int(words[1]) - 1]
        elif words[-1] == b"EXISTS":
            self.uids += [None] * (int(words[1]) - len(self.uids))
        elif words[2:3] == [b"FETCH"]:
            number = int(words[1])
            uid = int(words[words.index(b"(UID") + 1])
            if self.uids[number - 1] not in (None, uid):
                raise AssertionError(f"{number} was {self.uids[number - 1]}: {line}")
            self.uids[number - 1] = uid
            if b"FLAGS (" not in line:  # .SILENT tells the MODSEQ alone
                self.flags.pop(uid, None)
                return
            flags = line[line.index(b"FLAGS (") + 7 :].split(b")")[0].split()
            self.flags[uid] = {f.decode() for f in flags} - {"\\Recent"}


ACTIONS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.sampled_from(
            [
                "APPEND",
                "NOOP",
                "STORE 1 +FLAGS (\\Deleted)",
                "STORE 2 FLAGS (\\Seen)",
                "STORE 1:* -FLAGS.SILENT (\\Seen)",
                "UID STORE 1:4 +FLAGS.SILENT ($A \\Deleted)",
                "EXPUNGE",
                "FETCH 1:* (UID FLAGS)",
                "FETCH 1 (UID FLAGS BODY[])",
                "UID EXPUNGE 1:3",
                "MOVE 1 INBOX",
                "UID COPY 2:3 INBOX",
                "SEARCH SEEN",
            ]
        ),
    ),
    max_size=25,
)


class ManySessionsTests(SynchronousTestCase):
    @settings(max_examples=100, deadline=None)
    @given(ACTIONS)
    def test_three_views_never_differ_from_the_mailbox(self, actions):
        room = Room(config=small(errors=1000))
        models = []
        for _ in range(3):
            models.append(Model(room.selected()))
            models[-1].ask("ENABLE CONDSTORE")  # every FETCH carries its UID
        for who, command in actions:
            models[who].ask(command)
        for model in models:
            model.ask("NOOP")
            model.ask("NOOP")
        truth = room.folder().rows()
        now = dict(zip(truth.uids, truth.flags, strict=True))
        for model in models:
            self.assertEqual(len(model.uids), len(truth))
            known = {uid: model.flags[uid] for uid in now if uid in model.flags}
            self.assertEqual(known, {uid: now[uid] for uid in known})
            model.ask("FETCH 1:* (UID FLAGS)")
            self.assertEqual(model.uids, truth.uids)
            self.assertEqual({u: model.flags[u] for u in now}, now)
