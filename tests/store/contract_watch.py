"""Whoever watches an account is told which of its mailboxes changed."""

from mailtwist.mailbox.metadata import ACCOUNT
from mailtwist.mailbox.model import INBOX

COMMENT = "/private/comment"
THERE = ("There",)


class WatchContract:
    async def watched(self):
        """What a watcher is told from now on, and what ends it."""
        told = []
        end = await self.tree.watch(told.append, lambda: told.append("lost"))
        self.addCleanup(end)
        return told, end

    async def told_of(self, told, path, work):
        """`work` is done, and the watcher told of `path`."""
        told.clear()
        result = await work
        await self.until(lambda: path in told, f"word of {path}")
        return result

    async def test_messages_of_any_mailbox_are_told(self):
        await self.tree.create(THERE)
        told, _ = await self.watched()
        uid = await self.told_of(told, THERE, self.put(THERE))
        await self.told_of(told, INBOX, self.put())
        mailbox = await self.open(THERE)
        await self.told_of(told, THERE, mailbox.store_flags([uid], self.flagged()))
        await self.told_of(told, INBOX, mailbox.copy([uid], INBOX))
        await self.told_of(told, THERE, mailbox.expunge([uid]))
        await self.told_of(told, INBOX, self.deliver(self.account))

    def flagged(self):
        from .contract import add

        return add("\\Flagged")

    async def test_names_and_subscriptions_are_told(self):
        told, _ = await self.watched()
        await self.told_of(told, None, self.tree.create(THERE))
        await self.told_of(told, None, self.tree.subscribe(THERE))
        await self.told_of(told, None, self.tree.unsubscribe(THERE))
        await self.told_of(told, None, self.tree.rename(THERE, ("Away",)))
        await self.told_of(told, ("Away",), self.put(("Away",)))
        await self.told_of(told, None, self.tree.delete(("Away",)))

    async def test_annotations_are_told(self):
        await self.tree.create(THERE)
        told, _ = await self.watched()
        for path in (THERE, ACCOUNT):
            for value in (b"new", None):
                work = self.tree.set_metadata(path, [(COMMENT, value)], 10)
                await self.told_of(told, ACCOUNT, work)

    async def test_a_watch_ends_and_others_go_on(self):
        told, end = await self.watched()
        other, _ = await self.watched()
        end()
        end()
        await self.told_of(other, INBOX, self.put())
        self.assertEqual(told, [])
