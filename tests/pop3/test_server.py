"""Sessions: what each command does, and what happens when things go wrong."""

from hashlib import md5

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import ISSLTransport
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import directlyProvides

from mailtwist.errors import AuthUnavailable, StorageFull
from mailtwist.mailbox.model import INBOX
from mailtwist.store.memory import MemoryStore

from .world import ANN, BOB, SMALL, WaryTransport, World, body_of, now


class AuthorizationTests(SynchronousTestCase):
    def setUp(self):
        self.world = World()
        self.world.put_small(2)
        self.wire = self.world.connect()

    def test_the_greeting(self):
        self.assertRegex(
            self.wire.said(),
            rb"\A\+OK mx.example.test POP3 ready <[0-9a-f]{32}@mx.example.test>\r\n\Z",
        )

    def test_no_timestamp_where_nobody_can_answer_it(self):
        self.world.secrets = False
        wire = self.world.connect()
        self.assertEqual(wire.said(), b"+OK mx.example.test POP3 ready\r\n")
        self.assertIn(b"-ERR APOP is not", wire.ask(b"APOP ann " + b"0" * 32))

    def test_USER_and_PASS(self):
        self.assertEqual(
            self.wire.ask(b"USER ann@example.test", b"PASS demo"),
            b"+OK send PASS\r\n+OK 2 messages (95 octets)\r\n".replace(
                b"95", b"%d" % (2 * len(SMALL % (1, 1)))
            ),
        )

    def test_a_password_with_blanks_and_umlauts(self):
        answer = self.wire.log_in(BOB, "pässwort mit blanks".encode())
        self.assertEqual(answer, b"+OK 0 messages (0 octets)")

    def test_a_name_in_UTF8(self):
        self.assertEqual(
            self.wire.log_in("ünï@example.test"), b"+OK 0 messages (0 octets)"
        )

    def test_a_wrong_password_says_AUTH_after_its_delay(self):
        self.assertEqual(self.wire.ask(b"USER ann@example.test", b"PASS wrong"), b"")
        self.world.clock.advance(10)
        self.assertEqual(
            self.wire.said(), b"+OK send PASS\r\n-ERR [AUTH] Authentication failed\r\n"
        )
        self.assertIn(b"-ERR USER first", self.wire.ask(b"PASS demo"))
        self.wire.log_in()

    def test_USER_without_TLS_is_refused_unless_configured(self):
        wire = World(plaintext=False).connect()
        self.assertEqual(
            wire.ask(b"USER ann@example.test", b"PASS demo"),
            b"-ERR [AUTH] Use TLS first\r\n-ERR USER first\r\n",
        )
        answer = wire.ask(b"AUTH PLAIN AGFubkBleGFtcGxlLnRlc3QAZGVtbw==")
        self.assertEqual(answer, b"-ERR [AUTH] Use TLS first\r\n")
        self.assertNotIn(b"\r\nUSER", wire.ask(b"CAPA"))

    def test_implicit_TLS_counts_as_TLS(self):
        transport = WaryTransport()
        directlyProvides(transport, ISSLTransport)
        wire = World(plaintext=False, tls=object()).connect(transport)
        capabilities = body_of(wire.ask(b"CAPA"))
        self.assertIn(b"USER\r\n", capabilities)
        self.assertNotIn(b"STLS", capabilities)
        wire.log_in()

    def test_APOP(self):
        timestamp = self.wire.said().split()[-1]
        digest = md5(timestamp + b"demo").hexdigest().encode()
        self.assertIn(
            b"+OK 2 messages", self.wire.ask(b"APOP " + ANN.encode() + b" " + digest)
        )

    def test_APOP_with_the_digest_of_another_greeting(self):
        digest = md5(b"<other@mx>demo").hexdigest().encode()
        self.wire.ask(b"APOP " + ANN.encode() + b" " + digest)
        self.world.clock.advance(10)
        self.assertIn(b"-ERR [AUTH]", self.wire.said())

    def test_AUTH_PLAIN_with_initial_response(self):
        self.assertIn(
            b"+OK 2", self.wire.ask(b"AUTH PLAIN AGFubkBleGFtcGxlLnRlc3QAZGVtbw==")
        )

    def test_AUTH_PLAIN_without(self):
        self.assertEqual(self.wire.ask(b"AUTH PLAIN"), b"+ \r\n")
        self.assertIn(b"+OK 2", self.wire.ask(b"AGFubkBleGFtcGxlLnRlc3QAZGVtbw=="))

    def test_AUTH_LOGIN(self):
        self.assertEqual(self.wire.ask(b"AUTH LOGIN"), b"+ VXNlcm5hbWU6\r\n")
        self.assertEqual(
            self.wire.ask(b"YW5uQGV4YW1wbGUudGVzdA=="), b"+ UGFzc3dvcmQ6\r\n"
        )
        self.assertIn(b"+OK 2", self.wire.ask(b"ZGVtbw=="))

    def test_AUTH_CRAM_MD5(self):
        import hmac
        from base64 import b64decode, b64encode

        challenge = b64decode(self.wire.ask(b"AUTH CRAM-MD5").split()[1])
        digest = hmac.digest(b"demo", challenge, "md5").hex()
        self.assertIn(b"+OK 2", self.wire.ask(b64encode(f"{ANN} {digest}".encode())))

    def test_AUTH_cancelled(self):
        self.assertEqual(
            self.wire.ask(b"AUTH PLAIN", b"*"),
            b"+ \r\n-ERR Authentication cancelled\r\n",
        )
        self.wire.log_in()

    def test_AUTH_faults(self):
        for lines, want in (
            ([b"AUTH XYZZY"], b"-ERR Mechanism not offered\r\n"),
            ([b"AUTH PLAIN", b"!!"], b"+ \r\n-ERR Expected base64 at octet 0\r\n"),
            ([b"AUTH PLAIN ="], b"-ERR Expected"),
            ([b"AUTH PLAIN YWJj"], b"-ERR Expected"),
        ):
            self.assertTrue(self.wire.ask(*lines).startswith(want), lines)
        self.wire.log_in()

    def test_AUTH_alone_lists_the_mechanisms(self):
        answer = self.wire.ask(b"AUTH")
        self.assertEqual(body_of(answer).split(), [b"CRAM-MD5", b"PLAIN", b"LOGIN"])

    def test_a_source_that_is_down_is_no_wrong_password(self):
        async def down(*args):
            raise AuthUnavailable()

        self.world.authenticator.login_password = down
        answer = self.wire.ask(b"USER ann@example.test", b"PASS demo")
        self.assertIn(b"-ERR [SYS/TEMP] Cannot check", answer)

    def test_CAPA_in_both_states(self):
        before = body_of(self.wire.ask(b"CAPA")).split(b"\r\n")
        self.wire.log_in()
        after = body_of(self.wire.ask(b"CAPA")).split(b"\r\n")
        self.assertIn(b"UIDL", before)
        self.assertIn(b"SASL CRAM-MD5 PLAIN LOGIN", before)
        self.assertEqual(set(before) - set(after), set())

    def test_LANG(self):
        self.assertEqual(body_of(self.wire.ask(b"LANG")), b"en English\r\n")
        self.assertEqual(self.wire.ask(b"LANG EN"), b"+OK en English it is\r\n")
        self.assertEqual(self.wire.ask(b"LANG *"), b"+OK en English it is\r\n")
        self.assertEqual(self.wire.ask(b"LANG tlh"), b"-ERR No such language here\r\n")

    def test_STLS(self):
        world = World(plaintext=False, tls=object())
        wire = world.connect()
        self.assertIn(b"STLS\r\n", body_of(wire.ask(b"CAPA")))
        self.assertEqual(wire.ask(b"STLS"), b"+OK begin TLS now\r\n")
        self.assertTrue(wire.transport.tls)
        self.assertNotIn(b"STLS", body_of(wire.ask(b"CAPA")))
        self.assertEqual(wire.ask(b"STLS"), b"-ERR TLS is active already\r\n")
        wire.log_in()

    def test_STLS_where_there_is_none(self):
        self.assertEqual(self.wire.ask(b"STLS"), b"-ERR TLS is not offered\r\n")
        self.assertFalse(self.wire.transport.tls)

    def test_commands_behind_STLS_are_never_executed(self):
        wire = World(plaintext=True, tls=object()).connect()
        answer = wire.ask(b"STLS", b"USER ann@example.test", b"PASS demo")
        self.assertEqual(answer.count(b"\r\n"), 1)
        self.assertTrue(answer.startswith(b"-ERR"))
        self.assertFalse(wire.transport.tls)

    def test_QUIT_before_login(self):
        self.assertEqual(self.wire.ask(b"QUIT", b"CAPA"), b"+OK bye\r\n")
        self.assertTrue(self.wire.is_closed())


