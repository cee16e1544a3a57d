"""Scripts of real users of this machine, kept by an agent of their own uid."""

import atexit
import os
import signal

from twisted.trial.unittest import SynchronousTestCase

from .daemon import free_port
from .programs import message
from .sieve_wire import Wire, listener, sieve_connect
from .system_daemon import SystemDaemon
from .users import Users
from .ways_in import deliver, imap, messages
from .world import until

PORT = free_port()
SCRIPT = b'require "fileinto";\r\nfileinto "Sorted";\r\n'


class AgentTests(SynchronousTestCase):
    """One daemon for all; it ends with the test run."""

    timeout = 300
    daemon = None

    def setUp(self):
        self.assertEqual(os.geteuid(), 0, "only root can make users")
        if AgentTests.daemon is None:
            users = Users()
            atexit.register(users.remove)
            daemon = SystemDaemon(users, more=listener(PORT))
            atexit.register(daemon.remove)
            daemon.start()
            AgentTests.daemon = daemon
        self.daemon = AgentTests.daemon
        self.before = len(self.daemon.logged())
        self.user, self.name = self.daemon.add()

    def tearDown(self):
        self.assertNotIn("Traceback", self.daemon.logged()[self.before :])

    def wire(self):
        wire = Wire(PORT)
        self.addCleanup(wire.close)
        wire.start_tls()
        self.assertEqual(wire.log_in(self.name), b'OK "logged in"\r\n')
        return wire

    def sorted(self):
        """How many messages the script filed."""
        client = imap(self.daemon, self.name)[0]
        self.addCleanup(client.shutdown)
        told, found = client.select("Sorted")
        return int(found[0]) if told == "OK" else 0

    def test_a_script_is_the_user_s_and_sorts_the_next_mail(self):
        wire = self.wire()
        imap(self.daemon, self.name)[0].create("Sorted")
        self.assertEqual(wire.put("mine", SCRIPT), b'OK "done"\r\n')
        self.assertEqual(wire.ask(b'SETACTIVE "mine"\r\n'), b'OK "done"\r\n')
        self.assertEqual(wire.ask(b"LISTSCRIPTS\r\n"), b'"mine" ACTIVE\r\nOK\r\n')

        def filed():
            deliver(self.daemon, self.name, message("for the script", self.name))
            return self.sorted()

        until(filed, self.daemon.logged)
        self.assertTrue(wire.ask(b'DELETESCRIPT "mine"\r\n').startswith(b"NO (ACTIVE)"))
        for folder, _, files in os.walk(self.user.home):
            for name in ["", *files]:
                seen = os.lstat(os.path.join(folder, name))
                self.assertEqual(seen.st_uid, self.user.uid, (folder, name))
        _, told = sieve_connect(PORT, self.name, "--list")
        self.assertIn('"mine" ACTIVE', told)

    def test_what_was_kept_is_there_behind_another_agent(self):
        wire = self.wire()
        self.assertEqual(wire.put("mine", SCRIPT), b'OK "done"\r\n')
        (pid,) = until(self.user.processes, self.daemon.logged)
        os.kill(pid, signal.SIGKILL)

        def listed():
            told = wire.ask(b"LISTSCRIPTS\r\n")
            if told.startswith(b"NO"):
                self.assertTrue(told.startswith(b"NO (TRYLATER)"), told)
                return False
            return told

        self.assertEqual(until(listed, self.daemon.logged), b'"mine"\r\nOK\r\n')
        got = wire.ask(b'GETSCRIPT "mine"\r\n')
        self.assertEqual(got, b"{%d}\r\n%b\r\nOK\r\n" % (len(SCRIPT), SCRIPT))

    def test_users_have_each_their_own(self):
        wire = self.wire()
        self.assertEqual(wire.put("mine", SCRIPT), b'OK "done"\r\n')
        other, name = self.daemon.add()
        self.assertEqual(wire.ask(b"UNAUTHENTICATE\r\n"), b'OK "logged out"\r\n')
        self.assertEqual(wire.log_in(name), b'OK "logged in"\r\n')
        self.assertEqual(wire.ask(b"LISTSCRIPTS\r\n"), b"OK\r\n")
        self.assertEqual(wire.put("mine", b"keep;"), b'OK "done"\r\n')
        deliver(self.daemon, name, message("kept", name))
        self.assertEqual(len(messages(self.daemon, name)), 1)
        self.assertTrue(other.mail())
