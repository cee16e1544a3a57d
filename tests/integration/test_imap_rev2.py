"""IMAP4rev2, UTF-8 and compression over the wire, with two clients of each kind."""

from __future__ import annotations

import json
import poplib
import smtplib
import socket
import ssl
import zlib
from pathlib import Path

from tests.integration import ways_in
from tests.integration.daemon import PASSWORD, ROOT, DaemonTestCase
from tests.integration.programs import message, run

NODE = ROOT / ".node"
IMAPFLOW = """
const { ImapFlow } = require('imapflow');
const [port, user, pass] = process.argv.slice(2);
(async () => {
  const client = new ImapFlow({ host: '127.0.0.1', port: +port, secure: true,
    auth: { user, pass }, tls: { rejectUnauthorized: false }, logger: false });
  await client.connect();
  await client.mailboxCreate('Entwürfe');
  await client.mailboxOpen('INBOX');
  const one = await client.fetchOne('1', { envelope: true, source: true });
  const found = await client.search({ subject: 'für' });
  const folders = (await client.list()).map((box) => box.path);
  console.log(JSON.stringify({ compressed: !!client._deflate, folders, found,
    enabled: [...client.enabled].sort(), subject: one.envelope.subject,
    octets: one.source.length }));
  await client.logout();
})().catch((fault) => { console.log(fault.stack); process.exit(1); });
"""
NEWS = (
    "From: Jörg <jörg@example.org>\r\nTo: ann@example.test\r\n"
    "Subject: für alle\r\n\r\nGrüße\r\n"
).encode()


class Raw:
    """A client that says lines and reads up to the tagged one; may compress."""

    def __init__(self, daemon, user):
        plain = socket.create_connection((daemon.address, daemon.port("imaps")), 20)
        context = ssl._create_unverified_context()
        self.socket = context.wrap_socket(plain, server_hostname="localhost")
        self.deflate = self.inflate = None
        self.held, self.octets = b"", 0  # `octets` came over the wire
        self.line()
        self.ask(f'LOGIN {user} "{PASSWORD}"')

    def send(self, octets):
        if self.deflate is not None:
            octets = self.deflate.compress(octets)
            octets += self.deflate.flush(zlib.Z_SYNC_FLUSH)
        self.socket.sendall(octets)

    def line(self):
        while b"\r\n" not in self.held:
            more = self.socket.recv(65536)
            if not more:
                raise AssertionError(f"closed behind {self.held[-200:]!r}")
            self.octets += len(more)
            self.held += more if self.inflate is None else self.inflate.decompress(more)
        line, _, self.held = self.held.partition(b"\r\n")
        return line

    def ask(self, command):
        self.send(b"t %b\r\n" % command.encode())
        lines = [self.line()]
        while not lines[-1].startswith(b"t "):
            lines.append(self.line())
        if not lines[-1].startswith(b"t OK"):
            raise AssertionError(f"{command}: {lines[-1]!r}")
        return lines[:-1]

    def compress(self):
        self.ask("COMPRESS DEFLATE")
        self.deflate = zlib.compressobj(wbits=-15)
        self.inflate = zlib.decompressobj(-15)

    def close(self):
        self.socket.close()


