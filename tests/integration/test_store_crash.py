"""kill -9 at every system call of every change: all of it is there, or none of it.

What was acknowledged is there exactly once with its UID and flags; what was not is
there as a whole or not at all; nobody ever sees half of a message; no UID changes or
comes again; and the counted usage is what is there.
"""

import contextlib
import os
import shutil

from attrs import evolve, frozen
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.config.deleting import Deleted
from mailtwist.directory.model import Account
from mailtwist.errors import NoSuchMailbox
from mailtwist.mailbox.model import INBOX, Column, FlagAction, FlagChange, Range
from tests.store import traced
from tests.store.inline import InlineStore

ENOUGH_CALLS = 1000
THERE = ("There",)
OLD, OLD_CHILD, NEW = ("Old",), ("Old", "child"), ("New",)
LARGE = b"Subject: large\r\n\r\n" + b"0123456789" * 40_000 + b"\r\n"  # goes by a file


@frozen
class Shown:
    """A message as clients see it."""

    octets: bytes
    flags: frozenset[str]
    date: int
    envelope: bytes


@frozen
class Box:
    """A mailbox as clients see it; messages by UID."""

    object_id: str
    uid_validity: int
    messages: dict[int, Shown]


def letter(number):
    return b"Subject: %d\r\n\r\nText %d\r\n" % (number, number)


def change(action, *flags):
    return FlagChange(action, frozenset(flags))


async def put(tree, path, *messages):
    uploads = []
    for octets, flags, date in messages:
        upload = tree.upload()
        for at in range(0, len(octets), 65_536):
            waited = upload.write(octets[at : at + 65_536])
            if waited is not None:
                await waited
        uploads.append((upload, frozenset(flags), date))
    return (await tree.append(path, uploads)).uids


async def prepare(tree):
    """What an account has before the change."""
    await put(
        tree,
        INBOX,
        (letter(1), ("\\Seen",), 1001),
        (letter(2), ("work", "\\Flagged"), 1002),
        (letter(3), (), 1003),
        (letter(4), ("\\Deleted",), 1004),
        (letter(5), ("\\Deleted", "\\Seen"), 1005),
    )
    for path in (THERE, OLD_CHILD):
        await tree.create(path)
        await put(tree, path, (letter(10), ("there",), 1010))
    for path in (INBOX, THERE, OLD, OLD_CHILD):
        await seen_box(tree, path)  # so that the cache has them


async def seen_box(tree, path):
    mailbox = await tree.open(path)
    rows = await mailbox.rows()
    octets = await mailbox.octets([Range(uid) for uid in rows.uids])
    rendered = await mailbox.rendered(rows.uids, [Column.ENVELOPE])
    messages = {
        uid: Shown(octets, flags, date, envelope[0])
        for uid, octets, flags, date, envelope in zip(
            rows.uids, octets, rows.flags, rows.internal_dates, rendered, strict=True
        )
    }
    box = Box(mailbox.object_id, mailbox.uid_validity, messages)
    await mailbox.close()
    return box


# -- the changes ----------------------------------------------------------------------


async def append(tree):
    await put(tree, THERE, (letter(20), ("\\Seen", "fresh"), 1020))


async def append_large(tree):
    await put(tree, THERE, (LARGE, ("\\Draft",), 1021))


async def append_several(tree):
    await put(tree, THERE, *[(letter(n), ("\\Seen",), 1000 + n) for n in range(20, 23)])


async def append_shelved(tree):
    """Several that waited in closed files for the others."""
    uploads = [await uploaded(tree, letter(n), (), 1000 + n) for n in range(20, 23)]
    for upload, _, _ in uploads[:2]:
        await upload.shelve()
    await tree.append(THERE, uploads)


async def copy(tree):
    await (await tree.open(INBOX)).copy([1, 2, 3], THERE)


async def copy_within(tree):
    await (await tree.open(INBOX)).copy([2, 3], INBOX)


async def move(tree):
    await (await tree.open(INBOX)).move([1, 2, 3], THERE)


async def move_within(tree):
    await (await tree.open(INBOX)).move([2, 3], INBOX)


async def uploaded(tree, octets, flags, date):
    upload = tree.upload()
    waited = upload.write(octets)
    if waited is not None:
        await waited
    return upload, frozenset(flags), date


