from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.errors import StorageFull
from mailtwist.store.memory_delivery import MemoryUpload

from ..room import ANN, HELLO, NOON, Room, small


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

    def test_a_message_of_no_octet_cancels_the_command(self):
        """RFC 3502 §6.3.11; REPLACE keeps the old message."""
        self.client.append()
        self.client.ask("SELECT INBOX")
        for command in (
            "APPEND INBOX {0+}\r\n",
            "APPEND INBOX ~{0+}\r\n",
            "APPEND INBOX {3+}\r\na:b {0+}\r\n",
            "APPEND INBOX {0+}\r\n {3+}\r\na:b",
            "APPEND INBOX CATENATE (TEXT {0+}\r\n)",
            "REPLACE 1 INBOX {0+}\r\n",
        ):
            (answer,) = self.client.ask(command)
            self.assertTrue(answer.startswith(b"NO "), f"{command}: {answer!r}")
            self.assertEqual([*self.room.folder().messages], [1], command)

    def test_a_header_that_is_not_ascii_waits_for_UTF8_where_that_is_asked_for(self):
        """RFC 6855 §4."""
        raw = b"From: a@b.test\r\nSubject: caf\xc3\xa9\r\n\r\nt\xe9xt\r\n"
        plain = b"Subject: cafe\r\n\r\nt\xe9xt\r\n\r\n\xe9"
        alone = b"\r\n\xe9 is in the body\r\n"
        self.assertTrue(self.appended(self.client, raw).startswith(b"a OK"))
        client = Room(config=small(eight_bit_headers=False)).login()
        client.hear()
        self.assertEqual(
            self.appended(client, raw),
            b"a NO ENABLE UTF8=ACCEPT before a header that is not ASCII",
        )
        for message in (plain, alone):
            self.assertTrue(self.appended(client, message).startswith(b"a OK"))
        client.ask("ENABLE UTF8=ACCEPT")
        self.assertTrue(self.appended(client, raw).startswith(b"a OK"))

    def appended(self, client, message):
        """The answer to an APPEND whose octets come one by one."""
        client.send(b"a APPEND INBOX {%d+}\r\n" % len(message))
        for octet in message:
            client.send(bytes([octet]))
        client.send(b"\r\n")
        return client.hear()[-1]

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


class SeveralTests(SynchronousTestCase):
    """MULTIAPPEND (RFC 3502)."""

    def setUp(self):
        self.room = Room()
        self.client = self.room.login()
        self.client.hear()

    def test_several_messages_get_their_uids_together(self):
        self.client.send(b"a APPEND INBOX (\\Seen) {6}\r\n")
        self.assertTrue(self.client.hear()[0].startswith(b"+ "))
        self.client.send(b'a: 1\r\n " 2-Jan-2026 01:00:00 +0100" {6}\r\n')
        self.assertTrue(self.client.hear()[0].startswith(b"+ "))
        self.client.send(b"a: 2\r\n {6+}\r\na: 3\r\n\r\n")
        validity = self.room.folder().uid_validity
        self.assertEqual(
            self.client.hear(), [b"a OK [APPENDUID %d 1:3] APPEND completed" % validity]
        )
        messages = self.room.folder().messages
        self.assertEqual(messages[1].flags, {"\\Seen"})
        self.assertEqual(messages[2].internal_date, NOON + 43_200)
        self.assertEqual([m.octets[3:4] for m in messages.values()], [b"1", b"2", b"3"])

    def test_one_that_fails_keeps_all_of_them_out(self):
        one = "APPEND INBOX {6+}\r\na: 1\r\n "
        for more, answer in [
            ("(\\Foo) {6+}\r\na: 2\r\n", b"BAD "),
            ("{6+}\r\na: 2\r\n junk", b"BAD "),
            ("CATENATE (URL /a) {6+}\r\na: 2\r\n", b"NO [BADURL /a]"),
        ]:
            (told,) = self.client.ask(one + more)
            self.assertTrue(told.startswith(answer), told)
        self.assertEqual(self.client.ask("NOOP"), [b"OK NOOP completed"])
        self.assertEqual(len(self.room.folder().messages), 0)

    def test_all_of_them_together_have_no_room(self):
        room = Room(account=evolve(ANN, storage_limit_octets=15))
        client = room.login()
        client.hear()
        client.send(b"a APPEND INBOX {10}\r\n")
        client.send(b"x" * 10 + b" {10}\r\n")
        self.assertEqual(client.hear()[1:], [b"a NO [OVERQUOTA] Mailbox full"])
        (told,) = client.ask("APPEND INBOX {9+}\r\n" + 9 * "x" + " {9+}\r\n" + 9 * "x")
        self.assertEqual(told, b"NO [OVERQUOTA] Mailbox full")
        self.assertEqual(len(room.folder().messages), 0)

    def test_a_lost_connection_leaves_none_of_them(self):
        aborted = []
        self.patch(MemoryUpload, "abort", lambda upload: aborted.append(upload))
        self.client.send(b"a APPEND INBOX {6+}\r\na: 1\r\n {100+}\r\nxx")
        self.client.close()
        self.assertEqual(len(aborted), 2)
        self.assertEqual(len(self.room.folder().messages), 0)

    def test_the_limit_is_told(self):
        client = Room(config=small(message_octets=70_000)).login()
        told = b"\n".join(client.ask("CAPABILITY"))
        self.assertIn(b" APPENDLIMIT=70000 ", told + b" ")
        status, _ = client.ask("STATUS INBOX (APPENDLIMIT)")
        self.assertEqual(status, b"* STATUS INBOX (APPENDLIMIT 70000)")
        client = Room(account=evolve(ANN, storage_limit_octets=1000)).login()
        (told, _) = client.ask("STATUS INBOX (APPENDLIMIT)")
        self.assertNotIn(b"1000)", told, "a quota is another thing (§3.3)")


