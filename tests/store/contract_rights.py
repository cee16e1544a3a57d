"""Lists of rights (RFC 4314): kept with each mailbox."""

from mailtwist.errors import NoSuchMailbox, NotPermitted
from mailtwist.mailbox import rights as rights_room
from mailtwist.mailbox.model import INBOX
from mailtwist.mailbox.rights import (
    ALL,
    MOST_IDENTIFIERS,
    Action,
    RightsChange,
    parsed,
)

WORK, BOB = ("Work",), "bob@example.test"


class RightsContract:
    async def give(self, path, identifier, letters, action=Action.REPLACE):
        wanted = RightsChange(action, parsed(letters))
        await self.tree.set_rights(path, identifier, wanted)

    async def list_of(self, path):
        return [
            (identifier, "".join(sorted(rights)))
            for identifier, rights in (await self.tree.rights(path)).items()
        ]

    async def test_all_rights_are_the_owners_until_a_list_is_given(self):
        everything = "".join(sorted(ALL))
        self.assertEqual(self.tree.owner, self.name)
        self.assertEqual(await self.list_of(INBOX), [(self.name, everything)])
        self.assertEqual(await self.tree.lists(), {})
        self.assertEqual(await self.tree.limited(), {})
        self.assertEqual(await self.tree.my_rights(INBOX), ALL)
        self.assertEqual(await self.tree.may(INBOX), ALL)

    async def test_rights_are_replaced_added_and_taken_away(self):
        await self.tree.create(WORK)
        await self.give(WORK, BOB, "lrs")
        await self.give(WORK, "anyone", "l")
        await self.give(WORK, BOB, "wi", Action.ADD)
        await self.give(WORK, BOB, "sl", Action.REMOVE)
        await self.give(WORK, "-$team", "w")
        wanted = [(self.name, "".join(sorted(ALL)))]
        wanted += [("-$team", "w"), ("anyone", "l"), (BOB, "irw")]
        first, *others = await self.list_of(WORK)
        self.assertEqual([first, *sorted(others)], wanted)
        self.assertEqual(list(await self.tree.lists()), [WORK])
        await self.give(WORK, BOB, "")
        await self.give(WORK, "anyone", "l", Action.REMOVE)
        self.assertEqual(len(await self.list_of(WORK)), 2)

    async def test_a_limited_owner_keeps_the_last_rights(self):
        await self.tree.create(WORK)
        self.assertEqual(await self.tree.may(WORK), ALL)
        await self.give(WORK, self.name, "r")
        for rights in (
            await self.tree.may(WORK),
            await self.tree.my_rights(WORK),
            (await self.tree.limited())[WORK],
        ):
            self.assertEqual(rights, frozenset("lra"))
        await self.give(WORK, self.name, "")
        self.assertEqual(await self.tree.may(WORK), frozenset("la"))

    async def test_a_list_goes_with_its_mailbox(self):
        await self.tree.create(("Work", "Deep"))
        await self.give(("Work", "Deep"), BOB, "lr")
        await self.tree.rename(WORK, ("Play",))
        self.assertIn((BOB, "lr"), await self.list_of(("Play", "Deep")))
        self.assertEqual(list(await self.tree.lists()), [("Play", "Deep")])
        await self.tree.delete(("Play", "Deep"))
        self.assertEqual(await self.tree.lists(), {})
        await self.tree.create(("Play", "Deep"))
        self.assertNotIn((BOB, "lr"), await self.list_of(("Play", "Deep")))

    async def test_a_new_mailbox_takes_the_list_of_its_parent(self):
        await self.tree.create(WORK)
        await self.give(WORK, BOB, "lr")
        await self.tree.create(("Work", "a", "b"))
        for path in (("Work", "a"), ("Work", "a", "b")):
            self.assertIn((BOB, "lr"), await self.list_of(path))
        await self.give(WORK, BOB, "")
        self.assertIn((BOB, "lr"), await self.list_of(("Work", "a")), "a copy of it")

    async def test_the_list_of_INBOX_is_on_both_after_a_rename(self):
        await self.give(INBOX, BOB, "lr")
        await self.tree.rename(INBOX, ("Then",))
        for path in (INBOX, ("Then",)):
            self.assertIn((BOB, "lr"), await self.list_of(path))
        self.assertEqual(set(await self.tree.limited()), {INBOX, ("Then",)})

    async def test_no_list_without_a_mailbox(self):
        await self.faulty(NoSuchMailbox, self.tree.rights(WORK))
        await self.faulty(NoSuchMailbox, self.tree.my_rights(WORK))
        await self.faulty(NoSuchMailbox, self.give(WORK, BOB, "lr"))
        self.assertEqual(await self.tree.may(WORK), ALL)

    async def test_a_mailbox_that_nobody_owns_begins_with_a_list_given(self):
        default = {"anyone": frozenset("lr"), BOB: ALL}
        wanted = RightsChange(Action.ADD, frozenset("s"))
        await self.tree.set_rights(INBOX, "anyone", wanted, default)
        given = await self.tree.lists()
        self.assertEqual(given, {INBOX: {"anyone": frozenset("lrs"), BOB: ALL}})

    async def test_a_list_that_is_full_stays_as_it_is(self):
        self.patch(rights_room, "MOST_IDENTIFIERS", 2)
        await self.give(INBOX, BOB, "lr")
        await self.faulty(NotPermitted, self.give(INBOX, "carol", "lr"))
        self.assertEqual(len(await self.list_of(INBOX)), 2)
        self.assertGreater(MOST_IDENTIFIERS, 100)
