"""The owner's Sieve scripts, and deliveries with flags."""

from mailtwist.address import Address
from mailtwist.delivery.model import LocalRecipient
from mailtwist.errors import (
    NoSuchScript,
    ScriptActive,
    ScriptExists,
    TooManyScripts,
)
from mailtwist.mailbox.model import INBOX, Range, ScriptInfo


class ScriptContract:
    async def test_scripts_have_names(self):
        self.assertEqual(await self.tree.scripts(), [])
        await self.tree.put_script("b", b"stop;", 5)
        await self.tree.put_script("a \u00e9", b"keep;", 5)
        await self.tree.put_script("b", b"discard;", 5)
        self.assertEqual(
            await self.tree.scripts(),
            [ScriptInfo("a \u00e9", 5, False), ScriptInfo("b", 8, False)],
        )
        self.assertEqual(await self.tree.script("b"), b"discard;")
        with self.assertRaises(NoSuchScript):
            await self.tree.script("B")

    async def test_there_are_no_more_than_may_be(self):
        await self.tree.put_script("a", b"keep;", 1)
        await self.tree.put_script("a", b"stop;", 1)
        with self.assertRaises(TooManyScripts):
            await self.tree.put_script("b", b"keep;", 1)

    async def test_the_active_one_is_what_delivery_sees(self):
        self.assertIsNone(await self.store.active_script(self.account))
        await self.tree.put_script("a", b"keep;", 5)
        self.assertIsNone(await self.store.active_script(self.account))
        await self.tree.activate_script("a")
        self.assertEqual(await self.store.active_script(self.account), b"keep;")
        stamp = self.store.script_stamp(self.account)
        self.assertIsNotNone(stamp)
        await self.tree.put_script("a", b"discard;", 5)
        self.assertEqual(await self.store.active_script(self.account), b"discard;")
        self.assertNotEqual(self.store.script_stamp(self.account), stamp)
        self.assertEqual(await self.tree.scripts(), [ScriptInfo("a", 8, True)])
        await self.tree.put_script("b", b"stop;", 5)
        await self.tree.activate_script("b")
        self.assertEqual(await self.store.active_script(self.account), b"stop;")
        await self.tree.activate_script(None)
        self.assertIsNone(await self.store.active_script(self.account))
        self.assertIsNone(self.store.script_stamp(self.account))
        self.assertEqual(len(await self.tree.scripts()), 2)

    async def test_what_cannot_be_done_says_why(self):
        await self.tree.put_script("a", b"keep;", 5)
        await self.tree.put_script("b", b"keep;", 5)
        await self.tree.activate_script("a")
        for work, fault in [
            (self.tree.remove_script("a"), ScriptActive),
            (self.tree.remove_script("c"), NoSuchScript),
            (self.tree.rename_script("a", "b"), ScriptExists),
            (self.tree.rename_script("c", "d"), NoSuchScript),
            (self.tree.activate_script("c"), NoSuchScript),
        ]:
            with self.assertRaises(fault):
                await work
        await self.tree.remove_script("b")
        await self.tree.rename_script("a", "d")
        self.assertEqual(await self.tree.scripts(), [ScriptInfo("d", 5, True)])
        self.assertEqual(await self.store.active_script(self.account), b"keep;")

    async def test_deliveries_have_the_flags_that_scripts_gave(self):
        address = Address.parse(self.account.name)
        for flags in (
            frozenset(),
            frozenset({"\\Seen", "\\Flagged"}),
            frozenset({"\\Seen", "Work"}),
        ):
            to = LocalRecipient(address, self.account, flags=flags, sorted=True)
            self.assertEqual(await self.deliver(to), [None])
            mailbox = await self.open()
            rows = await mailbox.rows()
            self.assertEqual(rows.flags[-1], flags)
            (octets,) = await mailbox.octets([Range(rows.uids[-1])])
            self.assertEqual(octets.count(b"Delivered-To: "), 1)
            await mailbox.close()
        self.assertEqual((await self.tree.status(INBOX)).messages, 3)
