"""A host that takes mail by a script: greylists, is slow, breaks off.

class Greylisting(Script):
    def rcpt(self, address): ...

peer = SmtpPeer("peer.test", address, port, Greylisting())
peer.script.messages        # what was taken: (recipients, octets)
"""

import contextlib
import socketserver
import threading

CLOSE = object()  # cut the connection instead of a reply
SILENCE = object()  # say nothing until the client has had enough


class Script:
    """A host that takes everything; each method gives the reply, or CLOSE.

    `extensions` are what it offers after EHLO."""

    extensions = ()

    def __init__(self):
        self.messages, self.lines = [], []

    def greeting(self):
        return "220 peer.test ESMTP"

    def rcpt(self, address):
        return "250 2.1.5 ok"

    def end(self, recipients, octets):
        self.messages.append((recipients, octets))
        return "250 2.0.0 ok"


class SmtpPeer(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, name, address, port, script):
        self.name = name
        super().__init__((address, port), _Session)
        self.script = script
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def handle_error(self, request, client_address):
        """A client that went away in mid-session is no fault here."""

    def stop(self):
        self.shutdown()
        self.server_close()


class _Session(socketserver.StreamRequestHandler):
    def handle(self):
        with contextlib.suppress(_Closed):
            self.talk(self.server.script)

    def say(self, reply):
        if reply is SILENCE:
            self.rfile.read()
        if reply in (CLOSE, SILENCE):
            raise _Closed
        self.wfile.write(reply.encode() + b"\r\n")

    def talk(self, script):
        self.say(script.greeting())
        recipients = []
        while line := self.rfile.readline():
            text = line.decode().strip()
            script.lines.append(text)
            verb = text[:4].upper()
            if verb in ("EHLO", "HELO"):
                lines = ["peer.test", *script.extensions]
                for line in lines[:-1]:
                    self.say(f"250-{line}")
                self.say(f"250 {lines[-1]}")
            elif verb == "RCPT":
                address = text.partition("<")[2].partition(">")[0]
                reply = script.rcpt(address)
                if reply is not CLOSE and reply.startswith("2"):
                    recipients.append(address)
                self.say(reply)
            elif verb == "DATA" and not recipients:
                self.say("554 5.5.1 no recipients")
            elif verb == "DATA":
                self.say("354 go")
                reply = script.end(recipients, self.content())
                recipients = []
                self.say(reply)
            elif verb == "QUIT":
                self.say("221 2.0.0 bye")
                return
            else:
                if verb in ("MAIL", "RSET"):
                    recipients = []
                self.say("250 2.0.0 ok")

    def content(self):
        octets = b""
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            octets += line.removeprefix(b".")
        return octets


class _Closed(Exception):
    pass