class LoginTests(SynchronousTestCase):
    def test_one_session_at_a_time(self):
        world = World()
        first, second = world.logged_in(), world.connect()
        answer = second.ask(b"USER ann@example.test", b"PASS demo")
        self.assertIn(b"-ERR [IN-USE] Maildrop is in use", answer)
        first.ask(b"QUIT")
        second.log_in()

    def test_the_lock_goes_with_a_lost_connection(self):
        world = World()
        world.logged_in().close()
        world.logged_in()

    def test_other_accounts_are_not_locked(self):
        world = World()
        world.logged_in()
        world.logged_in(BOB, "pässwort mit blanks".encode())

    def test_no_lock_if_configured(self):
        world = World(lock=False)
        world.logged_in()
        world.logged_in()

    def test_LOGIN_DELAY(self):
        world = World(login_delay_s=60)
        wire = world.logged_in()
        self.assertIn(b"LOGIN-DELAY 60\r\n", body_of(wire.ask(b"CAPA")))
        wire.ask(b"QUIT")
        again = world.connect()
        world.clock.advance(59)
        answer = again.ask(b"USER ann@example.test", b"PASS demo")
        self.assertIn(b"-ERR [LOGIN-DELAY] ", answer)
        world.clock.advance(1)
        again.log_in()

    def test_a_maildrop_that_cannot_be_opened_leaves_no_lock(self):
        world = World()
        tree = world.tree()
        opened, tree.open = tree.open, None

        async def full(*args, **named):
            raise StorageFull()

        tree.open = full
        wire = world.connect()
        answer = wire.ask(b"USER ann@example.test", b"PASS demo")
        self.assertIn(b"-ERR [SYS/TEMP] Out of storage", answer)
        tree.open = opened
        wire.log_in()

    def test_logout_is_called_once(self):
        world, calls = World(), []
        login = world.authenticator.login_password

        async def counted(*args):
            from attrs import evolve

            return evolve(await login(*args), logout=lambda: calls.append(1))

        world.authenticator.login_password = counted
        world.logged_in().ask(b"QUIT")
        self.assertEqual(calls, [1])
        world.logged_in().close()
        self.assertEqual(calls, [1, 1])

    def test_a_client_that_leaves_while_its_password_is_checked(self):
        world, cancelled = World(), []

        async def slow(*args):
            await Deferred(cancelled.append)

        world.authenticator.login_password = slow
        wire = world.connect()
        wire.ask(b"USER ann@example.test", b"PASS demo")
        wire.close()
        self.assertEqual(len(cancelled), 1)
        self.assertEqual(world.factory.sessions, set())

    def test_a_client_that_leaves_while_its_maildrop_is_opened(self):
        world = World()
        tree, waiting = world.tree(), Deferred()
        opened = tree.open

        async def slow(*args, **named):
            await waiting
            return await opened(*args, **named)

        tree.open = slow
        wire = world.connect()
        wire.ask(b"USER ann@example.test", b"PASS demo")
        wire.close()
        tree.open = opened
        world.logged_in()


