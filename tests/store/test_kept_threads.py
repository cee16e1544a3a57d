"""Tests for answers of THREAD that a Maildir's cache keeps."""

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from mailtwist.config.model import Config
from mailtwist.config.searching import Search
from mailtwist.imap4.cmd import sort
from mailtwist.mailbox.turns import Turns
from mailtwist.sort_key import ThreadAlgorithm
from mailtwist.store.maildir.store import MaildirStore

from .contract import StoreWords
from .on_disk import OnDisk

REFERENCES, BY_SUBJECT = ThreadAlgorithm.REFERENCES, ThreadAlgorithm.ORDEREDSUBJECT


async def no_pause():
    return None


def mail(number, *references, subject="ho"):
    answers = " ".join(f"<{one}@x>" for one in references)
    date = f"Date: Tue, 24 Nov 2026 10:{number:02}:00 +0000\r\n"
    head = f"Message-ID: <{number}@x>\r\nReferences: {answers}\r\nSubject: {subject}"
    return f"{date}{head}\r\n\r\n".encode()


class KeptThreadsTests(OnDisk, StoreWords, TestCase):
    def another_store(self, poll_s=1.0):
        config = Config(search=Search(index="off"))
        store = MaildirStore(reactor=reactor, config=config, hostname="mx.test")
        self.addCleanup(lambda: Deferred.fromCoroutine(store.close()))
        return store

    async def told(self, algorithm=REFERENCES):
        """The answer, and how often messages were looked at for it."""
        looked = 0

        async def threaded(*arguments, **named):
            nonlocal looked
            looked += 1
            return await real(*arguments, **named)

        real = sort.threaded
        self.patch(sort, "threaded", threaded)
        self.patch(sort, "MANY", 2)
        mailbox = await self.open()
        uids = (await mailbox.rows()).uids
        turns = Turns(no_pause)
        told = await sort._threads(mailbox, algorithm, uids, turns)
        self.patch(sort, "threaded", real)
        return told, looked

    async def test_the_same_messages_are_threaded_once(self):
        for octets in (mail(1), mail(2, 1), mail(3, subject="other")):
            await self.put(octets=octets)
        self.assertEqual(await self.told(), (b"(1 2)(3)", 1))
        self.assertEqual(await self.told(), (b"(1 2)(3)", 0))
        self.assertEqual(await self.told(BY_SUBJECT), (b"(1 2)(3)", 1))
        self.assertEqual(await self.told(), (b"(1 2)(3)", 0), "each kind by itself")

    async def test_others_are_threaded_anew(self):
        await self.put(octets=mail(1))
        await self.put(octets=mail(2, 1))
        await self.told()
        await self.put(octets=mail(3, 1, 2))
        self.assertEqual(await self.told(), (b"(1 2 3)", 1))
        await (await self.open()).expunge([2])
        self.assertEqual(await self.told(), (b"(1 3)", 1))

    async def test_a_restart_loses_nothing(self):
        await self.put(octets=mail(1))
        await self.put(octets=mail(2, 1))
        await self.told()
        await self.restart()
        self.assertEqual(await self.told(), (b"(1 2)", 0))

    async def test_without_a_cache_it_is_made_anew(self):
        await self.put(octets=mail(1))
        await self.put(octets=mail(2, 1))
        await self.told()
        await self.restart(lambda: self.damage("cache.sqlite", "deleted"))
        self.assertEqual(await self.told(), (b"(1 2)", 1))

    async def test_few_messages_are_not_worth_it(self):
        await self.put(octets=mail(1))
        self.assertEqual((await self.told())[1], 1)
        self.assertEqual((await self.told())[1], 1)

    async def test_numbers_stand_where_uids_stood(self):
        class View:
            uids = (2, 10, 11, 20)

        told = await sort._numbered(b"(10 (2)(20 11))(11)", View, Turns(no_pause))
        self.assertEqual(told, b"(2 (1)(4 3))(3)")
