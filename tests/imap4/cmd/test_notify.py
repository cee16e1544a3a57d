"""NOTIFY (RFC 5465) with two sessions: what is pushed, when, and what it may cost."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.errors import StorageFull
from mailtwist.imap4 import notice
from mailtwist.store.memory import MemoryMailboxes
from mailtwist.store.memory_folder import Folder

from ..room import HELLO, Room, small

ALL = "MessageNew MessageExpunge FlagChange"
DONE = b"OK NOTIFY completed"


class Case(SynchronousTestCase):
    def setUp(self):
        self.room = Room()
        self.first = self.room.selected(messages=3)
        self.second = self.room.login()
        self.second.ask("SELECT INBOX")
        self.second.hear()

    def notify(self, groups, client=None):
        lines = (client or self.second).ask(f"NOTIFY SET {groups}")
        self.assertEqual(lines[-1], DONE)
        return lines[:-1]

    def tree(self):
        return self.room.store.mailboxes(self.room.account)


class SelectedTests(Case):
    def test_what_waited_is_told_with_the_answer(self):
        self.first.append()
        self.first.ask("STORE 1 +FLAGS (\\Flagged)")
        self.assertEqual(
            self.notify(f"(selected ({ALL}))"),
            [b"* 4 EXISTS", b"* 1 FETCH (UID 1 FLAGS (\\Flagged))"],
        )

    def test_events_that_are_not_wanted_wait(self):
        self.notify("(selected (MessageNew MessageExpunge))")
        self.first.ask("STORE 1 +FLAGS (\\Flagged)")
        self.assertEqual(self.second.hear(), [])
        self.assertEqual(self.second.ask("NOOP"), [b"OK NOOP completed"])
        self.assertEqual(
            self.notify(f"(selected ({ALL}))"), [b"* 1 FETCH (UID 1 FLAGS (\\Flagged))"]
        )

    def test_without_selected_the_view_stands_still(self):
        self.notify("(personal (MailboxName))")
        self.first.append()
        self.first.ask("STORE 1,2 +FLAGS (\\Deleted)")
        self.first.ask("EXPUNGE")
        self.assertEqual(self.second.ask("NOOP"), [b"OK NOOP completed"])
        self.assertEqual(
            self.second.ask("FETCH 3 UID"),
            [b"* 3 FETCH (UID 3)", b"OK FETCH completed"],
        )

    def test_ones_own_expunge_is_told_whatever_is_wanted(self):
        self.notify("(selected NONE)")
        self.second.ask("STORE 1 +FLAGS.SILENT (\\Deleted)")
        self.assertEqual(self.second.ask("EXPUNGE")[0], b"* 1 EXPUNGE")

    def test_expunge_is_told_at_once_or_held_back(self):
        self.notify(f"(selected ({ALL}))")
        self.room.folder().remove([2])
        self.assertEqual(self.second.hear(), [b"* 2 EXPUNGE"])
        self.notify(f"(selected-delayed ({ALL}))")
        self.room.folder().remove([1])
        self.assertEqual(self.second.hear(), [])
        self.assertEqual(
            self.second.ask("FETCH 2 UID")[0], b"* 2 FETCH (UID 3)", "numbers stand"
        )
        self.assertEqual(self.second.hear(), [])
        self.assertEqual(self.second.ask("NOOP")[0], b"* 1 EXPUNGE")

    def test_a_number_that_was_told_is_right_in_a_pipeline(self):
        """Messages go while commands with numbers are on their way."""
        self.notify(f"(selected-delayed ({ALL}))")
        self.room.folder().remove([1])
        self.second.send(b"p1 FETCH 2 UID\r\np2 STORE 3 +FLAGS.SILENT (\\Seen)\r\n")
        self.second.send(b"p3 FETCH 3 (UID)\r\np4 NOOP\r\np5 FETCH 1 UID\r\n")
        lines = self.second.hear()
        numbers = [line for line in lines if b"UID" in line or b"EXPUNGE" in line]
        self.assertEqual(
            numbers,
            [
                b"* 2 FETCH (UID 2)",
                b"* 3 FETCH (UID 3)",
                b"* 1 EXPUNGE",
                b"* 1 FETCH (UID 2)",
            ],
        )

    def test_a_push_in_the_middle_of_a_pipeline_comes_between_answers(self):
        self.notify(f"(selected ({ALL}))")
        self.room.folder().remove([1])
        self.second.send(b"p1 FETCH 3 UID\r\np2 UID FETCH 3 UID\r\n")
        lines = self.second.hear()
        self.assertEqual(
            lines,
            [
                b"* 3 FETCH (UID 3)",
                b"p1 OK FETCH completed",
                b"* 3 FETCH (UID 3)",
                b"* 1 EXPUNGE",
                b"p2 OK FETCH completed",
            ],
        )

    def test_vanished_and_modseq_where_they_are_enabled(self):
        self.second.ask("ENABLE QRESYNC")
        self.notify(f"(selected ({ALL}))")
        self.room.folder().remove([2])
        self.first.ask("STORE 1 +FLAGS.SILENT (\\Seen)")
        told = self.second.hear()
        self.assertEqual(told[0], b"* VANISHED 2")
        self.assertTrue(told[1].startswith(b"* 1 FETCH (UID 1 FLAGS (\\Seen) MODSEQ ("))

    def test_attributes_of_new_messages_but_not_of_ones_own(self):
        self.notify("(selected (MessageNew (UID RFC822.SIZE) MessageExpunge))")
        self.first.append()
        size = len(HELLO)
        self.assertEqual(
            self.second.hear(),
            [b"* 4 EXISTS", b"* 4 FETCH (UID 4 RFC822.SIZE %d)" % size],
        )
        self.assertEqual(self.second.append()[0], b"* 5 EXISTS")
        self.assertEqual(self.second.hear(), [])
        self.first.append()
        self.assertEqual(len(self.second.hear()), 2)

    def test_attributes_of_a_search_and_of_notify_are_one_fetch(self):
        self.notify("(selected (MessageNew (UID) MessageExpunge))")
        self.second.send(b"B1 SEARCH RETURN (UPDATE (UID RFC822.SIZE)) ALL\r\n")
        self.second.hear()
        self.first.append()
        self.assertEqual(
            self.second.hear(),
            [
                b"* 4 EXISTS",
                b"* 4 FETCH (UID 4 RFC822.SIZE %d)" % len(HELLO),
                b'* ESEARCH (TAG "B1") ADDTO (0 4)',
            ],
        )

    def test_uids_alone(self):
        self.second.ask("ENABLE UIDONLY")
        self.notify("(selected (MessageNew (FLAGS) MessageExpunge FlagChange))")
        self.first.append(flags="\\Seen")
        self.first.ask("STORE 1 +FLAGS.SILENT (\\Seen)")
        self.room.folder().remove([2])
        self.assertEqual(
            self.second.hear(),
            [
                b"* 4 EXISTS",
                b"* 4 UIDFETCH (FLAGS (\\Seen))",
                b"* 1 UIDFETCH (FLAGS (\\Seen))",
                b"* VANISHED 2",
            ],
        )

    def test_idle_tells_the_same_events(self):
        self.notify("(selected (MessageNew MessageExpunge))")
        self.second.send(b"i IDLE\r\n")
        self.second.hear()
        self.first.ask("STORE 1 +FLAGS (\\Flagged)")
        self.assertEqual(self.second.hear(), [])
        self.first.append()
        self.assertEqual(self.second.hear(), [b"* 4 EXISTS"])
        self.second.send(b"DONE\r\n")
        self.assertEqual(self.second.hear(), [b"i OK IDLE completed"])

    def test_what_no_hint_told_is_looked_for(self):
        self.notify(f"(selected ({ALL}))")
        self.patch(Folder, "publish", lambda folder: None)
        self.first.append()
        self.assertEqual(self.second.hear(), [])
        self.room.clock.advance(self.room.config.poll_s)
        self.assertEqual(self.second.hear()[0], b"* 4 EXISTS")

    def test_another_mailbox_that_is_selected_is_told_of(self):
        self.notify(f"(selected ({ALL})) (personal ({ALL}))")
        self.first.ask("CREATE There")
        self.second.ask("SELECT There")
        self.first.append(path="There")
        self.assertEqual(self.second.hear(), [b"* 1 EXISTS", b"* 1 RECENT"])
        self.first.append()
        self.assertEqual(
            self.second.hear()[0].split(b"(")[0], b"* STATUS INBOX ", "now another"
        )


class NewMailboxTests(Case):
    def test_a_mailbox_that_is_new_is_told_by_its_name_alone(self):
        """A store may say that something happened there, as its folder is new."""
        self.notify(f"(personal ({ALL} MailboxName))")
        self.first.ask("CREATE New")
        self.second.protocol._session.notice.hint(("New",))
        self.assertEqual(
            self.second.hear() + self.second.ask("NOOP"),
            [b'* LIST (\\HasNoChildren) "/" New', b"OK NOOP completed"],
        )
        self.first.append(HELLO, "New")
        (line,) = self.second.hear()
        self.assertTrue(line.startswith(b"* STATUS New (MESSAGES 1 UIDNEXT 2 "), line)


class OthersTests(Case):
    def setUp(self):
        super().setUp()
        for name in ("A", "B"):
            self.first.ask(f"CREATE {name}")
            self.first.append(path=name)

    def test_only_what_is_asked_for(self):
        self.notify(f"(mailboxes A ({ALL}))")
        self.first.append(path="B")
        self.assertEqual(self.second.hear(), [])
        self.first.append(path="A")
        (line,) = self.second.hear()
        self.assertTrue(line.startswith(b"* STATUS A (MESSAGES 2 UIDNEXT 3 "), line)

    def test_a_hint_without_news_is_not_told(self):
        self.notify(f"STATUS (mailboxes A ({ALL}))")
        self.tree()._watchers.tell(("A",))
        self.assertEqual(self.second.hear(), [])

    def test_flags_are_told_by_their_figures(self):
        self.notify("STATUS (mailboxes A (MessageNew MessageExpunge))")
        self.first.ask("SELECT A")
        self.first.ask("STORE 1 +FLAGS (\\Seen)")
        self.assertEqual(self.second.hear(), [], "no FlagChange was asked for")
        self.notify(f"STATUS (mailboxes A ({ALL}))")
        self.first.ask("STORE 1 -FLAGS (\\Seen)")
        (line,) = self.second.hear()
        self.assertTrue(line.startswith(b"* STATUS A (UNSEEN 1 UIDVALIDITY "), line)
        self.first.ask("STORE 1 +FLAGS (\\Flagged)")
        self.assertEqual(self.second.hear(), [], "neither UNSEEN nor CONDSTORE")
        self.second.ask("ENABLE CONDSTORE")
        self.first.ask("STORE 1 -FLAGS (\\Flagged)")
        (line,) = self.second.hear()
        self.assertTrue(line.startswith(b"* STATUS A (HIGHESTMODSEQ "), line)

    def test_expunge_is_told_by_the_figures(self):
        self.notify(f"STATUS (subtree A ({ALL}))")
        self.room.folder(("A",)).remove([1])
        (line,) = self.second.hear()
        self.assertTrue(line.startswith(b"* STATUS A (MESSAGES 0 UIDNEXT 2 "), line)

    def test_ones_own_names_are_not_told_and_others_are(self):
        self.notify("(personal (MailboxName SubscriptionChange))")
        for command in (
            "CREATE X/Y",
            "SUBSCRIBE X/Y",
            "RENAME X Z",
            "UNSUBSCRIBE X/Y",
            "DELETE Z/Y",
        ):
            self.assertTrue(self.second.ask(command)[-1].startswith(b"OK"), command)
            self.assertEqual(self.second.hear(), [], command)
        self.assertTrue(self.second.ask("CREATE A")[-1].startswith(b"NO"))
        self.first.ask("DELETE A")
        self.assertEqual(
            self.second.hear(), [b'* LIST (\\NonExistent \\HasNoChildren) "/" A']
        )

    def test_subscribed_follows_the_list(self):
        self.notify(f"(subscribed ({ALL} SubscriptionChange))")
        self.first.append(path="A")
        self.assertEqual(self.second.hear(), [])
        self.first.ask("SUBSCRIBE A")
        self.assertEqual(
            self.second.hear(),
            [b'* LIST (\\HasNoChildren \\Subscribed \\Marked) "/" A'],
        )
        self.first.append(path="A")
        self.assertEqual(len(self.second.hear()), 1)
        self.first.ask("UNSUBSCRIBE A")
        self.assertEqual(len(self.second.hear()), 1)
        self.first.append(path="A")
        self.assertEqual(self.second.hear(), [])

    def test_too_much_is_said_once_and_ends_it(self):
        self.patch(notice, "MOST_STALE", 1)
        self.notify(f"(personal ({ALL}))")
        tree = self.tree()
        for path in (("A",), ("B",)):
            tree._watchers.tell(path)
        overflow = b"* OK [NOTIFICATIONOVERFLOW] Ask again for what you want"
        self.assertEqual(self.second.hear(), [overflow])
        self.first.append(path="A")
        self.assertEqual(self.second.hear(), [])
        self.assertFalse(tree._watchers)

    def test_a_watch_that_is_lost_is_said(self):
        lost = []
        watch = MemoryMailboxes.watch

        async def watched(tree, changed, on_lost):
            lost.append(on_lost)
            return await watch(tree, changed, on_lost)

        self.patch(MemoryMailboxes, "watch", watched)
        self.notify(f"(personal ({ALL}))")
        lost[0]()
        self.assertIn(b"[NOTIFICATIONOVERFLOW]", self.second.hear()[0])

    def test_a_store_that_cannot_tell_is_an_overflow(self):
        async def full(tree, path):
            raise StorageFull()

        self.notify(f"(personal ({ALL}))")
        self.patch(MemoryMailboxes, "status", full)
        self.tree()._watchers.tell(("A",))
        self.assertIn(b"[NOTIFICATIONOVERFLOW]", self.second.hear()[0])

    def test_a_new_notify_replaces_the_old_and_a_bad_one_does_not(self):
        self.notify(f"(mailboxes A ({ALL}))")
        self.assertTrue(
            self.second.ask("NOTIFY SET (personal (Nothing))")[0].startswith(b"NO")
        )
        self.first.append(path="A")
        self.assertEqual(len(self.second.hear()), 1)
        self.notify(f"(mailboxes B ({ALL}))")
        self.first.append(path="A")
        self.assertEqual(self.second.hear(), [])

    def test_a_client_that_does_not_read_is_told_once_of_all_that_happened(self):
        self.notify(f"(personal ({ALL}))")
        self.second.protocol.pauseProducing()
        for _ in range(20):
            self.first.append(path="A")
            self.first.append(path="B")
        before = len(self.second.hear())
        self.assertLessEqual(before, 2)
        self.second.protocol.resumeProducing()
        told = self.second.hear()
        self.assertEqual(len(told), 2)
        self.assertTrue(any(b" A (MESSAGES 21 " in line for line in told), told)
        self.assertTrue(any(b" B (MESSAGES 21 " in line for line in told), told)

    def test_nothing_stays_behind_a_session(self):
        self.notify(f"(personal ({ALL}))")
        self.assertTrue(self.tree()._watchers)
        self.second.close()
        self.room.settle()
        self.assertFalse(self.tree()._watchers)

    def test_a_client_that_goes_while_its_notify_is_answered(self):
        listed, held = MemoryMailboxes.listed, []

        async def slow(tree):
            from twisted.internet.defer import Deferred

            held.append(Deferred())
            await held[-1]
            return await listed(tree)

        self.patch(MemoryMailboxes, "listed", slow)
        self.second.send(f"x NOTIFY SET STATUS (personal ({ALL}))\r\n".encode())
        self.assertTrue(self.tree()._watchers)
        self.second.close()
        self.room.settle()
        self.assertFalse(self.tree()._watchers)

    def test_a_session_that_never_asked_has_nothing_more(self):
        server = next(iter(self.room.factory.sessions))
        self.assertIsNone(server._session.notice)
        self.assertEqual(server._session.contexts, {})


ALL_ACTIONS = [
    ("first", "APPEND"),
    ("first", "STORE 1:* +FLAGS (\\Seen)"),
    ("first", "STORE 2 +FLAGS.SILENT (\\Deleted)"),
    ("first", "EXPUNGE"),
    ("first", "UID COPY 1:2 INBOX"),
    ("second", "NOOP"),
    ("second", "STORE 1 +FLAGS (\\Deleted)"),
    ("second", "EXPUNGE"),
    ("second", "FETCH 1:* (UID FLAGS)"),
    ("second", "APPEND"),
]
ACTIONS = st.lists(st.sampled_from(ALL_ACTIONS), max_size=25)


class Follower:
    """What a client knows from pushes and answers alone."""

    def __init__(self, client):
        self.client, self.uids, self.flags = client, [], {}

    def hear(self, lines=None):
        for line in self.client.hear() if lines is None else lines:
            self.follow(line)

    def ask(self, command):
        append = command == "APPEND"
        self.hear(self.client.append() if append else self.client.ask(command))

    def begin(self, which):
        self.client.hear()
        self.ask("FETCH 1:* (UID FLAGS)")
        self.ask(
            f"NOTIFY SET ({which} (MessageNew (UID FLAGS) MessageExpunge FlagChange))"
        )

    def follow(self, line):
        words = line.split()
        if words[-1] == b"EXPUNGE":
            del self.uids[int(words[1]) - 1]
        elif words[-1] == b"EXISTS":
            self.uids += [None] * (int(words[1]) - len(self.uids))
        elif words[0] == b"*" and words[2:3] == [b"FETCH"]:
            number = int(words[1])
            self.uids += [None] * (number - len(self.uids))
            if b"(UID" in words:
                uid = int(words[words.index(b"(UID") + 1].rstrip(b")"))
                if self.uids[number - 1] not in (None, uid):
                    raise AssertionError(
                        f"{number} was {self.uids[number - 1]}: {line!r}"
                    )
                self.uids[number - 1] = uid
            uid = self.uids[number - 1]
            if b"FLAGS (" in line and uid is not None:
                flags = line[line.index(b"FLAGS (") + 7 :].split(b")")[0].split()
                told = {flag.decode() for flag in flags}
                self.flags[uid] = told - {"\\Recent"}


class PushedViewTests(SynchronousTestCase):
    @settings(max_examples=80, deadline=None)
    @given(st.sampled_from(["SELECTED", "SELECTED-DELAYED"]), ACTIONS)
    def test_who_follows_the_pushes_has_the_mailbox(self, which, actions):
        room = Room(config=small(errors=1000))
        first = room.selected(messages=3)
        second = Follower(room.selected())
        second.begin(which)
        for who, command in actions:
            if who == "second":
                second.ask(command)
            elif command == "APPEND":
                first.append()
            else:
                first.ask(command)
            second.hear()
        self.check(room, second)

    def test_fifty_sessions_that_are_pushed_have_the_same_mailbox(self):
        chance = random.Random(5465)
        room = Room(config=small(errors=1000))
        room.selected(messages=5)
        sessions = [Follower(room.selected()) for _ in range(50)]
        for at, session in enumerate(sessions):
            session.begin(("SELECTED", "SELECTED-DELAYED")[at % 2])
        commands = [command for who, command in ALL_ACTIONS if who == "second"]
        for _ in range(60):
            chance.choice(sessions).ask(chance.choice(commands))
            for session in sessions:
                session.hear()
        for session in sessions:
            self.check(room, session)

    def check(self, room, session):
        session.ask("NOOP")
        session.ask("FETCH 1:* (UID)")
        truth = room.folder().rows()
        self.assertEqual(session.uids, truth.uids)
        now = dict(zip(truth.uids, truth.flags, strict=True))
        known = {uid: session.flags[uid] for uid in now if uid in session.flags}
        self.assertEqual(known, {uid: now[uid] for uid in known})