class TransactionTests(SynchronousTestCase):
    def setUp(self):
        self.world = World()
        self.world.put_small(3)
        self.size = len(SMALL % (1, 1))
        self.wire = self.world.logged_in()

    def test_STAT(self):
        self.assertEqual(self.wire.ask(b"STAT"), b"+OK 3 %d\r\n" % (3 * self.size))

    def test_LIST(self):
        self.assertEqual(
            self.wire.ask(b"LIST"),
            b"+OK 3 messages\r\n1 %d\r\n2 %d\r\n3 %d\r\n.\r\n" % ((self.size,) * 3),
        )
        self.assertEqual(self.wire.ask(b"LIST 2"), b"+OK 2 %d\r\n" % self.size)
        for number in (b"0", b"4", b"9999999999"):
            self.assertEqual(
                self.wire.ask(b"LIST " + number), b"-ERR No such message\r\n"
            )

    def test_an_empty_maildrop(self):
        wire = self.world.logged_in(BOB, "pässwort mit blanks".encode())
        self.assertEqual(wire.ask(b"STAT"), b"+OK 0 0\r\n")
        self.assertEqual(wire.ask(b"LIST"), b"+OK 0 messages\r\n.\r\n")
        self.assertEqual(wire.ask(b"UIDL"), b"+OK 0 messages\r\n.\r\n")
        self.assertEqual(wire.ask(b"RETR 1"), b"-ERR No such message\r\n")

    def test_UIDL(self):
        validity = self.world.open().uid_validity
        self.assertEqual(
            self.wire.ask(b"UIDL"),
            b"+OK 3 messages\r\n1 %d.1\r\n2 %d.2\r\n3 %d.3\r\n.\r\n"
            % ((validity,) * 3),
        )
        self.assertEqual(self.wire.ask(b"UIDL 3"), b"+OK 3 %d.3\r\n" % validity)

    def test_UIDLs_stay_over_sessions_and_deletions(self):
        before = body_of(self.wire.ask(b"UIDL")).split(b"\r\n")
        self.wire.ask(b"DELE 1", b"QUIT")
        self.world.put_small(1)
        after = body_of(self.world.logged_in().ask(b"UIDL")).split(b"\r\n")
        ids = [row.split()[1] for row in before if row]
        self.assertEqual([row.split()[1] for row in after if row][:2], ids[1:])
        self.assertNotIn(after[2].split()[1], ids)

    def test_UIDLs_are_as_the_RFC_wants_them(self):
        for row in body_of(self.wire.ask(b"UIDL")).split(b"\r\n")[:-1]:
            self.assertRegex(row, rb"\A\d+ [\x21-\x7e]{1,70}\Z")

    def test_RETR(self):
        self.assertEqual(
            self.wire.ask(b"RETR 2"),
            b"+OK %d octets\r\nFrom: bob@example.test\r\nSubject: 2\r\n\r\n"
            b"Hello 2\r\n..dot\r\n.\r\n" % self.size,
        )

    def test_RETR_of_messages_with_odd_ends(self):
        for message, want in (
            (b"", b".\r\n"),
            (b"a: b\r\n\r\nno line end", b"a: b\r\n\r\nno line end\r\n.\r\n"),
            (b"a: b", b"a: b\r\n.\r\n"),
            (b"a: b\n\n.\n", b"a: b\r\n\r\n..\r\n.\r\n"),
            (b"\r\n\r\n", b"\r\n\r\n.\r\n"),
        ):
            world = World()
            world.put(message)
            answer = world.logged_in().ask(b"RETR 1")
            self.assertEqual(answer.partition(b"\r\n")[2], want)

    def test_TOP(self):
        head = b"+OK \r\nFrom: bob@example.test\r\nSubject: 1\r\n\r\n"
        for lines, body in (
            (0, b""),
            (1, b"Hello 1\r\n"),
            (9, b"Hello 1\r\n..dot\r\n"),
        ):
            self.assertEqual(self.wire.ask(b"TOP 1 %d" % lines), head + body + b".\r\n")
        self.assertEqual(self.wire.ask(b"TOP 4 0"), b"-ERR No such message\r\n")

    def test_DELE_and_RSET(self):
        self.assertEqual(self.wire.ask(b"DELE 2"), b"+OK message 2 will be deleted\r\n")
        self.assertEqual(self.wire.ask(b"STAT"), b"+OK 2 %d\r\n" % (2 * self.size))
        for line in (b"DELE 2", b"LIST 2", b"UIDL 2", b"RETR 2", b"TOP 2 0"):
            self.assertEqual(self.wire.ask(line), b"-ERR No such message\r\n")
        self.assertNotIn(b"\r\n2 ", self.wire.ask(b"LIST"))
        self.assertNotIn(b"\r\n2 ", self.wire.ask(b"UIDL"))
        self.assertEqual(
            self.wire.ask(b"RSET"), b"+OK 3 messages (%d octets)\r\n" % (3 * self.size)
        )
        self.assertIn(b"+OK 2 ", self.wire.ask(b"LIST 2"))

    def test_all_deleted(self):
        self.wire.ask(b"DELE 1", b"DELE 2", b"DELE 3")
        self.assertEqual(self.wire.ask(b"LIST"), b"+OK 0 messages\r\n.\r\n")
        self.assertEqual(self.wire.ask(b"STAT"), b"+OK 0 0\r\n")

    def test_NOOP(self):
        self.assertEqual(self.wire.ask(b"NOOP"), b"+OK \r\n")

    def test_what_comes_after_login_is_not_seen(self):
        self.world.put_small(1)
        self.assertIn(b"+OK 3 ", self.wire.ask(b"STAT"))

    def test_a_message_expunged_by_another_session(self):
        now(self.world.open().expunge([2]))
        self.assertEqual(self.wire.ask(b"RETR 2"), b"-ERR Message is gone\r\n")
        self.assertEqual(self.wire.ask(b"TOP 2 0"), b"-ERR Message is gone\r\n")
        self.assertIn(b"Hello 3", self.wire.ask(b"RETR 3"))

    def test_commands_of_the_other_state(self):
        for line in (b"USER x", b"PASS x", b"AUTH PLAIN", b"STLS", b"UTF8"):
            self.assertEqual(self.wire.ask(line), b"-ERR Bad sequence of commands\r\n")

    def test_pipelined_commands_are_answered_in_order(self):
        lines = [b"STAT", b"bogus", b"LIST 1", b"RETR 1", b"DELE 1", b"NOOP", b"QUIT"]
        answer = self.wire.ask(*lines)
        whole = [
            b"+OK 3 %d" % (3 * self.size),
            b"-ERR Command not recognized",
            b"+OK 1 %d" % self.size,
        ]
        self.assertEqual(answer.split(b"\r\n")[:3], whole)
        self.assertTrue(
            answer.endswith(
                b"\r\n.\r\n+OK message 1 will be deleted\r\n+OK \r\n+OK bye\r\n"
            )
        )


