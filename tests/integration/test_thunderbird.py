"""The transcript of Thunderbird's commands, against the daemon, over both ways in."""

import base64

from tests.integration import ways_in
from tests.integration.daemon import PASSWORD, DaemonTestCase
from tests.transcript import FOLDER, SocketWire, parse, play

IN_TRANSCRIPT = base64.b64encode(b"\0ann\0demo").decode()


class ThunderbirdTests(DaemonTestCase):
    extra = "[sharing]\nenabled = false\n"  # as in the transcript

    def starttls(self):
        """A connection that is under TLS, as if it had just greeted."""
        wire = SocketWire(ways_in.HOST, self.daemon.port("imap"))
        greeting = wire.line()
        wire.send(b"0 STARTTLS\r\n")
        self.assertTrue(wire.line().startswith(b"0 OK "))
        wire.start_tls()
        wire.lines.rest = greeting + b"\r\n"
        return wire

    def implicit(self):
        return SocketWire(ways_in.HOST, self.daemon.port("imaps"), tls=True)

    def test_its_session_works_over_both_ways_in(self):
        text = (FOLDER / "imap4-thunderbird.txt").read_text(encoding="utf-8")
        self.assertEqual(text.count(IN_TRANSCRIPT), 2)
        for connect in (self.starttls, self.implicit):
            login = f"\0{self.user()}\0{PASSWORD}".encode()
            ours = base64.b64encode(login).decode()
            play(parse(text.replace(IN_TRANSCRIPT, ours)), connect)