class Rev2Tests(DaemonTestCase):
    def raw(self, user):
        client = Raw(self.daemon, user)
        self.addCleanup(client.close)
        return client

    def deliver(self, user, octets):
        address = self.daemon.address, self.daemon.port("smtp")
        with smtplib.SMTP(*address) as client:
            options = ["SMTPUTF8", "BODY=8BITMIME"]
            client.sendmail("carol@example.org", [user], octets, options)

    def test_a_client_of_rev2_beside_one_of_rev1(self):
        user = self.user()
        new, old = self.raw(user), self.raw(user)
        self.assertEqual(new.ask("ENABLE IMAP4rev2"), [b"* ENABLED IMAP4rev2"])
        new.ask('CREATE "Entwürfe"')
        (told,) = old.ask('LIST "" Entw*')
        self.assertEqual(told, b'* LIST (\\HasNoChildren) "/" Entw&APw-rfe')
        self.deliver(user, message("one"))
        lines = new.ask("SELECT INBOX")
        self.assertIn(b"* 1 EXISTS", lines)
        self.assertIn(b'* LIST (\\HasNoChildren) "/" INBOX', lines)
        self.assertFalse([one for one in lines if b"RECENT" in one or b"UNSEEN" in one])
        old.ask("SELECT INBOX")
        old.ask("STORE 1 +FLAGS (\\Flagged)")
        (told,) = new.ask("NOOP")
        self.assertEqual(told, b"* 1 FETCH (UID 1 FLAGS (\\Flagged))")
        self.assertEqual(new.ask("SEARCH ALL"), [b'* ESEARCH (TAG "t") ALL 1'])
        self.assertEqual(old.ask("SEARCH ALL"), [b"* SEARCH 1"])
        new.ask("UNAUTHENTICATE")
        new.ask(f'LOGIN {user} "{PASSWORD}"')
        self.assertIn(b"* 0 RECENT", new.ask("SELECT INBOX"))

    def test_utf8_is_shown_to_those_who_asked_over_imap_and_pop3(self):
        user = self.user()
        self.deliver(user, NEWS)
        first, second = ways_in.imap(self.daemon, user)
        self.assertEqual(first.enable("UTF8=ACCEPT")[0], "OK")
        self.assertEqual(first.create('"Bücher"')[0], "OK")
        self.assertIn('"Bücher"'.encode(), b"".join(first.list()[1]))
        self.assertIn(b"B&APw-cher", b"".join(second.list()[1]))
        shown = []
        for client in (first, second):
            client.select("INBOX", readonly=True)
            _, got = client.fetch("1", "(RFC822.SIZE ENVELOPE BODY.PEEK[])")
            head, octets = got[0]
            self.assertIn(b"RFC822.SIZE %d " % len(octets), head)
            shown.append((head, octets))
            client.logout()
        (head, octets), (old_head, surrogate) = shown
        self.assertIn('"für alle" (("Jörg" NIL "jörg" "example.org"))'.encode(), head)
        self.assertTrue(octets.endswith(NEWS))
        self.assertTrue(old_head.isascii())
        header, _, body = surrogate.partition(b"\r\n\r\n")
        self.assertTrue(header.isascii())
        self.assertEqual(body, "Grüße\r\n".encode())
        self.assertEqual(self.over_pop3(user, utf8=False), surrogate)
        self.assertEqual(self.over_pop3(user, utf8=True), octets)

    def over_pop3(self, user, *, utf8):
        client = poplib.POP3_SSL(
            self.daemon.address, self.daemon.port("pop3s"), context=ways_in.OPEN
        )
        if utf8:
            client.utf8()
        client.user(user)
        client.pass_(PASSWORD)
        _, lines, _ = client.retr(1)
        client.quit()
        return b"".join(line + b"\r\n" for line in lines)

    def test_two_compressed_clients_tell_each_other_what_happens(self):
        user = self.user()
        first, second = self.raw(user), self.raw(user)
        for client in (first, second):
            client.compress()
            client.ask("SELECT INBOX")
        first.send(b"i IDLE\r\n")
        self.assertTrue(first.line().startswith(b"+ "))
        body = message("large", body="all the same\n" * 20_000)
        second.send(b"a APPEND INBOX {%d+}\r\n%b\r\n" % (len(body), body))
        self.assertEqual(first.line(), b"* 1 EXISTS")
        while not second.line().startswith(b"a OK"):
            pass
        first.send(b"DONE\r\n")
        while not first.line().startswith(b"i OK"):
            pass
        before = first.octets
        lines = first.ask("FETCH 1 BODY.PEEK[]")
        self.assertEqual(b"\r\n".join(lines[1:-1]) + b"\r\n", body)
        self.assertLess((first.octets - before) * 10, len(body))

    def test_imapflow_compresses_and_reads_utf8(self):
        user = self.user()
        self.deliver(user, NEWS)
        script = Path(self.mktemp()).absolute()
        script.write_text(IMAPFLOW)
        port, env = self.daemon.port("imaps"), {"NODE_PATH": str(NODE / "node_modules")}
        _, said = run("node", script, port, user, PASSWORD, env=env)
        told = json.loads(said)
        self.assertTrue(told["compressed"])
        self.assertIn("UTF8=ACCEPT", told["enabled"])
        self.assertEqual(told["subject"], "für alle")
        self.assertEqual(told["found"], [1])
        self.assertIn("Entwürfe", told["folders"])
