"""Sessions, and what happens to them when things go wrong."""

import hmac
from base64 import b64decode, b64encode

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import ISSLTransport
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import directlyProvides

from mailtwist.errors import AuthUnavailable, StorageFull
from mailtwist.manage_sieve.grammar import parse

from .world import ANN, BOB, WaryTransport, World, plain


def capabilities(answer):
    """By name; None for those without a value."""
    rows = [line.split(b" ", 1) for line in answer.split(b"\r\n") if line[:1] == b'"']
    return {
        row[0].strip(b'"').decode(): row[1].strip(b'"').decode()
        if len(row) > 1
        else None
        for row in rows
    }


def script(command, octets):
    return b"%b {%d+}\r\n%b" % (command, len(octets), octets)


class GreetingTests(SynchronousTestCase):
    def test_the_greeting_has_the_capabilities(self):
        said = World(redirects=3, tls=object()).connect().unread()
        self.assertTrue(said.endswith(b'OK "mx.example.test ManageSieve ready"\r\n'))
        told = capabilities(said)
        self.assertEqual(told["IMPLEMENTATION"], "mailtwist")
        self.assertEqual(told["VERSION"], "1.0")
        self.assertEqual(told["SASL"], "CRAM-MD5 PLAIN LOGIN")
        self.assertEqual(told["MAXREDIRECTS"], "3")
        self.assertEqual(told["NOTIFY"], "mailto")
        self.assertEqual(told["LANGUAGE"], "en")
        self.assertIsNone(told["STARTTLS"])
        self.assertIsNone(told["UNAUTHENTICATE"])
        self.assertIn("fileinto", told["SIEVE"].split())
        self.assertNotIn("OWNER", told)

    def test_without_enotify_no_NOTIFY(self):
        told = capabilities(World(without=("enotify",)).connect().unread())
        self.assertNotIn("enotify", told["SIEVE"].split())
        self.assertNotIn("NOTIFY", told)

    def test_no_name_is_told_twice(self):
        said = World(tls=object()).connect().unread()
        names = [line.split(b" ")[0] for line in said.split(b"\r\n")[:-2]]
        self.assertEqual(len(names), len(set(names)))

    def test_the_owner_is_told_to_whom_it_is(self):
        wire = World().logged_in()
        self.assertEqual(capabilities(wire.ask(b"CAPABILITY"))["OWNER"], ANN)
        wire.ask(b"UNAUTHENTICATE")
        self.assertNotIn("OWNER", capabilities(wire.ask(b"CAPABILITY")))