class ReplaceTests(SynchronousTestCase):
    """REPLACE (RFC 8508)."""

    def setUp(self):
        self.room = Room()
        self.client = self.room.selected(messages=3)
        self.validity = self.room.folder().uid_validity

    def test_the_new_one_is_told_before_the_old_one_goes(self):
        told = self.client.ask("REPLACE 2 INBOX (\\Draft) {6+}\r\na: 1\r\n")
        self.assertEqual(
            told,
            [
                b"* OK [APPENDUID %d 4] Replacement is ready" % self.validity,
                b"* 2 EXPUNGE",
                b"* 3 EXISTS",
                b"OK REPLACE completed",
            ],
        )
        self.assertEqual(list(self.room.folder().messages), [1, 3, 4])

    def test_by_uid_into_another_mailbox(self):
        self.client.ask("CREATE Sent")
        told = self.client.ask("UID REPLACE 3 Sent {6+}\r\na: 1\r\n")
        self.assertEqual(
            told[1:], [b"* 3 EXPUNGE", b"* 2 RECENT", b"OK REPLACE completed"]
        )
        self.assertEqual(list(self.room.folder(("Sent",)).messages), [1])

    def test_with_qresync_the_modseq_is_told(self):
        self.client.ask("ENABLE QRESYNC")
        *told, last = self.client.ask("UID REPLACE 3 INBOX {6+}\r\na: 1\r\n")
        self.assertIn(b"* VANISHED 3", told)
        modseq = self.room.folder().highest_modseq
        self.assertEqual(last, b"OK [HIGHESTMODSEQ %d] REPLACE completed" % modseq)

    def test_what_cannot_be_replaced_stays(self):
        for command, answer in [
            ("REPLACE 4 INBOX {1+}\r\nz", b"BAD "),
            ("UID REPLACE 9 INBOX {1+}\r\nz", b"NO [EXPUNGEISSUED]"),
            ("UID REPLACE 1 None {1+}\r\nz", b"NO [TRYCREATE]"),
            ("UID REPLACE 1 None {1}", b"NO [TRYCREATE]"),
            ("UID REPLACE 1 INBOX {1+}\r\nz {1+}\r\nz", b"BAD "),
        ]:
            (told,) = self.client.ask(command)
            self.assertTrue(told.startswith(answer), told)
        self.client.ask("EXAMINE INBOX")
        (told,) = self.client.ask("REPLACE 1 INBOX {1+}\r\nz")
        self.assertTrue(told.startswith(b"NO "), told)
        self.assertEqual(list(self.room.folder().messages), [1, 2, 3])

    def test_another_session_that_expunged_it_was_faster(self):
        other = self.room.selected()
        self.client.send(b"a REPLACE 1 INBOX {6}\r\n")
        other.ask("UID STORE 1 +FLAGS (\\Deleted)")
        other.ask("UID EXPUNGE 1")
        self.client.send(b"a: 1\r\n\r\n")
        self.assertIn(b"a NO [EXPUNGEISSUED]", self.client.hear()[-1])
        self.assertEqual(list(self.room.folder().messages), [2, 3])


class BinaryTests(SynchronousTestCase):
    """literal8 (RFC 3516 §4.4)."""

    def setUp(self):
        self.room = Room()
        self.client = self.room.selected()

    def append(self, *literals):
        said = b" ".join(b"~{%d+}\r\n%b" % (len(one), one) for one in literals)
        return self.client.ask(b"APPEND INBOX " + said)[-1]

    def test_a_binary_part_is_kept_encoded_and_reads_back(self):
        octets = bytes(range(256)) * 500
        head = b"Subject: x\r\nContent-Transfer-Encoding: binary\r\n\r\n"
        self.assertIn(b"OK [APPENDUID", self.append(head + octets, head + b"\0"))
        kept = self.room.folder().messages[1].octets
        self.assertNotIn(b"\0", kept)
        self.assertIn(b"Content-Transfer-Encoding: base64\r\n", kept)
        told, _ = self.client.ask("FETCH 1 BINARY.PEEK[1]")
        self.assertEqual(told, b"* 1 FETCH (BINARY[1] ~{128000}\r\n" + octets + b")")
        told, _ = self.client.ask("FETCH 2 BINARY.PEEK[1]")
        self.assertEqual(told, b"* 2 FETCH (BINARY[1] ~{1}\r\n\0)")

    def test_what_is_not_binary_stays_as_it_is(self):
        self.append(HELLO)
        self.assertEqual(self.room.folder().messages[1].octets, HELLO)

    def test_nul_that_cannot_be_kept_is_refused(self):
        self.assertTrue(
            self.append(HELLO, b"a: \0\r\n").startswith(b"NO [UNKNOWN-CTE]")
        )
        self.assertEqual(self.client.ask("NOOP"), [b"OK NOOP completed"])
        self.assertEqual(len(self.room.folder().messages), 0)

    def test_parts_of_a_catenated_message_are_read_as_one(self):
        self.client.ask(
            b"APPEND INBOX CATENATE (TEXT ~{39+}\r\nContent-Transfer-Encoding: "
            b"binary\r\n\r\na\0 TEXT ~{2+}\r\n\0b)"
        )
        self.assertEqual(
            self.room.folder().messages[1].octets,
            b"Content-Transfer-Encoding: base64\r\n\r\nYQAAYg==\r\n",
        )
