"""Annotations (RFC 5464) of the account and of its mailboxes."""

from mailtwist.errors import NoSuchMailbox, TooManyAnnotations, UnknownUse
from mailtwist.mailbox.metadata import ACCOUNT, SPECIAL_USE
from mailtwist.mailbox.model import INBOX

COMMENT, SHARED = "/private/comment", "/shared/comment"


class MetadataContract:
    async def annotated(self, path, *values, most=10):
        await self.tree.set_metadata(path, values, most)

    async def held(self, path, *names):
        found = await self.tree.metadata(path, list(names))
        return [(one.path, one.name, one.value) for one in found]

    async def test_annotations_are_kept_changed_and_removed(self):
        await self.annotated(INBOX, (COMMENT, b"one"), (SHARED, b"\0\xff"))
        await self.annotated(ACCOUNT, (COMMENT, b"mine"))
        wanted = [(INBOX, COMMENT, b"one"), (INBOX, SHARED, b"\0\xff")]
        self.assertEqual(await self.held(INBOX), wanted)
        self.assertEqual(await self.held(None), wanted, "of all mailboxes")
        self.assertEqual(await self.held(INBOX, SHARED, "/shared/x"), wanted[1:])
        self.assertEqual(await self.held(ACCOUNT), [((), COMMENT, b"mine")])
        await self.annotated(INBOX, (COMMENT, b""), (SHARED, None), ("/shared/x", None))
        self.assertEqual(await self.held(INBOX), [(INBOX, COMMENT, b"")])

    async def test_one_is_known_without_a_look_and_right_after_each_change_here(self):
        async def known():
            return dict(await self.tree.known_annotation(SHARED))

        self.assertEqual(await known(), {})
        await self.annotated(INBOX, (SHARED, b"1"), (COMMENT, b"x"))
        self.assertEqual(await known(), {INBOX: b"1"})
        await self.tree.create(("A",))
        await self.annotated(("A",), (SHARED, b"2"))
        await self.annotated(ACCOUNT, (SHARED, b""))
        self.assertEqual(await known(), {INBOX: b"1", ("A",): b"2", (): b""})
        await self.tree.rename(("A",), ("B",))
        self.assertEqual(await known(), {INBOX: b"1", ("B",): b"2", (): b""})
        await self.tree.delete(("B",))
        await self.annotated(INBOX, (SHARED, None))
        self.assertEqual(await known(), {(): b""})

    async def test_too_many_change_nothing(self):
        await self.annotated(INBOX, ("/shared/a", b"1"), ("/shared/b", b"2"), most=2)
        for path in (INBOX, ACCOUNT):
            await self.annotated(path, ("/shared/a", b"1"), ("/shared/b", b"2"), most=2)
            before = await self.held(path)
            values = ("/shared/a", b"new"), ("/shared/c", b"3")
            await self.faulty(
                TooManyAnnotations, self.tree.set_metadata(path, values, 2)
            )
            self.assertEqual(await self.held(path), before)
            await self.annotated(path, ("/shared/a", b"new"), most=1)
            await self.annotated(path, ("/shared/b", None), ("/shared/c", b"3"), most=2)
            self.assertEqual(len(await self.held(path)), 2)

    async def test_no_such_mailbox(self):
        await self.faulty(NoSuchMailbox, self.tree.metadata(("none",)))
        values = [(COMMENT, b"x")]
        await self.faulty(NoSuchMailbox, self.tree.set_metadata(("none",), values, 9))

    async def test_they_go_with_their_mailbox(self):
        await self.tree.create(("Old", "child"))
        await self.annotated(("Old",), (COMMENT, b"old"))
        await self.annotated(("Old", "child"), (COMMENT, b"child"))
        await self.tree.rename(("Old",), ("New",))
        self.assertEqual(await self.held(("New",)), [(("New",), COMMENT, b"old")])
        child = ("New", "child")
        self.assertEqual(await self.held(child), [(child, COMMENT, b"child")])
        await self.tree.delete(child)
        await self.tree.create(child)
        self.assertEqual(await self.held(child), [], "those of another mailbox")

    async def test_those_of_INBOX_are_on_both_after_a_rename(self):
        await self.annotated(INBOX, (COMMENT, b"x"))
        await self.tree.rename(INBOX, ("Then",))
        self.assertEqual(await self.held(INBOX), [(INBOX, COMMENT, b"x")])
        self.assertEqual(await self.held(("Then",)), [(("Then",), COMMENT, b"x")])

    async def test_special_uses_are_an_annotation(self):
        await self.tree.create(("Out",), frozenset({"\\Sent"}))
        path = ("Out",)
        self.assertEqual(await self.held(path), [(path, SPECIAL_USE, b"\\Sent")])
        await self.annotated(path, (SPECIAL_USE, b"\\trash \\Junk"), most=0)
        uses = (await self.info(path)).special_uses
        self.assertEqual(uses, {"\\Trash", "\\Junk"})
        wanted = [(path, SPECIAL_USE, b"\\Junk \\Trash")]
        self.assertEqual(await self.held(None, SPECIAL_USE), wanted)
        values = [(SPECIAL_USE, b"\\Nothing"), (COMMENT, b"x")]
        await self.faulty(UnknownUse, self.tree.set_metadata(path, values, 9))
        self.assertEqual(await self.held(path), wanted)
        await self.annotated(path, (SPECIAL_USE, None))
        self.assertEqual((await self.info(path)).special_uses, frozenset())
        self.assertEqual(await self.held(path), [])
