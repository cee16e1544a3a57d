"""Keys that authorize URLs (RFC 4467 §2.2)."""

from mailtwist.errors import NoSuchMailbox
from mailtwist.mailbox.model import INBOX

THERE, MOVED = ("There",), ("Moved",)


class KeyContract:
    async def test_a_key_is_made_once_and_kept(self):
        self.assertIsNone(await self.tree.access_key(INBOX))
        key = await self.tree.access_key(INBOX, make=True)
        self.assertEqual(len(key), 32)
        self.assertEqual(await self.tree.access_key(INBOX, make=True), key)
        self.assertEqual(await self.tree.access_key(INBOX), key)

    async def test_each_mailbox_has_its_own(self):
        await self.tree.create(THERE)
        key = await self.tree.access_key(INBOX, make=True)
        self.assertIsNone(await self.tree.access_key(THERE))
        self.assertNotEqual(await self.tree.access_key(THERE, make=True), key)

    async def test_a_new_one_takes_the_place_of_the_old(self):
        key = await self.tree.access_key(INBOX, make=True)
        await self.tree.reset_access_keys(INBOX)
        other = await self.tree.access_key(INBOX)
        self.assertEqual(len(other), 32)
        self.assertNotEqual(other, key)

    async def test_all_are_forgotten(self):
        await self.tree.create(THERE)
        for path in (INBOX, THERE):
            await self.tree.access_key(path, make=True)
        await self.tree.reset_access_keys()
        for path in (INBOX, THERE):
            self.assertIsNone(await self.tree.access_key(path))

    async def test_a_key_goes_with_its_mailbox(self):
        await self.tree.create(THERE)
        key = await self.tree.access_key(THERE, make=True)
        await self.tree.rename(THERE, MOVED)
        self.assertEqual(await self.tree.access_key(MOVED), key)
        await self.tree.delete(MOVED)
        await self.tree.create(MOVED)
        self.assertIsNone(await self.tree.access_key(MOVED))

    async def test_what_is_no_mailbox_has_none(self):
        await self.faulty(NoSuchMailbox, self.tree.access_key(THERE, make=True))
        await self.faulty(NoSuchMailbox, self.tree.reset_access_keys(THERE))