class LoginTests(SynchronousTestCase):
    def setUp(self):
        self.world = World()
        self.wire = self.world.connect()

    def test_PLAIN_in_one_and_in_two_turns(self):
        self.assertEqual(self.wire.log_in(), b'OK "logged in"\r\n')
        wire = self.world.connect()
        self.assertEqual(wire.ask(b'AUTHENTICATE "PLAIN"'), b'""\r\n')
        self.assertEqual(wire.ask(b'"%b"' % plain()), b'OK "logged in"\r\n')
        wire = self.world.connect()
        wire.ask(b'AUTHENTICATE "PLAIN"')
        self.assertIn(b"OK", wire.ask(script(b"", plain())[1:]))

    def test_CRAM_MD5(self):
        challenge = b64decode(self.wire.ask(b'AUTHENTICATE "CRAM-MD5"').strip(b'"\r\n'))
        digest = hmac.digest(b"demo", challenge, "md5").hex()
        answer = b64encode(f"{ANN} {digest}".encode())
        self.assertEqual(self.wire.ask(b'"%b"' % answer), b'OK "logged in"\r\n')

    def test_a_wrong_password_is_told_after_its_delay(self):
        self.assertEqual(
            self.wire.ask(b'AUTHENTICATE "PLAIN" "%b"' % plain(ANN, b"x")), b""
        )
        self.world.clock.advance(10)
        self.assertEqual(self.wire.unread(), b'NO "Authentication failed"\r\n')
        self.wire.log_in()

    def test_faults(self):
        for lines, want in [
            ([b'AUTHENTICATE "XYZZY"'], b'NO "Mechanism not offered"\r\n'),
            ([b'AUTHENTICATE "PLAIN"', b'"*"'], b'""\r\nNO "Authentication cancel'),
            ([b'AUTHENTICATE "PLAIN"', b'"!"'], b'""\r\nNO "Expected base64'),
            ([b'AUTHENTICATE "PLAIN" "YWJj"'], b'NO "Expected'),
            ([b'AUTHENTICATE "CRAM-MD5" "YWJj"'], b'NO "Expected no initial'),
        ]:
            self.assertTrue(self.wire.ask(*lines).startswith(want), lines)
        self.wire.log_in()

    def test_no_second_login(self):
        self.wire.log_in()
        answer = self.wire.ask(b'AUTHENTICATE "PLAIN" "%b"' % plain(BOB))
        self.assertEqual(answer, b'NO "Not after the login"\r\n')

    def test_another_user_after_UNAUTHENTICATE(self):
        self.wire.log_in()
        self.wire.ask(b'PUTSCRIPT "mine" "keep;"')
        self.assertIn(b"OK", self.wire.ask(b"UNAUTHENTICATE"))
        self.assertEqual(self.wire.ask(b"LISTSCRIPTS"), b'NO "Log in first"\r\n')
        self.wire.log_in(BOB, "pässwort mit blanks".encode())
        self.assertEqual(self.wire.ask(b"LISTSCRIPTS"), b"OK\r\n")

    def test_a_source_that_is_down_is_no_wrong_password(self):
        async def down(*args):
            raise AuthUnavailable()

        self.world.authenticator.login_sasl = down
        answer = self.wire.ask(b'AUTHENTICATE "PLAIN" "%b"' % plain())
        self.assertTrue(answer.startswith(b"NO (TRYLATER)"), answer)

    def test_passwords_wait_for_TLS(self):
        wire = World(plaintext=False, tls=object()).connect()
        told = capabilities(wire.unread())
        self.assertEqual(told["SASL"], "CRAM-MD5")
        answer = wire.ask(b'AUTHENTICATE "PLAIN" "%b"' % plain())
        self.assertEqual(answer, b'NO (ENCRYPT-NEEDED) "Use TLS first"\r\n')

    def test_implicit_TLS_counts_as_TLS(self):
        transport = WaryTransport()
        directlyProvides(transport, ISSLTransport)
        wire = World(plaintext=False, tls=object()).connect(transport)
        told = capabilities(wire.unread())
        self.assertIn("PLAIN", told["SASL"])
        self.assertNotIn("STARTTLS", told)
        self.assertEqual(wire.ask(b"STARTTLS"), b'NO "TLS is active already"\r\n')

    def test_STARTTLS_tells_the_capabilities_anew(self):
        wire = World(plaintext=False, tls=object()).connect()
        answer = wire.ask(b"STARTTLS")
        first, _, rest = answer.partition(b"\r\n")
        self.assertEqual(first, b'OK "begin TLS now"')
        self.assertTrue(wire.transport.tls)
        told = capabilities(rest)
        self.assertIn("PLAIN", told["SASL"])
        self.assertNotIn("STARTTLS", told)
        self.assertTrue(rest.endswith(b"OK\r\n"))
        wire.log_in()

    def test_STARTTLS_where_there_is_none(self):
        self.assertEqual(self.wire.ask(b"STARTTLS"), b'NO "TLS is not offered"\r\n')
        self.assertFalse(self.wire.transport.tls)

    def test_commands_behind_STARTTLS_are_never_executed(self):
        wire = World(tls=object()).connect()
        answer = wire.ask(b"STARTTLS", b'AUTHENTICATE "PLAIN" "%b"' % plain())
        self.assertEqual(answer.count(b"\r\n"), 1)
        self.assertTrue(answer.startswith(b"NO"))
        self.assertFalse(wire.transport.tls)

    def test_no_password_is_in_the_representation_of_a_command(self):
        command = parse(b'AUTHENTICATE "PLAIN" "%b"' % plain())
        self.assertNotIn("demo", repr(command))

    def test_logout_is_called_once(self):
        world, calls = World(), []
        login = world.authenticator.login_sasl

        async def counted(*args):
            from attrs import evolve

            return evolve(await login(*args), logout=lambda: calls.append(1))

        world.authenticator.login_sasl = counted
        world.logged_in().ask(b"UNAUTHENTICATE", b"LOGOUT")
        self.assertEqual(calls, [1])
        world.logged_in().close()
        self.assertEqual(calls, [1, 1])