async def replace(tree):
    new = await uploaded(tree, letter(20), ("fresh",), 1020)
    await (await tree.open(INBOX)).replace(2, THERE, new)


async def replace_within(tree):
    new = await uploaded(tree, letter(20), ("\\Draft",), 1020)
    await (await tree.open(INBOX)).replace(2, INBOX, new)


async def replace_by_a_large_message(tree):
    new = await uploaded(tree, LARGE, ("\\Draft",), 1020)
    await (await tree.open(INBOX)).replace(2, INBOX, new)


async def expunge(tree):
    await (await tree.open(INBOX)).expunge()


async def add_flags(tree):
    mailbox = await tree.open(INBOX)
    await mailbox.store_flags([1, 2, 3], change(FlagAction.ADD, "\\Answered", "later"))


async def replace_flags(tree):
    mailbox = await tree.open(INBOX)
    await mailbox.store_flags([1, 2, 3], change(FlagAction.REPLACE, "\\Draft"))


async def rename(tree):
    await tree.rename(OLD, NEW)


async def rename_inbox(tree):
    await tree.rename(INBOX, NEW)


async def create(tree):
    await tree.create(NEW)


async def delete(tree):
    await tree.delete(OLD_CHILD)


class CrashCase(SynchronousTestCase):
    """`killed(change)` gives every way that the change can end."""

    def setUp(self):
        self.prepared = os.path.abspath(self.mktemp())
        self.store, self.tree = self.opened(self.prepared)
        self.store.now(prepare(self.tree))
        self.store.now(self.store.close())
        self.home = f"{self.prepared}.killed"
        self.before = self.shown(self.prepared)

    def opened(self, home):
        store = InlineStore()
        return store, store.mailboxes(self.account(home))

    def account(self, home):
        """With limits, so that a ledger is kept too."""
        return Account("ann@example.test", home, 10**6, message_limit=1000)

    def shown(self, home, first=None):
        """{path: Box} as a server that is started now sees it; `first` before the rest.

        Then new messages come: they get UIDs that nobody has seen."""
        store, tree = self.opened(home)

        async def look():
            before = None
            if first is not None:
                with contextlib.suppress(NoSuchMailbox):
                    before = await seen_box(tree, first)
            boxes = await self.boxes(tree)
            if first is not None:
                self.assertEqual(before, boxes.get(first))
            if home == self.home:
                self.assertEqual((await tree.check()).findings, [])
                await self.goes_on(tree, boxes)
            return boxes

        try:
            return store.now(look())
        finally:
            store.now(store.close())

    async def boxes(self, tree):
        boxes = {
            info.path: await seen_box(tree, info.path)
            for info in await tree.listed()
            if info.selectable
        }
        counted = await tree.usage()
        octets = [m.octets for box in boxes.values() for m in box.messages.values()]
        told = (counted.octets, counted.messages)
        self.assertEqual(told, (sum(map(len, octets)), len(octets)))
        return boxes

    async def goes_on(self, tree, boxes):
        known = {box.object_id: box.messages for box in self.before.values()}
        for path, box in boxes.items():
            (uid,) = await put(tree, path, (letter(99), ("fresh",), 1099))
            ever = {*box.messages, *known.get(box.object_id, ())}
            self.assertNotIn(uid, ever)
            self.assertGreater(uid, max(box.messages, default=0))
        for path, box in (await self.boxes(tree)).items():
            *old, (_, newest) = box.messages.items()
            self.assertEqual(newest.octets, letter(99))
            self.assertEqual(newest.flags, {"fresh"})
            self.assertEqual(dict(old), boxes[path].messages)

    def child(self, work):
        """What the child process does: the change, then its acknowledgement."""

        def run(tell):
            store, tree = self.opened(self.home)
            store.now(work(tree))
            tell(b"done")
            store.now(store.close())

        return run

    def fresh_home(self, copy_of=None):
        shutil.rmtree(self.home, ignore_errors=True)
        shutil.copytree(copy_of or self.prepared, self.home)

    def afterwards(self, work):
        """What the change makes of the account when nothing ends it."""
        self.fresh_home()
        self.child(work)(lambda told: None)
        return self.shown(self.home)

    def killed(self, work, home=None):
        """Yields (acknowledged, call) after a kill at each call in turn."""
        for number in range(1, ENOUGH_CALLS):
            self.fresh_home(home)
            told, call = traced.killed_at(number, self.child(work))
            if call is None:
                self.assertEqual(told, b"done")
                return
            yield told == b"done", f"{call}, call {number}"
        self.fail("more system calls than thought")


