"""The index of what is shared."""

import os
import stat

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from mailtwist.address import Address
from mailtwist.errors import LookupFailed, MailError
from mailtwist.interfaces import ISendAs
from mailtwist.mailbox.sharing import IShares
from mailtwist.store.shares import Shares, SharesFile

ANN, BOB = "ann@example.test", "bob@example.test"


class SharesTests(TestCase):
    def setUp(self):
        self.path = os.path.abspath(os.path.join(self.mktemp(), "shares.sqlite"))
        self.shares = self.opened()

    def opened(self):
        shares = Shares(reactor, self.path)
        self.addCleanup(lambda: Deferred.fromCoroutine(shares.close()))
        return shares

    async def owners(self, *identifiers):
        return await self.shares.owners(frozenset(identifiers))

    async def test_interface(self):
        verifyObject(IShares, self.shares)

    async def test_owners_are_found_by_what_they_gave_to(self):
        self.assertEqual(await self.owners(BOB, "anyone"), [])
        await self.shares.note("carol@example.test", BOB)
        await self.shares.note(ANN, BOB)
        await self.shares.note(ANN, "$team")
        self.assertEqual(await self.owners(BOB), [ANN, "carol@example.test"])
        self.assertEqual(await self.owners("$team", "anyone"), [ANN])

    async def test_what_was_noted_meanwhile_is_not_forgotten(self):
        first = await self.shares.note(ANN, BOB)
        second = await self.shares.note(ANN, BOB)
        await self.shares.forget(ANN, BOB, first)
        self.assertEqual(await self.owners(BOB), [ANN])
        await self.shares.forget(ANN, BOB, second)
        self.assertEqual(await self.owners(BOB), [])

    async def test_it_is_kept_for_its_owner_only(self):
        await self.shares.note(ANN, BOB)
        self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o600)
        await self.shares.close()
        self.shares = self.opened()
        self.assertEqual(await self.owners(BOB), [ANN])

    async def test_who_may_send_from_an_address(self):
        def let(may):
            return self.shares.run(
                lambda file: file.let_send("$team", "ops@example.test", may=may)
            )

        for _ in range(2):
            await let(True)
        verifyObject(ISendAs, self.shares)
        for text, who in (("OPS@example.test", ["$team"]), ("o@example.test", [])):
            found = await self.shares.senders(Address.parse(text), None)
            self.assertEqual(found, who, text)
        self.assertEqual(
            await self.shares.run(SharesFile.senders, "ops@example.test"), ["$team"]
        )
        await let(False)
        self.assertEqual(
            await self.shares.run(SharesFile.senders, "ops@example.test"), []
        )

    async def test_which_addresses_keep_what_is_sent(self):
        ops = "ops@example.test"
        self.assertFalse(await self.shares.keeps_sent(ops))
        await self.shares.run(SharesFile.keep_sent, ops)
        await self.shares.run(SharesFile.keep_sent, ops)
        self.assertTrue(await self.shares.keeps_sent(ops))
        await self.shares.run(lambda file: file.recover("a test says so"))
        self.assertTrue(await self.shares.keeps_sent(ops))
        await self.shares.run(lambda file: file.keep_sent(ops, keep=False))
        self.assertFalse(await self.shares.keeps_sent(ops))

    def damage(self, at=0, octets=b"no database" * 100):
        with open(self.path, "r+b" if os.path.exists(self.path) else "wb") as file:
            file.seek(at)
            file.write(octets)

    async def test_a_damaged_file_is_set_aside_and_the_accounts_are_to_be_asked(self):
        told = []
        self.shares.on_damage = lambda: told.append("damaged")
        await self.shares.note(ANN, BOB)
        self.assertFalse(told)
        await self.shares.close()
        self.damage()
        self.shares = self.opened()
        self.shares.on_damage = lambda: told.append("damaged")
        self.assertEqual(await self.owners(BOB), [])
        self.assertEqual(told, ["damaged"])
        await self.shares.note(ANN, BOB)
        self.assertEqual(await self.owners(BOB), [ANN])
        self.assertIn("shares.sqlite.damaged", os.listdir(os.path.dirname(self.path)))
        self.assertTrue(SharesFile(self.path).incomplete, "also after a restart")
        await self.shares.run(SharesFile.complete)
        self.assertFalse(SharesFile(self.path).incomplete)

    async def test_what_can_be_read_of_a_damaged_file_is_kept(self):
        addresses = [f"a{number:04}@example.test" for number in range(500)]

        def let_all(file):
            for address in addresses:
                file.let_send(BOB, address)

        await self.shares.run(let_all)
        await self.shares.note(ANN, BOB)
        await self.shares.close()
        self.damage(at=os.path.getsize(self.path) // 2, octets=b"x" * 4096)
        self.shares = self.opened()

        def kept(file):
            return [one for one in addresses if file.senders(one) == [BOB]]

        found = await self.shares.run(kept)
        self.assertLess(len(found), len(addresses))
        self.assertTrue(found)
        self.assertEqual(await self.owners(BOB), [ANN])

    async def test_another_process_goes_on_with_the_new_file(self):
        await self.shares.note(ANN, BOB)
        other = self.opened()
        self.assertEqual(await other.owners(frozenset({BOB})), [ANN])
        await self.shares.run(lambda file: file.recover("a test says so"))
        await other.note(ANN, "$team")
        self.assertEqual(await self.owners("$team"), [ANN])
        self.assertEqual(await self.owners(BOB), [ANN])

    async def test_a_file_that_cannot_be_used_is_a_fault_for_now(self):
        os.makedirs(self.path)
        await self.assertFailure(Deferred.fromCoroutine(self.owners(BOB)), MailError)
        self.assertEqual(len(self.flushLoggedErrors()), 1)
        await self.shares.close()
        await self.assertFailure(Deferred.fromCoroutine(self.owners(BOB)), LookupFailed)
