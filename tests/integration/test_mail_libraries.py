"""Programs that people build on libraries: imap-tools, aioimaplib, imapflow."""

from __future__ import annotations

import asyncio
import json
import ssl
from pathlib import Path

import aioimaplib
import imap_tools

from tests.integration import ways_in
from tests.integration.daemon import PASSWORD, ROOT, DaemonTestCase
from tests.integration.programs import message, run

NODE = ROOT / ".node"  # where tools/setup-tests puts packages of npm
IMAPFLOW = """
const { ImapFlow } = require('imapflow');
const [port, user, pass] = process.argv.slice(2);
(async () => {
  const client = new ImapFlow({ host: '127.0.0.1', port: +port, secure: true,
    auth: { user, pass }, tls: { rejectUnauthorized: false }, logger: false,
    qresync: true });
  const told = [];
  await client.connect();
  await client.mailboxCreate(['Work', 'Näher']);
  const box = await client.mailboxOpen('INBOX');
  client.on('exists', (data) => told.push(`exists ${data.count}`));
  client.on('expunge', (data) => told.push(`expunge ${data.uid || data.seq}`));
  client.on('flags', (data) => told.push(`flags ${[...data.flags].sort()}`));
  const found = {};
  for await (const one of client.fetch('1:*', { envelope: true, flags: true,
      bodyStructure: true, threadId: true, source: true })) {
    found[one.envelope.subject] = [one.uid, one.bodyStructure.type, one.source.length];
  }
  await client.messageFlagsAdd({ seen: false }, ['\\\\Flagged', 'work']);
  const searched = await client.search({ flagged: true, from: 'carol' }, { uid: true });
  const added = await client.append('INBOX',
    'Subject: by imapflow\\r\\n\\r\\nx\\r\\n', ['\\\\Seen']);
  const moved = await client.messageMove('1', 'Work/Näher');
  await client.noop();
  const status = await client.status('Work/Näher', { messages: true, uidNext: true });
  const folders = (await client.list()).map((one) => one.path).sort();
  console.log(JSON.stringify({ exists: box.exists, found, searched, uid: added.uid,
    moved: [...moved.uidMap.values()], status: status.messages, folders, told }));
  await client.logout();
})().catch((fault) => { console.log(fault.stack); process.exit(1); });
"""


class MailLibraryTests(DaemonTestCase):
    def filled(self) -> str:
        """A user with two messages in INBOX."""
        user = self.user()
        ways_in.deliver(self.daemon, user, message("one"), message("two"))
        return user

    def test_imap_tools_reads_flags_moves_and_waits(self) -> None:
        user = self.filled()
        port = self.daemon.port("imaps")
        box = imap_tools.MailBox("127.0.0.1", port, ssl_context=ways_in.OPEN)
        with box.login(user, PASSWORD) as client:
            got = {mail.subject: mail for mail in client.fetch(mark_seen=False)}
            self.assertEqual(sorted(got), ["one", "two"])
            self.assertEqual(got["one"].text.strip(), "Hi.")
            client.folder.create("Work")
            client.flag([got["one"].uid], [imap_tools.MailMessageFlags.FLAGGED], True)
            (flagged,) = client.fetch(imap_tools.AND(flagged=True, subject="one"))
            self.assertIn("\\Flagged", flagged.flags)
            client.move([got["two"].uid], "Work")
            client.append(message("three"), "INBOX", flag_set=["\\Seen"])
            self.assertEqual(client.folder.status("Work")["MESSAGES"], 1)
            with client.idle as idle:
                ways_in.deliver(self.daemon, user, message("four"))
                told = b" ".join(idle.poll(timeout=10))
            self.assertIn(b"EXISTS", told)
            subjects = {mail.subject for mail in client.fetch(mark_seen=False)}
            self.assertEqual(subjects, {"one", "three", "four"})

    def test_aioimaplib_idles_and_fetches(self) -> None:
        asyncio.run(self.by_aioimaplib(self.filled()))

    async def by_aioimaplib(self, user: str) -> None:
        context = ssl._create_unverified_context()
        port = self.daemon.port("imaps")
        client = aioimaplib.IMAP4_SSL("127.0.0.1", port, ssl_context=context)
        await client.wait_hello_from_server()
        self.assertEqual((await client.login(user, PASSWORD)).result, "OK")
        self.assertEqual((await client.select("INBOX")).result, "OK")
        answer = await client.uid("fetch", "1:*", "(FLAGS RFC822.SIZE BODY.PEEK[])")
        bodies = [line for line in answer.lines if isinstance(line, bytearray)]
        self.assertEqual(len(bodies), 2)
        self.assertIn(b"\r\nSubject: one\r\n", bodies[0])
        self.assertEqual(
            (await client.uid_search("ALL")).lines[0].split(), [b"1", b"2"]
        )
        idle = await client.idle_start(timeout=20)
        ways_in.deliver(self.daemon, user, message("three"))
        told = await client.wait_server_push()
        self.assertTrue(any(b"3 EXISTS" in line for line in told), told)
        client.idle_done()
        await asyncio.wait_for(idle, 5)
        done = await client.store("1", "+FLAGS", r"(\Deleted)")
        self.assertEqual(done.result, "OK")
        self.assertEqual((await client.expunge()).lines[0], b"1 EXPUNGE")
        await client.logout()

    def test_imapflow_opens_fetches_searches_and_moves(self) -> None:
        user = self.filled()
        script = Path(self.mktemp()).absolute()
        script.write_text(IMAPFLOW)
        port = self.daemon.port("imaps")
        env = {"NODE_PATH": str(NODE / "node_modules")}
        _, said = run("node", script, port, user, PASSWORD, env=env)
        told = json.loads(said)
        self.assertEqual(told["exists"], 2)
        self.assertEqual(sorted(told["found"]), ["one", "two"])
        self.assertEqual(told["found"]["one"][:2], [1, "text/plain"])
        self.assertEqual(told["searched"], [1, 2])
        self.assertEqual((told["uid"], told["moved"], told["status"]), (3, [1], 1))
        self.assertIn("Work/N\xe4her", told["folders"])
        self.assertIn("exists 3", told["told"])
        self.assertIn("expunge 1", told["told"])
