"""Tests for mailtwist.store.state_text: what users set up outlives the state."""

import json
import os
import shutil
import sqlite3
from contextlib import closing

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.directory.model import Account
from mailtwist.mailbox.model import INBOX, FlagAction, FlagChange, Limits
from mailtwist.mailbox.rights import Action, RightsChange
from mailtwist.store import state_text
from mailtwist.store.maildir import uidlist

from . import traced
from .inline import InlineLocalStore

LISTS, PY = ("Lists",), ("Lists", "py")
ONE = b"Subject: one\r\n\r\n"
SCRIPT = b"keep; # \xff\r\n"
ENOUGH_CALLS = 200
NAMES = ("mailbox", "path", "uses", "rights", "limits", "script", "text", "active") + (
    "subscribed",
    "annotation",
    "value",
    "annotations",
    "octets",
)
VALUES = (None, "", "x", 5, -1.5, True, [], ["x"], ["x", 1], {}, {"x": "y"}, {"x": 1})
KEYWORDS = [f"word{number:02}" for number in range(30)]  # more than there are letters


class Case(SynchronousTestCase):
    mailbox = ""

    def setUp(self):
        self.home = os.path.abspath(self.mktemp())
        self.addCleanup(shutil.rmtree, self.home, True)
        self.begin()

    def begin(self):
        self.store = InlineLocalStore(("drafts: Drafts",))
        self.addCleanup(lambda store: store.now(store.close()), self.store)
        self.now = self.store.now
        account = Account("ann@x.test", self.home, mailbox=self.mailbox)
        self.tree = self.store.mailboxes(account)

    def lose(self):
        """The state; the next to look has none."""
        self.now(self.store.close())
        for name in os.listdir(self.home):
            if name.startswith("state.sqlite"):
                os.unlink(f"{self.home}/{name}")
        self.begin()

    def put(self, path=INBOX, flags=()):
        upload = self.tree.upload()
        upload.write(ONE)
        return self.now(self.tree.append(path, [(upload, frozenset(flags), 1)]))

    def set_up(self):
        tree, now = self.tree, self.now
        now(tree.listed())
        now(tree.create(LISTS))
        now(tree.create(PY))
        self.put(PY)
        now(tree.subscribe(PY))
        now(tree.subscribe(("not", "there")))
        now(tree.unsubscribe(("Drafts",)))
        give = RightsChange(Action.REPLACE, frozenset("lrs"))
        now(tree.set_rights(PY, "bob@x.test", give))
        now(tree.set_rights(PY, "-anyone", give))
        values = [("/private/comment", b"mine \xfe"), ("/shared/comment", b"")]
        now(tree.set_metadata(PY, values, 100))
        now(tree.set_metadata((), [("/private/vendor/x", b"y\nz")], 100))
        now(tree.set_limits(LISTS, Limits(1_000_000, None, 7)))
        now(tree.put_script("one", SCRIPT, 9))
        now(tree.put_script("two", b"stop;", 9))
        now(tree.activate_script("one"))

    def found(self):
        tree, now = self.tree, self.now
        listed = {
            info.path: (info.subscribed, info.special_uses)
            for info in now(tree.listed())
        }
        lists = {
            path: {name: "".join(sorted(held)) for name, held in entries.items()}
            for path, entries in now(tree.lists()).items()
        }
        notes = sorted((one.path, one.name, one.value) for one in self.annotations())
        scripts = [(one.name, one.active) for one in now(tree.scripts())]
        octets = [now(tree.script(name)) for name, _ in scripts]
        quotas = now(tree.quotas(PY))
        return listed, lists, notes, scripts, octets, quotas

    def annotations(self):
        for path in (None, ()):
            yield from self.now(self.tree.metadata(path))


class LostTests(Case):
    def test_all_that_was_set_up_comes_back(self):
        self.set_up()
        before = self.found()
        self.assertIn("bob@x.test", before[1][PY])
        self.assertEqual(len(before[3]), 2)
        self.lose()
        self.assertEqual(self.found(), before)
        self.lose()
        self.assertEqual(self.found(), before, "it was written again")

    def test_a_renamed_mailbox_keeps_what_it_has(self):
        self.set_up()
        self.now(self.tree.rename(LISTS, ("New",)))
        before = self.found()
        self.lose()
        self.assertEqual(self.found(), before)

    def test_without_the_uidlist_it_is_found_by_its_name(self):
        self.set_up()
        before = self.found()
        for folder, _, names in os.walk(self.home):
            if uidlist.FILE in names:
                os.unlink(f"{folder}/{uidlist.FILE}")
        self.lose()
        self.assertEqual(self.found()[1:3], before[1:3])

    def test_damaged_lines_take_no_others_with_them(self):
        self.set_up()
        before = self.found()
        path = f"{self.home}/{state_text.FILE}"
        self.now(self.store.close())
        with open(path, "rb") as file:
            lines = file.read().split(b"\n")
        at = next(n for n, line in enumerate(lines) if b"comment" in line)
        lines[at] = lines[at][:-5]
        with open(path, "wb") as file:
            file.write(b"\n".join(lines))
        self.lose()
        found = self.found()
        self.assertEqual((found[0], *found[3:]), (before[0], *before[3:]))
        self.assertEqual(found[1], {})

    def test_a_state_of_before_there_was_a_text_gets_one(self):
        self.set_up()
        before = self.found()
        self.now(self.store.close())
        os.unlink(f"{self.home}/{state_text.FILE}")
        self.begin()
        self.now(self.tree.listed())
        self.lose()
        self.assertEqual(self.found(), before)

    def test_an_account_with_nothing_set_up_has_none(self):
        self.store.now(self.store.close())
        self.store = InlineLocalStore()
        self.addCleanup(lambda store: store.now(store.close()), self.store)
        self.tree = self.store.mailboxes(Account("ann@x.test", self.home))
        self.store.now(self.tree.listed())
        self.assertFalse(os.path.exists(f"{self.home}/{state_text.FILE}"))

    def test_keywords_that_have_no_letter_come_back(self):
        self.put(flags=KEYWORDS)
        self.put(flags=KEYWORDS[:3])
        self.put(flags=KEYWORDS)

        async def changed():
            inbox = await self.tree.open(INBOX)
            gone = frozenset(KEYWORDS[20:])
            await inbox.store_flags([3], FlagChange(FlagAction.REMOVE, gone))
            rows = await inbox.rows()
            await inbox.close()
            return [set(one) for one in rows.flags]

        before = self.now(changed())
        self.assertEqual(before, [set(KEYWORDS), set(KEYWORDS[:3]), set(KEYWORDS[:20])])
        self.lose()
        self.assertEqual(self.flags(), before)
        self.lose()
        self.assertEqual(self.flags(), before)

    def flags(self):
        async def held():
            inbox = await self.tree.open(INBOX)
            rows = await inbox.rows()
            await inbox.close()
            return [set(one) for one in rows.flags]

        return self.now(held())