class KeptTests(SynchronousTestCase):
    """Mail that is deleted, and kept, is never in no place."""

    deleted = Deleted(keep_s=1000)

    def setUp(self):
        self.home = os.path.abspath(self.mktemp())
        self.prepared = f"{self.home}.prepared"
        store, tree = self.opened(self.prepared)
        store.now(prepare(tree))
        store.now(store.close())

    def opened(self, home):
        store = InlineStore(deleted=self.deleted)
        account = Account("ann@example.test", home)
        self.kept = store.mailboxes(evolve(account, deleted=True))
        return store, store.mailboxes(account)

    def octets(self, store, tree):
        async def look():
            return [
                shown.octets
                for info in await tree.listed()
                for shown in (await seen_box(tree, info.path)).messages.values()
            ]

        return store.now(look())

    def everywhere(self, *, check=True):
        """The octets of all messages, here and kept, where everything agrees."""
        store, tree = self.opened(self.home)
        try:
            here, there = self.octets(store, tree), self.octets(store, self.kept)
            for each in (tree, self.kept) if check else ():
                self.assertEqual(store.now(each.check()).findings, [])
            return here, there
        finally:
            store.now(store.close())

    def never_in_no_place(self, work):
        shutil.copytree(self.prepared, self.home)
        before, _ = self.everywhere()

        def run(tell):
            store, tree = self.opened(self.home)
            store.now(work(tree))
            tell(b"done")
            store.now(store.close())

        for number in range(1, ENOUGH_CALLS):
            shutil.rmtree(self.home)
            shutil.copytree(self.prepared, self.home)
            told, call = traced.killed_at(number, run)
            here, there = self.everywhere(check=number % 4 == 0)
            self.assertEqual(set(here + there), set(before), call)
            if told == b"done":
                self.assertEqual(sorted(here + there), sorted(before), call)
                self.assertTrue(there)
            if call is None:
                return
        self.fail("more system calls than thought")

    def test_expunge(self):
        async def expunge(tree):
            inbox = await tree.open(INBOX)
            await inbox.expunge()
            await inbox.close()

        self.never_in_no_place(expunge)

    def test_delete(self):
        async def delete(tree):
            await tree.delete(THERE)

        self.never_in_no_place(delete)


class AllOrNothingTests(CrashCase):
    def all_or_nothing(self, work, first=None):
        after = self.afterwards(work)
        self.assertNotEqual(after, self.before)
        seen = set()
        for acknowledged, call in self.killed(work):
            found = self.shown(self.home, first)
            done = self.normal(found) == self.normal(after)
            if not done:
                self.assertEqual(found, self.before, call)
            self.assertTrue(done or not acknowledged, call)
            seen.add((done, acknowledged))
        self.assertIn((False, False), seen)
        self.assertIn((True, True), seen)

    def normal(self, boxes):
        """Without what is made at random anew each time."""
        known = {box.object_id for box in self.before.values()}
        return {
            path: (box.object_id in known and box.object_id, box.messages)
            for path, box in boxes.items()
        }

    def test_append(self):
        self.all_or_nothing(append)

    def test_append_of_a_large_message(self):
        self.all_or_nothing(append_large)

    def test_append_of_several(self):
        self.all_or_nothing(append_several)

    def test_append_of_several_that_were_shelved(self):
        self.all_or_nothing(append_shelved)

    def test_copy(self):
        self.all_or_nothing(copy)

    def test_copy_within_one_mailbox(self):
        self.all_or_nothing(copy_within)

    def test_move(self):
        self.all_or_nothing(move)

    def test_move_within_one_mailbox(self):
        self.all_or_nothing(move_within)

    def test_replace(self):
        self.all_or_nothing(replace)

    def test_replace_within_one_mailbox(self):
        self.all_or_nothing(replace_within)

    def test_replace_by_a_large_message(self):
        self.all_or_nothing(replace_by_a_large_message)

    def test_rename(self):
        self.all_or_nothing(rename)

    def test_rename_when_the_new_name_is_opened_first(self):
        self.all_or_nothing(rename, (*NEW, "child"))

    def test_rename_when_the_old_name_is_opened_first(self):
        self.all_or_nothing(rename, OLD_CHILD)

    def test_create(self):
        self.all_or_nothing(create)

    def test_delete(self):
        self.all_or_nothing(delete)

    def test_kills_while_the_last_one_is_repaired(self):
        for work in (append_several, move, replace, rename):
            after = self.afterwards(work)
            kept, repairs = f"{self.home}.kept", 0
            for acknowledged, call in self.killed(work):
                shutil.rmtree(kept, ignore_errors=True)
                shutil.copytree(self.home, kept)
                if acknowledged or self.shown(self.home) == self.before:
                    continue
                for _, repair in self.killed(self.boxes, kept):
                    found = self.shown(self.home)
                    self.assertEqual(found, after, f"{call}, then {repair}")
                    repairs += 1
                break  # the first kill after COMMIT leaves the most to repair
            self.assertGreater(repairs, 10)


