"""Listeners of ManageSieve: TLS from the start, PROXY, limits, the end of a server."""

import time

from . import ways_in
from .daemon import PASSWORD, Daemon, DaemonTestCase, free_port
from .programs import message
from .sieve_wire import Wire, listener
from .world import until

IMPLICIT, PROXY = free_port(), free_port()
DELAY_S = 2.0
MOST = 16  # more than the look whether a daemon is up needs


class DoorTests(DaemonTestCase):
    extra = (
        listener(IMPLICIT, 'tls = "implicit"')
        + listener(PROXY, "proxy_protocol = true")
        + f"[limits]\nconnections_per_network = {MOST}\n"
        f"[auth]\nfailure_delay_s = {DELAY_S}\nfailures_per_network = 100\n"
    )

    def wire(self, source="", **options):
        if source:
            line = f"PROXY TCP4 {source} 192.0.2.1 50000 4190\r\n"
            wire = Wire(PROXY, line.encode(), **options)
        else:
            wire = Wire(IMPLICIT, tls=True, **options)
        self.addCleanup(wire.close)
        return wire

    def test_TLS_from_the_start(self):
        wire = self.wire()
        self.assertIn(b"PLAIN", wire.greeting)
        self.assertNotIn(b"STARTTLS", wire.greeting)
        self.assertEqual(wire.log_in(self.user()), b'OK "logged in"\r\n')
        self.assertTrue(wire.ask(b"STARTTLS\r\n").startswith(b"NO"))

    def test_a_client_behind_a_proxy_is_known_by_its_own_address(self):
        wire = self.wire("198.51.100.7")
        wire.start_tls()
        user = self.user()
        wire.log_in(user, "wrong")
        self.assertEqual(wire.log_in(user), b'OK "logged in"\r\n')
        log = self.daemon.log.read_text()
        self.assertRegex(log, "manage_sieve .* by PLAIN from 198.51.100.7")

    def test_connections_of_one_network_have_a_limit(self):
        wires = [self.wire("203.0.113.9") for _ in range(MOST)]
        told = self.wire("203.0.113.9").greeting
        self.assertEqual(
            told, b'BYE (TRYLATER) "Too many connections, try again later"\r\n'
        )
        self.assertIn(b"ManageSieve ready", self.wire("203.0.113.10").greeting)
        wires[0].ask(b"LOGOUT\r\n")
        wires[0].close()
        until(
            lambda: b"ready" in self.wire("203.0.113.9").greeting,
            self.daemon.log.read_text,
        )

    def test_a_wrong_password_costs_time(self):
        wire = self.wire()
        user = self.user()
        began = time.monotonic()
        self.assertEqual(wire.log_in(user, "wrong"), b'NO "Authentication failed"\r\n')
        self.assertGreaterEqual(time.monotonic() - began, DELAY_S)
        self.assertEqual(wire.log_in(user), b'OK "logged in"\r\n')


class EndTests(DaemonTestCase):
    port = free_port()
    extra = listener(port)

    def test_sessions_are_told_of_the_end_and_hold_nothing_up(self):
        daemon = Daemon(listener(port := free_port()))
        self.addCleanup(daemon.remove)
        user = daemon.add_user("ann")
        daemon.start()
        wires = [Wire(port), Wire(port)]
        for wire in wires:
            self.addCleanup(wire.close)
        wires[0].start_tls()
        wires[0].log_in(user)
        began = time.monotonic()
        daemon.stop()
        self.assertLess(time.monotonic() - began, 5.0)  # stop_grace_s is 10
        for wire in wires:
            self.assertEqual(wire.answer(), b'BYE (TRYLATER) "server stops"\r\n')
        self.assertNotIn("Traceback", daemon.log.read_text())

    def test_what_was_answered_is_there_after_a_kill(self):
        user = self.user()
        wire = Wire(self.port)
        self.addCleanup(wire.close)
        wire.start_tls()
        self.assertEqual(wire.log_in(user), b'OK "logged in"\r\n')
        self.assertEqual(wire.put("a", b"discard;\r\n"), b'OK "done"\r\n')
        self.assertEqual(wire.ask(b'SETACTIVE "a"\r\n'), b'OK "done"\r\n')
        self.daemon.kill()
        self.daemon.start()
        again = Wire(self.port)
        self.addCleanup(again.close)
        again.start_tls()
        again.log_in(user, PASSWORD)
        self.assertEqual(again.ask(b"LISTSCRIPTS\r\n"), b'"a" ACTIVE\r\nOK\r\n')
        ways_in.deliver(self.daemon, user, message("gone", user))
        again.ask(b'SETACTIVE ""\r\n')
        ways_in.deliver(self.daemon, user, message("kept", user))
        (held,) = until(lambda: ways_in.messages(self.daemon, user))
        self.assertIn(b"Subject: kept", held)