class ScriptTests(SynchronousTestCase):
    def setUp(self):
        self.world = World(scripts=2, script_octets=1024)
        self.wire = self.world.logged_in()

    def test_a_name_in_a_literal_costs_nothing_of_the_script(self):
        octets = b"keep;" + b"#" * 1019
        name = "ñ".encode() * 128
        put = b"PUTSCRIPT {%d+}\r\n%b" % (len(name), name)
        self.assertEqual(self.wire.ask(script(put, octets)), b'OK "done"\r\n')
        answer = self.wire.ask(script(put, octets + b"#"))
        self.assertTrue(answer.startswith(b"NO (QUOTA/MAXSIZE)"), answer)
        self.assertEqual(self.world.names(), ["ñ" * 128])

    def test_a_script_that_is_much_too_large_is_skipped(self):
        put = script(b'PUTSCRIPT "a"', b"#" * 1_000_000)
        answer = self.wire.ask(put, b"NOOP")
        self.assertRegex(answer, rb'\ANO \(QUOTA/MAXSIZE\) "[^"]*"\r\nOK "done"\r\n')
        self.assertEqual(self.world.names(), [])

    def test_what_fails_replaces_nothing(self):
        self.wire.ask(b'PUTSCRIPT "a" "stop;"')
        for bad in (b"nonsense;", b'fileinto "a";', b"#" * 1025):
            self.assertTrue(
                self.wire.ask(script(b'PUTSCRIPT "a"', bad)).startswith(b"NO")
            )
        self.assertEqual(self.wire.ask(b'GETSCRIPT "a"'), b"{5}\r\nstop;\r\nOK\r\n")

    def test_nothing_is_no_script(self):
        answer = self.wire.ask(b'PUTSCRIPT "a" ""')
        self.assertEqual(answer, b'NO "line 1, column 1: there is nothing in it"\r\n')
        self.assertEqual(self.world.names(), [])

    def test_what_is_hardly_meant_is_told_and_kept(self):
        told = b'OK (WARNINGS) "line 2, column 1: this is never reached"\r\n'
        for command in (b"CHECKSCRIPT", b'PUTSCRIPT "a"'):
            self.assertEqual(self.wire.ask(script(command, b"stop;\nkeep;")), told)
        self.assertEqual(self.world.names(), ["a"])

    def test_CHECKSCRIPT_counts_nothing(self):
        self.wire.ask(b'PUTSCRIPT "a" "keep;"', b'PUTSCRIPT "b" "keep;"')
        self.assertEqual(self.wire.ask(b'CHECKSCRIPT "keep;"'), b'OK "done"\r\n')
        self.assertIn(b"MAXSCRIPTS", self.wire.ask(b'PUTSCRIPT "c" "keep;"'))
        self.assertEqual(self.wire.ask(b'PUTSCRIPT "b" "stop;"'), b'OK "done"\r\n')

    def test_a_disk_that_is_full_says_so(self):
        async def full(*args):
            raise StorageFull()

        self.world.scripts().put_script = full
        answer = self.wire.ask(b'PUTSCRIPT "a" "stop;"')
        self.assertTrue(answer.startswith(b"NO (TRYLATER)"), answer)

    def test_a_client_that_leaves_while_its_script_is_kept(self):
        waiting, scripts = Deferred(), self.world.scripts()
        kept = scripts.put_script

        async def slow(*args):
            await waiting
            await kept(*args)

        scripts.put_script = slow
        self.wire.ask(b'PUTSCRIPT "a" "stop;"')
        self.wire.close()
        self.assertEqual(self.world.factory.sessions, set())
        self.assertEqual(self.world.clock.getDelayedCalls(), [])

    def test_a_bug_is_logged_and_hidden(self):
        async def broken(*args):
            raise RuntimeError("mysql://root:secret@db")

        self.world.scripts().scripts = broken
        answer = self.wire.ask(b"LISTSCRIPTS")
        self.assertEqual(answer, b'NO (TRYLATER) "Internal error, try again later"\r\n')
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)