class RenamedInboxTests(CrashCase):
    """The mailbox is made first, and its messages go there together."""

    def test_rename_of_INBOX(self):
        after = self.afterwards(rename_inbox)
        ends = (self.before[INBOX].messages, {}), ({}, after[NEW].messages)
        for acknowledged, call in self.killed(rename_inbox):
            found = self.shown(self.home)
            here = found[INBOX].messages
            there = found[NEW].messages if NEW in found else {}
            self.assertIn((here, there), ends[1:] if acknowledged else ends, call)
            self.assertLessEqual(found.keys(), after.keys(), call)
            for path in self.before.keys() - {INBOX}:
                self.assertEqual(found[path], self.before[path], call)


class EachMessageTests(CrashCase):
    """Changes that are made message by message."""

    def each_before_or_after(self, work):
        after = self.afterwards(work)
        self.assertNotEqual(after, self.before)
        for acknowledged, call in self.killed(work):
            found = self.shown(self.home)
            if acknowledged:
                self.assertEqual(found, after, call)
            self.assertEqual(found.keys(), after.keys())
            for path, box in found.items():
                old, new = self.before[path], after[path]
                self.assertEqual(box.object_id, old.object_id)
                self.assertEqual(box.uid_validity, old.uid_validity)
                for uid in {*old.messages, *new.messages, *box.messages}:
                    may_be = old.messages.get(uid), new.messages.get(uid)
                    self.assertIn(box.messages.get(uid), may_be, call)

    def test_expunge(self):
        self.each_before_or_after(expunge)

    def test_flags_with_a_new_keyword(self):
        self.each_before_or_after(add_flags)

    def test_flags_replaced(self):
        self.each_before_or_after(replace_flags)


class FirstUseTests(SynchronousTestCase):
    """The mailboxes that a new account gets."""

    USES = ("drafts: Drafts", "sent: Mail/Sent", "trash: Trash")

    def listed(self, home):
        store = InlineStore(self.USES)
        try:
            tree = store.mailboxes(Account("ann@example.test", home))
            return store.now(tree.listed())
        finally:
            store.now(store.close())

    def test_first_use(self):
        home = os.path.abspath(self.mktemp())

        def child(tell):
            self.listed(home)
            tell(b"done")

        for number in range(1, ENOUGH_CALLS):
            shutil.rmtree(home, ignore_errors=True)
            told, call = traced.killed_at(number, child)
            found = self.listed(home)
            self.assertEqual(
                [(info.path, info.subscribed, *info.special_uses) for info in found],
                [
                    (INBOX, False),
                    (("Drafts",), True, "\\Drafts"),
                    (("Mail",), True),
                    (("Mail", "Sent"), True, "\\Sent"),
                    (("Trash",), True, "\\Trash"),
                ],
                f"{call}, call {number}",
            )
            self.assertEqual(self.listed(home), found)
            if call is None:
                self.assertEqual(told, b"done")
                self.assertGreater(number, 30)
                return
        self.fail("more system calls than thought")
