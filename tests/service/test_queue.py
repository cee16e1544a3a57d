import os

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase, TestCase

from mailtwist.address import Address
from mailtwist.config.model import Config, Server
from mailtwist.config.queueing import Queue
from mailtwist.delivery.model import Envelope, RemoteRecipient, Route, Target
from mailtwist.errors import ConfigError
from mailtwist.queue.ends import DiscardTransport
from mailtwist.service.queue import QueueService, build_spool, locked, new_id

ANN, BOB = Address("ann", "here.test"), Address("bob", "here.test")


class LockTests(SynchronousTestCase):
    def test_only_one_server_runs_a_queue(self):
        folder = self.mktemp()
        os.mkdir(folder)
        held = locked(folder)
        with self.assertRaises(ConfigError):
            locked(folder)
        os.close(held)
        os.close(locked(folder))

    def test_ids_never_come_again(self):
        ids = {new_id() for _ in range(1000)}
        self.assertEqual(len(ids), 1000)
        self.assertTrue(all(each.isalnum() and len(each) == 14 for each in ids))


class QueueServiceTests(TestCase):
    timeout = 20

    def service(self, data, **queue):
        config = Config(server=Server(data=data), queue=Queue(**queue))
        spool = build_spool(reactor, config)
        ways = {"discard": DiscardTransport()}
        return QueueService(reactor, config, "mail.here.test", spool, None, ways)

    async def stop(self, service):
        await service.stopService()
        await service.spool.close()

    async def test_mail_runs_through_it_and_it_starts_again_on_the_same_folder(self):
        data = os.path.abspath(self.mktemp())
        for number in range(2):
            service = self.service(data, drop=f"{data}/drop")
            service.startService()
            to = RemoteRecipient(BOB, (Target(BOB, Route("discard")),))
            sink = service.spool.begin(Envelope(f"m{number}", "s", ANN, (to,)))
            sink.write(b"hello")
            self.assertEqual(await sink.commit(), [None])
            while await service.spool.message(f"m{number}") is not None:
                pass
            self.assertTrue(os.path.isdir(f"{data}/drop"))
            await self.stop(service)

    async def test_a_second_server_does_not_start(self):
        data = os.path.abspath(self.mktemp())
        service, second = self.service(data), self.service(data)
        service.startService()
        with self.assertRaises(ConfigError):
            second.startService()
        await self.stop(service)
        await Deferred.fromCoroutine(self.stop(second))

    async def test_a_folder_that_cannot_be_had_is_told(self):
        blocked = os.path.abspath(self.mktemp())
        with open(blocked, "w") as file:
            file.write("a file")
        with self.assertRaises(ConfigError):
            self.service(blocked).startService()