class UpdateTests(SynchronousTestCase):
    def setUp(self):
        self.world = World()
        self.world.put_small(3)
        self.wire = self.world.logged_in()

    def test_DELE_takes_effect_at_QUIT(self):
        self.wire.ask(b"DELE 1", b"DELE 3")
        self.assertEqual(self.world.subjects(), 3)
        self.assertEqual(self.wire.ask(b"QUIT"), b"+OK bye\r\n")
        self.assertEqual(now(self.world.open().rows()).uids, [2])
        self.assertTrue(self.wire.is_closed())

    def test_a_lost_connection_deletes_nothing(self):
        self.wire.ask(b"DELE 1")
        self.wire.close()
        self.assertEqual(self.world.subjects(), 3)

    def test_the_autologout_deletes_nothing(self):
        self.wire.ask(b"DELE 1")
        self.world.clock.advance(600)
        self.assertEqual(self.wire.said(), b"")
        self.assertTrue(self.wire.is_closed())
        self.assertEqual(self.world.subjects(), 3)

    def test_RSET_keeps_all(self):
        self.wire.ask(b"DELE 1", b"RSET", b"QUIT")
        self.assertEqual(self.world.subjects(), 3)

    def test_what_cannot_be_removed_is_told(self):
        self.wire.ask(b"DELE 1")
        mailbox = self.wire.protocol._session._drop.mailbox

        async def full(uids):
            raise StorageFull()

        mailbox.expunge = full
        self.assertEqual(
            self.wire.ask(b"QUIT"),
            b"-ERR [SYS/TEMP] some deleted messages not removed\r\n",
        )
        self.assertTrue(self.wire.is_closed())
        self.assertEqual(self.world.subjects(), 3)
        self.world.logged_in()  # the lock is gone

    def test_a_bug_at_QUIT_is_logged_and_told(self):
        self.wire.ask(b"DELE 1")

        async def broken(uids):
            raise RuntimeError("disk")

        self.wire.protocol._session._drop.mailbox.expunge = broken
        self.assertIn(b"-ERR [SYS/TEMP] some", self.wire.ask(b"QUIT"))
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_expunge_is_called_once_with_all(self):
        calls = []
        mailbox = self.wire.protocol._session._drop.mailbox
        expunge = mailbox.expunge

        async def counted(uids):
            calls.append(uids)
            return await expunge(uids)

        mailbox.expunge = counted
        self.wire.ask(b"DELE 3", b"DELE 1", b"QUIT")
        self.assertEqual(calls, [[1, 3]])

    def test_a_message_gone_meanwhile_is_no_fault(self):
        self.wire.ask(b"DELE 1", b"DELE 2")
        now(self.world.open().expunge([1]))
        self.assertEqual(self.wire.ask(b"QUIT"), b"+OK bye\r\n")
        self.assertEqual(self.world.subjects(), 1)

    def test_QUIT_without_deletions_touches_nothing(self):
        before = now(self.world.tree().status(INBOX))
        self.wire.ask(b"RETR 1", b"QUIT")
        self.assertEqual(now(self.world.tree().status(INBOX)), before)


