from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.errors import StorageFull
from mailtwist.store.memory_delivery import MemoryUpload

from ..room import HELLO, NOON, Room, small


class AppendTests(SynchronousTestCase):
    def setUp(self):
        self.room = Room()
        self.client = self.room.login()
        self.client.hear()

    def test_a_synchronizing_literal_is_asked_for(self):
        self.client.send(b"a APPEND INBOX (\\Seen) {%d}\r\n" % len(HELLO))
        (line,) = self.client.hear()
        self.assertTrue(line.startswith(b"+ "))
        for at in range(0, len(HELLO), 50):
            self.client.send(HELLO[at : at + 50])
        self.client.send(b"\r\n")
        validity = self.room.folder().uid_validity
        self.assertEqual(
            self.client.hear(), [b"a OK [APPENDUID %d 1] APPEND completed" % validity]
        )
        self.assertEqual(self.room.folder().messages[1].octets, HELLO)

    def test_flags_and_date(self):
        self.client.ask(
            'APPEND INBOX (\\Draft $A) " 2-Jan-2026 01:00:00 +0100" {3+}\r\na: '
        )
        self.client.ask("APPEND INBOX {3+}\r\nb: ")
        first, second = self.room.folder().messages.values()
        self.assertEqual(first.flags, frozenset({"\\Draft", "$A"}))
        self.assertEqual(first.internal_date, NOON + 43_200)
        self.assertEqual(second.internal_date, NOON)

    def test_a_missing_mailbox_asks_for_create_before_the_octets(self):
        answer = [b"NO [TRYCREATE] No such mailbox"]
        self.assertEqual(self.client.ask("APPEND None {100}"), answer)
        self.assertEqual(self.client.ask("APPEND None {2+}\r\nhi"), answer)
        self.assertEqual(self.client.ask("NOOP"), [b"OK NOOP completed"])

    def test_a_message_over_the_limit_is_refused_before_the_octets(self):
        client = Room(config=small(message_octets=65536)).login()
        client.hear()
        for marker in ("{65537}", "{65537+}\r\n" + 65537 * "x"):
            (answer,) = client.ask(f"APPEND INBOX {marker}")
            self.assertTrue(answer.startswith(b"NO [TOOBIG] "), answer)
        self.assertEqual(client.ask("NOOP"), [b"OK NOOP completed"])

    def test_the_selected_mailbox_tells_it_before_the_answer(self):
        self.client.ask("SELECT INBOX")
        first, second, answer = self.client.append()
        self.assertEqual((first, second), (b"* 1 EXISTS", b"* 1 RECENT"))
        self.assertIn(b"APPENDUID", answer)

    def test_a_store_slower_than_the_client_is_waited_for(self):
        waiting = []
        write = MemoryUpload.write

        def slow(upload, octets):
            write(upload, octets)
            waiting.append(Deferred())
            return waiting[-1]

        self.patch(MemoryUpload, "write", slow)
        self.client.send(b"a APPEND INBOX {200000+}\r\n")
        self.client.send(b"x" * 1000)
        for _ in range(19):
            if self.client.transport.producerState == "paused":
                break
            self.client.send(b"x" * 9950)
        self.assertEqual(self.client.transport.producerState, "paused")
        self.assertEqual(len(waiting), 1)
        self.client.send(b"x" * (199_000 - self.sent_behind()) + b"\r\n")
        for deferred in waiting:  # grows while it is walked
            deferred.callback(None)
        self.assertEqual(self.client.transport.producerState, "producing")
        self.assertIn(b"a OK ", self.client.hear()[-1])

    def sent_behind(self):
        return self.client.protocol._engine.pending

    def test_a_fault_in_the_middle_is_told_and_the_rest_skipped(self):
        async def full():
            raise StorageFull()

        self.patch(MemoryUpload, "write", lambda upload, octets: full())
        self.client.send(b"a APPEND INBOX {100+}\r\n" + b"x" * 50)
        self.assertEqual(
            self.client.hear(), [b"a NO [UNAVAILABLE] Out of storage, try again later"]
        )
        self.client.send(b"y" * 50 + b"\r\nb NOOP\r\n")
        self.assertEqual(self.client.hear(), [b"b OK NOOP completed"])

    def test_garbage_behind_the_message_is_bad_and_nothing_is_kept(self):
        (answer,) = self.client.ask(b"APPEND INBOX {2+}\r\nhi junk")
        self.assertTrue(answer.startswith(b"BAD "), answer)
        self.assertEqual(len(self.room.folder().messages), 0)

    def test_a_lost_connection_leaves_nothing(self):
        aborted = []
        self.patch(MemoryUpload, "abort", lambda upload: aborted.append(upload))
        self.client.send(b"a APPEND INBOX {100+}\r\n" + b"x" * 50)
        self.client.close()
        self.assertEqual(len(aborted), 1)
        self.assertEqual(len(self.room.folder().messages), 0)
        self.assertEqual(self.room.accounts.logouts, 1)
