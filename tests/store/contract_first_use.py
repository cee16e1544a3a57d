"""What a new account has: mailboxes with special uses, made once."""

from mailtwist.mailbox.model import INBOX

ASKED = ("drafts: Drafts", "sent: Mail/Sent", "junk: Junk", "trash: Junk")


class FirstUseContract:
    """For a store whose `special_uses` are ASKED."""

    async def uses(self):
        """Uses by mailbox, and "subscribed" with them."""
        return {
            info.path: {*info.special_uses, *["subscribed"][: info.subscribed]}
            for info in await self.tree.listed()
            if info.exists
        }

    async def test_a_new_account_has_them_subscribed(self):
        self.assertEqual(
            await self.uses(),
            {
                INBOX: set(),
                ("Drafts",): {"\\Drafts", "subscribed"},
                ("Junk",): {"\\Junk", "\\Trash", "subscribed"},
                ("Mail",): {"subscribed"},
                ("Mail", "Sent"): {"\\Sent", "subscribed"},
            },
        )

    async def test_they_take_messages_before_anybody_listed_them(self):
        await self.put(("Mail", "Sent"))
        self.assertEqual((await self.tree.status(("Mail", "Sent"))).messages, 1)

    async def test_mail_that_came_first_takes_nothing_from_a_new_account(self):
        self.assertEqual(await self.deliver(self.account), [None])
        self.assertIn(("Drafts",), await self.uses())
        self.assertEqual((await self.tree.status(INBOX)).messages, 1)

    async def test_what_the_user_deletes_stays_deleted(self):
        await self.tree.delete(("Junk",))
        await self.tree.unsubscribe(("Junk",))
        await self.tree.rename(("Drafts",), ("Letters",))
        await self.tree.unsubscribe(("Mail",))
        self.tree = self.mailboxes(self.account)
        self.assertEqual(
            await self.uses(),
            {
                INBOX: set(),
                ("Letters",): {"\\Drafts"},
                ("Mail",): set(),
                ("Mail", "Sent"): {"\\Sent", "subscribed"},
            },
        )

    async def test_every_account_gets_its_own(self):
        await self.put(("Drafts",))
        self.tree = self.mailboxes(self.account_of("bob@example.test"))
        self.assertIn(("Drafts",), await self.uses())
        self.assertEqual((await self.tree.status(("Drafts",))).messages, 0)