class PausingTransport(WaryTransport):
    """Stops its producer after every large write until `read`."""

    def write(self, data):
        super().write(data)
        if self.producer is not None and len(data) >= 20_000:
            self.producer.pauseProducing()

    def read(self):
        self.producer.resumeProducing()


class FlowTests(SynchronousTestCase):
    def setUp(self):
        self.world = World()

    def large(self, transport):
        wire = self.world.logged_in(transport=transport)
        wire.ask(script(b'PUTSCRIPT "a"', b"#" * 30_000))
        return wire

    def test_answers_wait_for_their_reader(self):
        transport = PausingTransport()
        wire = self.large(transport)
        answer = wire.ask(*[b'GETSCRIPT "a"'] * 50)
        self.assertLess(len(answer), 200_000)
        for _ in range(60):
            transport.read()
        self.assertEqual((answer + wire.unread()).count(b"{30000}"), 50)

    def test_a_reader_that_reads_nothing_is_cut_off(self):
        transport = PausingTransport()
        wire = self.large(transport)
        wire.ask(*[b'GETSCRIPT "a"'] * 50)
        self.world.clock.advance(299)
        self.assertFalse(transport.aborted)
        self.world.clock.advance(2)
        self.assertTrue(transport.aborted)
        self.assertEqual(self.world.factory.sessions, set())
        self.assertEqual(self.world.clock.getDelayedCalls(), [])

    def test_input_is_paused_while_a_command_waits(self):
        waiting = Deferred()

        async def slow(*args):
            await waiting

        self.world.authenticator.login_sasl = slow
        wire = self.world.connect()
        wire.ask(b'AUTHENTICATE "PLAIN"')
        wire.send(b"NOOP\r\n" * 100_000)
        self.assertEqual(wire.transport.producerState, "paused")
        wire.close()
        self.assertEqual(self.world.clock.getDelayedCalls(), [])

    def test_many_commands_leave_others_their_turn(self):
        wire = self.world.logged_in()
        answer = wire.ask(*[b"NOOP"] * 1000)
        self.assertLess(answer.count(b"OK"), 200)
        for _ in range(10):
            self.world.clock.advance(0)
        self.assertEqual((answer + wire.unread()).count(b"OK"), 1000)

    def test_answers_are_written_together(self):
        wire = self.world.logged_in()
        before = wire.transport.writes
        wire.ask(*[b"NOOP"] * 100)
        self.assertLessEqual(wire.transport.writes - before, 2)

    def test_a_command_of_endless_literals_is_refused(self):
        wire = self.world.logged_in()
        wire.send(b"PUTSCRIPT ")
        for _ in range(100):
            wire.send(b"{0+}\r\n" * 1000)
        self.assertLess(wire.protocol._engine.pending, 20_000)
        self.assertEqual(wire.ask(b""), b'NO "Line too long"\r\n')

    def test_a_stranger_sends_no_large_literal(self):
        wire = self.world.connect()
        wire.ask(script(b"NOOP", b"#" * 100_000)[:-10])
        self.assertLess(wire.protocol._engine.pending, 20_000)
        self.assertEqual(wire.ask(b"#" * 10), b'NO "Line too long"\r\n')
        wire.log_in()
        answer = wire.ask(script(b"CHECKSCRIPT", b"#" * 50_000))
        self.assertEqual(answer, b'OK "done"\r\n')

    def test_a_literal_as_servers_send_it_ends_the_session(self):
        for bad in (b"{5}", b"{99999999999+}"):
            wire = self.world.logged_in()
            answer = wire.ask(b'PUTSCRIPT "a" ' + bad, b"keep;")
            self.assertEqual(answer.count(b"\r\n"), 1)
            self.assertTrue(answer.startswith(b'BYE "Expected a literal'), answer)
            self.assertTrue(wire.is_closed())


