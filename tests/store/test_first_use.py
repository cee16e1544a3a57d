"""The mailboxes that new accounts get, in every store; and what is there already."""

import os

from attrs import evolve
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import SynchronousTestCase, TestCase

from mailtwist.config.model import Config
from mailtwist.config.reading import Imap4
from mailtwist.mailbox.model import INBOX
from mailtwist.mailbox.special_uses import wanted
from mailtwist.store.agent.start import agent_pattern, settings_of
from mailtwist.store.maildir.store import MaildirStore
from mailtwist.store.memory import MemoryStore

from .contract import StoreWords
from .contract_first_use import ASKED, FirstUseContract
from .on_disk import OnDisk
from .test_agent_contract import OverSocket

USES = Config(imap4=Imap4(special_uses=ASKED))


class MemoryFirstUseTests(FirstUseContract, StoreWords, TestCase):
    def make_store(self):
        return MemoryStore(special_uses=wanted(ASKED))


class WithUses(OnDisk):
    config = USES

    def another_store(self):
        store = MaildirStore(reactor=reactor, config=self.config, hostname="mx.test")
        self.addCleanup(lambda: Deferred.fromCoroutine(store.close()))
        return store


class AgentFirstUseTests(OverSocket, WithUses, FirstUseContract, StoreWords, TestCase):
    """A store behind an agent's socket."""

    def test_the_agent_is_told_which(self):
        *_, settings = agent_pattern(USES, "mx.test")
        self.assertEqual(settings_of(settings)[3].imap4.special_uses, ASKED)


class MaildirFirstUseTests(WithUses, FirstUseContract, StoreWords, TestCase):
    def listed_folders(self):
        return sorted(n for n in os.listdir(self.maildir()) if n.startswith("."))

    async def test_nothing_is_made_for_an_account_that_only_gets_mail(self):
        await self.deliver(self.account)
        self.assertEqual(self.listed_folders(), [])

    async def test_nothing_is_made_by_asking_for_the_usage(self):
        await self.tree.usage()
        await self.store.close()
        self.assertFalse(os.path.exists(self.maildir()))

    async def test_what_was_deleted_stays_deleted_after_a_restart(self):
        await self.tree.delete(("Junk",))
        await self.restart()
        self.assertNotIn(("Junk",), await self.uses())

    async def test_what_was_deleted_stays_deleted_when_the_state_is_lost(self):
        await self.put()
        await self.tree.delete(("Junk",))
        await self.restart(lambda: self.damage("state.sqlite", "deleted"))
        uses = await self.uses()
        self.assertNotIn(("Junk",), uses)
        self.assertEqual(uses["Drafts",], {"\\Drafts", "subscribed"})

    async def test_an_account_that_has_a_state_is_not_new(self):
        self.config = evolve(USES, imap4=Imap4(special_uses=()))
        self.store = self.another_store()
        self.tree = self.mailboxes(self.account)
        self.assertEqual(await self.uses(), {INBOX: set()})
        self.config = USES
        await self.restart()
        self.assertEqual(await self.uses(), {INBOX: set()})

    async def test_mailboxes_that_another_server_kept_get_the_use(self):
        for folder in ("", ".Sent Items", ".Trash", ".Work"):
            self.make_maildir(folder)
        self.write(b"Trash\nWork\n", "subscriptions")
        self.assertEqual(
            await self.uses(),
            {
                INBOX: set(),
                ("Drafts",): {"\\Drafts", "subscribed"},
                ("Junk",): {"\\Junk", "subscribed"},
                ("Sent Items",): {"\\Sent"},
                ("Trash",): {"\\Trash", "subscribed"},
                ("Work",): {"subscribed"},
            },
        )

    async def test_two_processes_that_use_it_first_make_them_once(self):
        stores = [self.store, self.another_store()]
        trees = [store.mailboxes(self.account) for store in stores]
        listed = await gatherResults(
            [Deferred.fromCoroutine(t.listed()) for t in trees]
        )
        self.assertEqual(listed[0], listed[1])
        self.assertEqual(len(listed[0]), 5)
        self.assertEqual(
            self.listed_folders(), [".Drafts", ".Junk", ".Mail", ".Mail.Sent"]
        )

    async def test_no_uses_asked_for_is_INBOX_alone(self):
        self.config = Config(imap4=Imap4(special_uses=()))
        self.store = self.another_store()
        self.tree = self.mailboxes(self.account)
        self.assertEqual(await self.uses(), {INBOX: set()})


class StandardTests(SynchronousTestCase):
    def test_the_standard_configuration_has_five(self):
        self.assertEqual(len(wanted(Config().imap4.special_uses)), 5)