class MboxLostTests(LostTests):
    mailbox = "mbox:~/mail"


class UsageTests(Case):
    def test_what_is_counted_does_not_double_when_the_state_is_lost(self):
        self.set_up()
        self.now(self.tree.recount())
        before = self.now(self.tree.usage())
        self.assertEqual(before.messages, 1)
        self.lose()
        self.now(self.tree.status(PY))
        self.assertEqual(self.now(self.tree.usage()), before)


class CheckTests(Case):
    def test_an_account_that_was_never_used_agrees(self):
        self.assertEqual(self.now(self.tree.check()).findings, [])

    def test_fsck_finds_a_text_that_is_another_and_writes_it(self):
        self.set_up()
        path = f"{self.home}/{state_text.FILE}"
        with open(path, "rb") as file:
            before = file.read()
        with open(path, "ab") as file:
            file.write(b"{}\n")
        faults = [one.what for one in self.now(self.tree.check()).findings]
        self.assertEqual(faults, [f"{state_text.FILE} is not what the state says"])
        self.now(self.tree.check(repair=True))
        with open(path, "rb") as file:
            self.assertEqual(file.read(), before)
        self.assertEqual(self.now(self.tree.check()).findings, [])


class CrashTests(Case):
    def test_what_was_answered_outlives_a_kill_and_the_loss_of_the_state(self):
        self.set_up()
        self.now(self.store.close())
        kept = f"{self.home}.kept"
        self.addCleanup(shutil.rmtree, kept, True)
        shutil.copytree(self.home, kept)
        seen = set()

        def child(tell):
            self.begin()
            self.now(self.tree.subscribe(LISTS))
            tell(b"done")

        for number in range(1, ENOUGH_CALLS):
            shutil.rmtree(self.home)
            shutil.copytree(kept, self.home)
            told, call = traced.killed_at(number, child)
            self.begin()
            self.lose()
            subscribed = {i.path for i in self.now(self.tree.listed()) if i.subscribed}
            self.assertIn(PY, subscribed, call)
            self.assertTrue(LISTS in subscribed or not told, call)
            self.assertEqual(self.now(self.tree.check()).findings, [], call)
            self.now(self.store.close())
            seen.add((bool(told), LISTS in subscribed))
            if call is None:
                break
        self.assertIsNone(call)
        self.assertEqual(seen & {(False, False), (True, True)}, {(0, 0), (1, 1)})


class ReadTests(SynchronousTestCase):
    @given(st.dictionaries(st.sampled_from(NAMES), st.sampled_from(VALUES)))
    def test_whatever_it_says_can_be_brought_back(self, values):
        folder = os.path.abspath(self.mktemp())
        os.makedirs(folder)
        path = f"{folder}/state.sqlite"
        line = json.dumps(values).encode()
        odd = [b"", b"{", b"[]", b"\xff\x00", line[: len(line) // 2], line]
        with open(f"{folder}/{state_text.FILE}", "wb") as file:
            file.write(b"\n".join([b'{"mailtwist": 1}', *odd]))
        told = state_text.read(path)
        with closing(sqlite3.connect(":memory:")) as db:
            for table in (
                "subscriptions (path PRIMARY KEY)",
                "account_metadata (name PRIMARY KEY, value)",
                "mailbox_limits (path PRIMARY KEY, octets, messages, mailboxes)",
                "scripts (name PRIMARY KEY, octets, active)",
                "rights (mailbox, identifier, rights)",
                "metadata (mailbox, name, value)",
            ):
                db.execute(f"CREATE TABLE {table}")
            state_text.restore_account(told, db)
            for each in told.mailboxes:
                state_text.restore_mailbox(each, 1, db)
        shutil.rmtree(folder)

    def test_a_newer_version_is_left_alone(self):
        folder = os.path.abspath(self.mktemp())
        os.makedirs(folder)
        with open(f"{folder}/{state_text.FILE}", "wb") as file:
            file.write(b'{"mailtwist": 2}\n{"subscribed": ["x"]}\n')
        self.assertIsNone(state_text.read(f"{folder}/state.sqlite"))