class TimeTests(SynchronousTestCase):
    def setUp(self):
        self.world = World()

    def test_a_login_must_come_in_its_time(self):
        wire = self.world.connect()
        for _ in range(2):
            self.world.clock.advance(89)
            wire.ask(b"NOOP")
        self.assertFalse(wire.is_closed())
        self.world.clock.advance(2)
        self.assertEqual(wire.unread(), b'BYE "too long without a login"\r\n')
        self.assertTrue(wire.is_closed())

    def test_a_SASL_exchange_does_not_wait_for_ever(self):
        wire = self.world.connect()
        wire.ask(b'AUTHENTICATE "PLAIN"')
        self.world.clock.advance(180)
        self.assertTrue(wire.is_closed())
        self.assertEqual(self.world.factory.sessions, set())
        self.assertEqual(self.world.clock.getDelayedCalls(), [])

    def test_a_silent_client_is_waited_for_half_an_hour(self):
        wire = self.world.logged_in()
        for _ in range(3):
            self.world.clock.advance(1799)
            wire.ask(b"NOOP")
        self.assertFalse(wire.is_closed())
        self.world.clock.advance(1799)
        wire.send(b"NO")  # half a command is none
        self.world.clock.advance(1)
        self.assertEqual(wire.unread(), b'BYE "idle too long"\r\n')
        self.assertTrue(wire.is_closed())

    def test_after_UNAUTHENTICATE_the_time_for_a_login_starts_anew(self):
        wire = self.world.logged_in()
        self.world.clock.advance(1000)
        wire.ask(b"UNAUTHENTICATE")
        self.world.clock.advance(179)
        self.assertFalse(wire.is_closed())
        self.world.clock.advance(1)
        self.assertTrue(wire.is_closed())

    def test_a_slow_command_is_not_idle(self):
        waiting = Deferred()

        async def slow(*args):
            await waiting

        self.world.authenticator.login_sasl = slow
        wire = self.world.connect()
        wire.ask(b'AUTHENTICATE "PLAIN" "%b"' % plain())
        self.world.clock.advance(180)
        self.assertFalse(wire.is_closed())
        wire.close()
        self.assertEqual(self.world.clock.getDelayedCalls(), [])

    def test_too_many_errors(self):
        wire = World(session_errors=3).connect()
        answer = wire.ask(*[b"BOGUS"] * 10)
        self.assertEqual(answer.count(b"NO "), 3)
        self.assertTrue(answer.endswith(b'BYE "too many errors"\r\n'))
        self.assertTrue(wire.is_closed())

    def test_a_missing_script_is_no_error_of_a_client(self):
        wire = World(session_errors=3).logged_in()
        wire.ask(*[b'GETSCRIPT "a"'] * 10, *[b'CHECKSCRIPT "x"'] * 10)
        self.assertFalse(wire.is_closed())


class EndTests(SynchronousTestCase):
    def setUp(self):
        self.world = World()

    def test_nothing_counts_behind_LOGOUT(self):
        wire = self.world.logged_in()
        self.assertEqual(wire.ask(b"LOGOUT", b"NOOP"), b'OK "bye"\r\n')
        self.assertTrue(wire.is_closed())

    def test_a_client_that_only_reads_gets_its_answers(self):
        wire = self.world.logged_in()
        wire.send(b"NOOP\r\n")
        wire.protocol.readConnectionLost()
        self.assertEqual(wire.unread(), b'OK "done"\r\n')
        self.assertTrue(wire.is_closed())

    def test_sessions_are_told_that_the_server_stops(self):
        wires = [self.world.logged_in(), self.world.connect()]
        wires.append(self.world.connect())
        wires[2].ask(b'AUTHENTICATE "PLAIN"')
        for wire in wires:
            wire.unread()
        self.world.factory.stop()
        for wire in wires:
            self.assertEqual(wire.unread(), b'BYE (TRYLATER) "server stops"\r\n')
            self.assertTrue(wire.is_closed())
        self.assertEqual(self.world.factory.sessions, set())

    def test_the_command_at_hand_is_answered(self):
        waiting, scripts = Deferred(), self.world.scripts()
        kept = scripts.put_script

        async def slow(*args):
            await waiting
            await kept(*args)

        scripts.put_script = slow
        wire = self.world.logged_in()
        wire.ask(b'PUTSCRIPT "a" "stop;"', b'DELETESCRIPT "a"')
        self.world.factory.stop()
        self.assertFalse(wire.is_closed())
        self.assertFalse(wire.protocol.said_all)
        waiting.callback(None)
        said = wire.unread()
        self.assertEqual(said, b'OK "done"\r\nBYE (TRYLATER) "server stops"\r\n')
        self.assertTrue(wire.protocol.said_all)
        self.assertEqual(self.world.names(), ["a"])