class Utf8Tests(SynchronousTestCase):
    MESSAGE = "Subject: Grüße\r\n\r\nKörper\r\n".encode()

    def setUp(self):
        self.world = World()
        self.world.put(self.MESSAGE, b"Subject: Gr\xfc\xdfe\r\n\r\nx\r\n")

    def test_in_UTF8_mode_messages_are_as_they_are(self):
        wire = self.world.connect()
        self.assertEqual(wire.ask(b"UTF8"), b"+OK UTF8 enabled\r\n")
        wire.log_in()
        self.assertEqual(body_of(wire.ask(b"RETR 1")), self.MESSAGE)

    def test_without_it_the_header_is_ASCII(self):
        wire = self.world.logged_in()
        for line in (b"RETR 1", b"TOP 1 9"):
            header, _, body = body_of(wire.ask(line)).partition(b"\r\n\r\n")
            self.assertEqual(header, b"Subject: =?utf-8?B?R3LDvMOfZQ==?=")
            self.assertEqual(body, "Körper\r\n".encode())

    def test_old_mail_with_raw_octets_is_shown_as_ever(self):
        self.assertIn(b"Gr\xfc\xdfe", self.world.logged_in().ask(b"RETR 2"))

    def test_STLS_after_UTF8(self):
        wire = World(tls=object()).connect()
        self.assertEqual(
            wire.ask(b"UTF8", b"STLS"),
            b"+OK UTF8 enabled\r\n-ERR STLS comes before UTF8\r\n",
        )


class StoreRestartTests(SynchronousTestCase):
    def test_UIDLs_are_the_same_for_another_server_on_the_store(self):
        store = MemoryStore()
        first = World(store=store)
        first.put_small(2)
        one = first.logged_in().ask(b"UIDL")
        two = World(store=store).logged_in().ask(b"UIDL")
        self.assertEqual(one, two)


class WireTests(SynchronousTestCase):
    def test_sessions_are_counted(self):
        world = World()
        wire = world.connect()
        self.assertEqual(world.factory.sessions, {wire.protocol})
        wire.close()
        self.assertEqual(world.factory.sessions, set())

    def test_the_line_for_one_too_many(self):
        self.assertRegex(World().factory.too_many, rb"\A-ERR \[SYS/TEMP\] .+\r\n\Z")
