import os

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase, TestCase

from mailtwist.store.maildir import durable
from mailtwist.store.maildir.spool import FLUSH_OCTETS, MOST_BEHIND, Spooler

MEMORY_OCTETS = 100_000


class SpoolTests(TestCase):
    def setUp(self):
        self.folder = os.path.abspath(self.mktemp())
        os.makedirs(f"{self.folder}/tmp")
        self.path = f"{self.folder}/tmp/draft"
        self.spooler = Spooler(reactor, MEMORY_OCTETS)
        self.spool = self.spooler.spool(self.path, b"head\n")

    async def tearDown(self):
        await self.spooler.close()

    async def write(self, *pieces):
        for piece in pieces:
            waited = self.spool.write(piece)
            if waited is not None:
                await waited

    def on_disk(self):
        with open(self.path, "rb") as file:
            return file.read()

    def left(self):
        return os.listdir(f"{self.folder}/tmp")

    async def test_a_small_message_touches_no_disk(self):
        await self.write(b"a" * MEMORY_OCTETS)
        await self.spool.settled()
        self.assertTrue(self.spool.in_memory)
        self.assertEqual(self.spool.parts, [b"a" * MEMORY_OCTETS])
        self.assertEqual(self.left(), [])

    async def test_a_large_one_is_in_its_file_behind_its_head(self):
        pieces = [os.urandom(50_000) for _ in range(40)]
        await self.write(*pieces)
        await self.spool.settled()
        self.assertFalse(self.spool.in_memory)
        self.assertEqual(self.on_disk(), b"head\n" + b"".join(pieces))
        self.assertEqual(self.spool.octets, 2_000_000)
        self.assertEqual(os.stat(self.path).st_mode & 0o777, 0o600)

    async def test_a_shelved_one_is_closed_until_it_is_wanted(self):
        for count in (1000, 2 * MEMORY_OCTETS):
            spool = self.spool = self.spooler.spool(f"{self.path}{count}", b"head\n")
            await self.write(b"a" * count)
            await spool.shelve()
            self.assertEqual((spool.in_memory, spool.parts), (False, []))
            self.assertIsNone(spool.descriptor)
            octets = os.pread(spool.open_descriptor(), 3 * MEMORY_OCTETS, 0)
            self.assertEqual(octets, b"head\n" + b"a" * count)
            spool.put_back()
            self.assertIsNone(spool.descriptor)
            spool.abort()
        await self.spooler.close()
        self.assertEqual(self.left(), [])

    async def test_one_that_is_given_up_is_not_shelved(self):
        await self.write(b"a" * 1000)
        shelving = Deferred.fromCoroutine(self.spool.shelve())
        self.spool.abort()
        await shelving
        await self.spooler.close()
        self.assertEqual(self.left(), [])
        self.assertRaises(OSError, self.spool.open_descriptor)

    async def test_any_split_gives_the_same_file(self):
        octets = os.urandom(700_000)
        for size in (7_919, 65_536, 262_144, 700_000):
            one = self.spooler.spool(f"{self.path}{size}", b"")
            for at in range(0, len(octets), size):
                waited = one.write(octets[at : at + size])
                if waited is not None:
                    await waited
            await one.settled()
            with open(one.path, "rb") as file:
                self.assertEqual(file.read(), octets)
            one.abort()

    async def test_memory_is_bounded_when_the_disk_is_slow(self):
        gates, real = [], self.spooler.defer

        def slow(work, *arguments):
            gate = Deferred()
            gates.append(gate)
            return gate.addCallback(lambda _: real(work, *arguments))

        self.patch(self.spooler, "defer", slow)
        waited, taken = None, 0
        while waited is None:
            waited = self.spool.write(b"x" * 65_536)
            taken += 65_536
            self.assertLess(taken, MOST_BEHIND + 2 * FLUSH_OCTETS)
        self.assertGreater(taken, MOST_BEHIND)
        self.assertEqual(len(gates), 1)
        gates[0].callback(None)
        await waited
        for gate in gates[1:]:
            gate.callback(None)
        self.patch(self.spooler, "defer", real)
        await self.spool.settled()
        self.assertEqual(len(self.on_disk()), taken + 5)

    async def test_a_fault_of_storage_is_kept_and_frees_the_memory(self):
        def full(descriptor, parts):
            raise OSError(28, "No space left on device")

        self.patch(durable, "write_all", full)
        await self.write(*[b"x" * 100_000] * 30)
        await self.spool.settled()
        self.assertEqual(self.spool.fault.errno, 28)
        self.assertEqual(self.spool.parts, [])
        self.assertEqual(self.spool.octets, 3_000_000)
        self.spool.abort()
        await self.spooler.close()
        self.assertEqual(self.left(), [])

    async def test_a_file_of_that_name_is_not_touched(self):
        with open(self.path, "wb") as theirs:
            theirs.write(b"theirs")
        await self.write(b"x" * 600_000)
        await self.spool.settled()
        self.assertIsInstance(self.spool.fault, FileExistsError)
        self.spool.abort()
        await self.spooler.close()
        self.assertEqual(self.on_disk(), b"theirs")

    async def test_abort_at_any_moment_leaves_nothing(self):
        self.spool.abort()
        self.assertIsNone(self.spool.write(b"x" * 10_000_000))
        self.assertEqual(self.spool.parts, [])
        for settled in (False, True):
            one = self.spooler.spool(f"{self.path}{settled}", b"")
            one.write(b"x" * 600_000)
            if settled:
                await one.settled()
            one.abort()
            one.abort()
        await self.spooler.close()
        self.assertEqual(self.left(), [])

    async def test_a_held_spool_stays_until_it_is_released(self):
        await self.write(b"x" * 600_000)
        await self.spool.settled()
        self.spool.hold()
        self.spool.abort()
        self.assertEqual(len(self.on_disk()), 600_005)
        self.assertEqual(len(os.pread(self.spool.open_descriptor(), 9, 0)), 9)
        self.spool.release()
        await self.spooler.close()
        self.assertEqual(self.left(), [])

    async def test_close_aborts_what_nobody_aborted(self):
        await self.write(b"x" * 600_000)
        await self.spooler.close()
        self.assertEqual(self.left(), [])
        self.assertRaises(OSError, self.spool.open_descriptor)

    async def test_a_missing_tmp_is_made_again(self):
        os.rmdir(f"{self.folder}/tmp")
        await self.write(b"x" * 600_000)
        await self.spool.settled()
        self.assertIsNone(self.spool.fault)
        self.assertEqual(len(self.on_disk()), 600_005)


