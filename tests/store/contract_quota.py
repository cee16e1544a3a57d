"""Limits of mailboxes and all that is below them (RFC 9208)."""

import os

from attrs import evolve

from mailtwist.address import Address
from mailtwist.delivery.model import LocalRecipient
from mailtwist.directory.model import DomainLimit
from mailtwist.errors import NotPermitted, OverQuota
from mailtwist.mailbox.model import INBOX, Limits


class QuotaContract:
    async def test_a_limit_covers_the_mailbox_and_its_inferiors(self):
        await self.tree.set_limits(("A",), Limits(octets=1000))
        await self.tree.create(("A", "B"))
        await self.put(("A",), b"x" * 400)
        await self.put(("A", "B"), b"x" * 400)
        await self.faulty(OverQuota, self.put(("A", "B"), b"x" * 300))
        await self.faulty(OverQuota, self.put(("A",), b"x" * 300))
        await self.put(INBOX, b"x" * 3000)
        (quota,) = await self.tree.quotas(("A", "B"))
        self.assertEqual((quota.root, quota.octets, quota.messages), (("A",), 800, 2))
        self.assertEqual(await self.tree.quotas(INBOX), [])

    async def test_every_root_above_counts_and_the_nearest_comes_first(self):
        self.limited(5000)
        await self.tree.create(("A", "B"))
        await self.tree.set_limits(("A",), Limits(octets=1000))
        await self.tree.set_limits(("A", "B"), Limits(messages=1))
        await self.put(("A", "B"), b"x" * 400)
        found = await self.tree.quotas(("A", "B"))
        self.assertEqual([quota.root for quota in found], [("A", "B"), ("A",), ()])
        self.assertEqual(
            {(quota.octets, quota.messages) for quota in found}, {(400, 1)}
        )
        await self.faulty(OverQuota, self.put(("A", "B"), b"x"))
        await self.put(("A",), b"x")

    async def test_copy_and_move_into_a_full_mailbox(self):
        await self.tree.create(("A",))
        await self.tree.set_limits(("A",), Limits(octets=1000))
        for _ in range(3):
            await self.put(INBOX, b"x" * 400)
        mailbox = await self.open()
        await self.faulty(OverQuota, mailbox.copy([1, 2, 3], ("A",)))
        await self.faulty(OverQuota, mailbox.move([1, 2, 3], ("A",)))
        await mailbox.move([1, 2], ("A",))
        inside = await self.open(("A",))
        await inside.move([1], ("A",))
        self.assertEqual((await self.tree.quotas(("A",)))[0].octets, 800)

    async def test_INBOX_renamed_into_a_full_mailbox_leaves_nothing_there(self):
        await self.tree.create(("A",))
        await self.tree.set_limits(("A",), Limits(octets=1000))
        for _ in range(3):
            await self.put(INBOX, b"x" * 400)
        names = await self.names()
        await self.faulty(OverQuota, self.tree.rename(INBOX, ("A", "B", "C")))
        self.assertEqual(await self.names(), names)
        self.assertEqual((await self.tree.status(INBOX)).messages, 3)

    async def test_a_full_account_may_still_move(self):
        self.limited(900)
        await self.tree.create(("A",))
        await self.put(INBOX, b"x" * 800)
        mailbox = await self.open()
        await mailbox.move([1], ("A",))
        self.assertEqual((await self.tree.usage()).octets, 800)

    async def test_delivery_into_a_full_mailbox(self):
        await self.tree.create(("A",))
        await self.tree.set_limits(("A",), Limits(messages=1))
        to = LocalRecipient(
            Address.parse("ann+a@example.test"), self.account, "", ("A",)
        )
        self.assertEqual(await self.deliver(to), [None])
        self.assertIsInstance((await self.deliver(to))[0], OverQuota)
        self.assertEqual(await self.deliver(self.account), [None])

    async def test_limits_go_with_a_renamed_mailbox(self):
        await self.tree.create(("A", "B"))
        await self.tree.set_limits(("A", "B"), Limits(octets=1000))
        await self.put(("A", "B"), b"x" * 800)
        await self.tree.rename(("A",), ("D",))
        (quota,) = await self.tree.quotas(("D", "B"))
        self.assertEqual((quota.root, quota.octets), (("D", "B"), 800))
        self.assertEqual(await self.tree.quotas(("A", "B")), [])

    async def test_a_mailbox_that_is_too_large_is_not_moved_below_a_limit(self):
        await self.tree.create(("A",))
        await self.tree.set_limits(("A",), Limits(octets=1000))
        await self.tree.create(("D",))
        await self.put(("D",), b"x" * 1800)
        await self.faulty(OverQuota, self.tree.rename(("D",), ("A", "D")))
        self.assertIn(("D",), await self.names())
        self.assertEqual((await self.tree.quotas(("A",)))[0].octets, 0)

    async def test_a_mailbox_that_is_renamed_out_of_a_limit_leaves_its_room(self):
        await self.tree.create(("A", "B"))
        await self.tree.set_limits(("A",), Limits(octets=1000, messages=2))
        await self.put(("A",), b"x" * 300)
        await self.put(("A", "B"), b"x" * 600)
        await self.faulty(OverQuota, self.put(("A",), b"x"))
        await self.tree.rename(("A", "B"), ("A", "C"))  # it only moves
        await self.tree.rename(("A", "C"), ("C",))
        (quota,) = await self.tree.quotas(("A",))
        self.assertEqual((quota.octets, quota.messages), (300, 1))
        await self.put(("A",), b"x" * 700)
        await self.faulty(OverQuota, self.tree.rename(("C",), ("A", "C")))
        self.assertEqual((await self.tree.status(("C",))).messages, 1)
        (quota,) = await self.tree.quotas(("A",))
        self.assertEqual((quota.octets, quota.messages), (1000, 2))

    async def test_what_is_below_a_renamed_mailbox_counts_with_it(self):
        for path in (("A",), ("D", "E", "F")):
            await self.tree.create(path)
        await self.tree.set_limits(("A",), Limits(messages=2))
        for path in (("D",), ("D", "E"), ("D", "E", "F")):
            await self.put(path, b"x" * 100)
        names = await self.names()
        for target in (("A", "D"), ("A", "new", "one", "D")):
            await self.faulty(OverQuota, self.tree.rename(("D",), target))
            self.assertEqual(await self.names(), names)
        await self.tree.rename(("D", "E"), ("A", "E"))
        (quota,) = await self.tree.quotas(("A", "E", "F"))
        self.assertEqual((quota.octets, quota.messages), (200, 2))

    async def test_a_limit_that_waits_for_a_name_refuses_what_is_renamed_to_it(self):
        await self.tree.create(("D",))
        await self.tree.set_limits(("A",), Limits(messages=0))
        await self.put(("D",), b"x")
        await self.faulty(OverQuota, self.tree.rename(("D",), ("A",)))
        self.assertEqual((await self.tree.status(("D",))).messages, 1)

    async def test_RENAME_makes_no_more_mailboxes_than_there_may_be(self):
        await self.tree.create(("A",))
        await self.tree.create(("D", "E"))
        await self.tree.set_limits(("A",), Limits(mailboxes=2))
        names = await self.names()
        await self.faulty(OverQuota, self.tree.rename(("D",), ("A", "D")))
        await self.faulty(OverQuota, self.tree.rename(("D", "E"), ("A", "x", "E")))
        self.assertEqual(await self.names(), names)
        await self.tree.rename(("D", "E"), ("A", "E"))
        await self.tree.rename(("A", "E"), ("A", "F"))
        (quota,) = await self.tree.quotas(("A",))
        self.assertEqual(quota.mailboxes, 2)

    async def test_limits_of_mailboxes_come_with_the_account_too(self):
        account = evolve(self.account, mailbox_limits=((("A",), 500, None),))
        self.tree = self.mailboxes(account)
        await self.tree.create(("A",))
        await self.faulty(OverQuota, self.put(("A",), b"x" * 600))
        await self.tree.set_limits(("A",), Limits(octets=700))  # counts instead
        await self.put(("A",), b"x" * 600)

    async def test_too_many_mailboxes(self):
        self.tree = self.mailboxes(evolve(self.account, mailboxes_limit=3))
        await self.tree.create(("A", "B"))
        await self.faulty(OverQuota, self.tree.create(("C",)))
        (quota,) = await self.tree.quotas(INBOX)
        self.assertEqual((quota.mailboxes, quota.limits.mailboxes), (3, 3))

    async def test_what_fits_is_told(self):
        self.limited(1000, 3)
        await self.tree.create(("A",))
        await self.tree.set_limits(("A",), Limits(octets=500))
        await self.put(INBOX, b"x" * 400)
        for path, octets, messages, fits, why in (
            (INBOX, 600, 1, True, "just so much"),
            (INBOX, 601, 1, False, "an octet more"),
            (INBOX, 1, 2, True, "as many as may be"),
            (INBOX, 1, 3, False, "one message more"),
            (("A",), 500, 1, True, "all that its own limit allows"),
            (("A",), 501, 1, False, "more than that"),
            (("A", "none"), 501, 1, False, "below it, there or not"),
        ):
            self.assertIs(await self.tree.fits(path, octets, messages), fits, why)

    async def test_who_has_no_limits_at_all_needs_not_be_asked(self):
        await self.tree.create(("A",))
        self.assertIs(await self.tree.fits((), 10**9), True)
        self.assertIs(self.store.may_be_full(self.account), False)
        limited = evolve(self.account, message_limit=5)
        self.assertIs(self.store.may_be_full(limited), True)

    async def test_limits_of_mailboxes_alone_are_known_too(self):
        await self.tree.create(("A",))
        await self.tree.set_limits(("A",), Limits(octets=500))
        self.assertIs(self.store.may_be_full(self.account), True)
        self.assertIs(await self.tree.fits(("A",), 501), False)
        self.assertIs(await self.tree.fits(("A",), 500), True)
        self.assertIs(await self.tree.fits((), 501), True, "somewhere else")

    async def test_limits_of_the_account_are_kept_elsewhere(self):
        await self.faulty(NotPermitted, self.tree.set_limits((), Limits(octets=1)))

    async def test_accounts_of_a_domain_share_its_limit(self):
        file = os.path.abspath(self.mktemp())
        domain = DomainLimit("example.test", file, messages=2)
        self.account = evolve(self.account, domain=domain)
        bob = evolve(self.account_of("bob@example.test"), domain=domain)
        self.tree, his = self.mailboxes(self.account), self.mailboxes(bob)
        self.assertIs(await self.tree.fits(INBOX, 1), True)
        await self.put(INBOX, b"x" * 400)
        self.assertEqual(await self.deliver(bob), [None])
        for tree in (self.tree, his):
            (quota,) = await tree.quotas(INBOX)
            self.assertEqual((quota.domain, quota.messages), ("example.test", 2))
            self.assertIs(await tree.fits(INBOX, 1), False)
        await self.faulty(OverQuota, self.put(INBOX, b"x"))
        self.assertIsInstance((await self.deliver(bob))[0], OverQuota)
        mailbox = await self.open()
        await self.faulty(OverQuota, mailbox.copy([1], INBOX))
        await mailbox.expunge([1])
        self.assertEqual(await self.deliver(bob), [None])
        self.assertEqual((await his.quotas())[-1].messages, 2)

    async def test_a_recount_changes_nothing_that_was_right(self):
        self.limited(5000)
        await self.put(INBOX, b"x" * 400)
        await self.deliver(self.account)
        before = await self.tree.usage()
        self.assertEqual(await self.tree.recount(), before)
