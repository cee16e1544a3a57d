"""The server stops soon, whatever clients do that were told so."""

import contextlib
import socket
import ssl
import time

from twisted.trial.unittest import SynchronousTestCase

from tests.integration import ways_in
from tests.integration.daemon import PASSWORD, Daemon


class StopTests(SynchronousTestCase):
    def setUp(self):
        self.daemon = Daemon()
        self.addCleanup(self.daemon.remove)
        self.user = self.daemon.add_user("ann")
        self.daemon.start()

    def connected(self, name):
        """A TLS connection that was greeted and will never be closed by its client."""
        plain = socket.create_connection((ways_in.HOST, self.daemon.port(name)), 10)
        client = ssl._create_unverified_context().wrap_socket(plain)
        self.addCleanup(client.close)
        client.recv(4096)
        return client

    def test_clients_that_do_not_close_hold_nothing_up(self):
        clients = [self.connected(name) for name in ("imaps", "pop3s", "submissions")]
        clients[0].sendall(f'a LOGIN {self.user} "{PASSWORD}"\r\n'.encode())
        clients[0].sendall(b"b SELECT INBOX\r\n")
        text = b""
        while b"\r\nb OK" not in text:
            text += clients[0].recv(65_536)
        began = time.monotonic()
        self.daemon.stop()
        took = time.monotonic() - began
        self.assertLess(took, 5.0)  # stop_grace_s is 10
        told = []
        for client in clients:
            with contextlib.suppress(ConnectionResetError):
                told.append(client.recv(4096))
        self.assertIn(b"* BYE [UNAVAILABLE] Server is stopping\r\n", told)
        self.assertTrue(any(text.startswith(b"421 ") for text in told), told)