class DurableTests(SynchronousTestCase):
    @settings(max_examples=40)
    @given(
        parts=st.lists(st.binary(max_size=50), max_size=30),
        least=st.integers(1, 40),
    )
    def test_every_octet_is_written_however_little_each_call_takes(self, parts, least):
        path = self.mktemp()
        descriptor = durable.create(os.path.abspath(path))
        real = os.writev
        self.patch(
            durable.os,
            "writev",
            lambda to, parts: real(to, [b"".join(parts)[:least]]),
        )
        try:
            durable.write_all(descriptor, parts)
        finally:
            os.close(descriptor)
            durable.os.writev = real
        with open(path, "rb") as file:
            self.assertEqual(file.read(), b"".join(parts))

    def test_system_call_faults_are_temporary_whatever_they_are(self):
        for code, status in [
            (28, "4.3.1"),  # ENOSPC
            (122, "4.3.1"),  # EDQUOT
            (27, "4.3.1"),  # EFBIG
            (24, "4.3.2"),  # EMFILE
            (12, "4.3.2"),  # ENOMEM
            (2, "4.2.0"),  # ENOENT
            (5, "4.3.0"),  # EIO
            (13, "4.3.0"),  # EACCES
            (30, "4.3.0"),  # EROFS
        ]:
            fault = durable.fault_of(OSError(code, os.strerror(code)))
            self.assertEqual(fault.status, status)
