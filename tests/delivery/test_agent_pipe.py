"""Commands, mbox files and Maildirs, with real programs."""

import os
import signal
import stat
from pathlib import Path

from attrs import evolve
from twisted.internet import defer, reactor
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from mailtwist.address import Address
from mailtwist.config.model import Config
from mailtwist.config.routing import Alias
from mailtwist.delivery import agent_process
from mailtwist.delivery.agent_pipe import FileTransport, PipeTransport
from mailtwist.delivery.agent_user import Identities
from mailtwist.delivery.model import Route
from mailtwist.directory.model import Account
from mailtwist.errors import MailError
from mailtwist.interfaces import IContent, ITransport
from mailtwist.queue.model import Job, QueuedMessage, QueuedRecipient

MESSAGE = b"Subject: x\r\n\r\nhello\r\nFrom me\r\n.\r\nend\r\n"


@implementer(IContent)
class Content:
    def __init__(self, octets):
        self.octets, self._octets = len(octets), octets
        self.fault = None

    async def read(self, start, count):
        if self.fault is not None and start:
            raise self.fault
        return self._octets[start : start + count]


class Directory:
    def __init__(self, home):
        self.home = str(home)

    async def account(self, name):
        return Account(name, self.home) if name == "ann@example.test" else None


class AgentTests(TestCase):
    def setUp(self):
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.alias = Alias(command_s=20.0)

    def script(self, text):
        """A program; $PLACE is the test's folder."""
        path = self.folder / "program"
        path.write_text(f"#!/bin/sh\nPLACE={self.folder}\n{text}\n")
        path.chmod(0o755)
        return str(path)

    def job(self, transport, next_hop, address="prog+x@example.test", **message):
        sender = message.pop("sender", Address("eve", "else.test"))
        recipient = QueuedRecipient(
            1,
            Address.parse(address),
            Route(transport, next_hop),
            Address.parse("list@example.test"),
            run_as=message.pop("run_as", ""),
        )
        queued = QueuedMessage("Q1", sender, 99, 0.0, 1.0)
        return Job(queued, (recipient,), sender, recipient.route)

    def transport(self, kind, config):
        directory = Directory(self.folder)
        identities = Identities(directory, "nobody", deferToThread, lambda: False)
        return kind(config, identities, self.run_as_ourselves)

    async def run_as_ourselves(self, identity, program, content):
        self.assertIsNone(identity.uid)
        return await agent_process.run_program(reactor, program, content)

    async def attempt(self, job, octets=MESSAGE, content=None):
        kind = PipeTransport if job.route.transport == "pipe" else FileTransport
        transport = self.transport(kind, Config(alias=self.alias))
        (outcome,) = await transport.attempt(job, content or Content(octets))
        return outcome

    async def run_script(self, text, octets=MESSAGE, arguments="", **options):
        command = f"{self.script(text)} {arguments}"
        return await self.attempt(self.job("pipe", command, **options), octets)

    def test_they_are_transports(self):
        for kind in (PipeTransport, FileTransport):
            verifyObject(ITransport, self.transport(kind, Config()))

    async def test_a_command_gets_the_message_and_who_it_is_for(self):
        outcome = await self.run_script(
            'cat > "$PLACE/got"; env > "$PLACE/env"; echo "$*" > "$PLACE/arguments"',
            arguments="-f ${sender} $RECIPIENT",
        )
        self.assertIsNone(outcome.fault)
        self.assertEqual(outcome.action, "delivered")
        first, *lines = (self.folder / "got").read_text().split("\n")
        self.assertRegex(
            first, r"^From eve@else\.test  \w{3} \w{3} [ \d]\d [\d:]{8} \d{4}$"
        )
        self.assertEqual(
            lines,
            [
                "Return-Path: <eve@else.test>",
                "X-Original-To: list@example.test",
                "Delivered-To: prog+x@example.test",
                "Subject: x",
                "",
                "hello",
                "From me",
                ".",
                "end",
                "",
            ],
        )
        told = dict(
            line.split("=", 1)
            for line in (self.folder / "env").read_text().splitlines()
        )
        for name, value in {
            "SENDER": "eve@else.test",
            "RECIPIENT": "prog+x@example.test",
            "ORIGINAL_RECIPIENT": "list@example.test",
            "LOCAL": "prog+x",
            "DOMAIN": "example.test",
            "EXTENSION": "x",
        }.items():
            self.assertEqual(told[name], value, name)
        self.assertNotIn("MAILTWIST_CONFIG", told)
        arguments = (self.folder / "arguments").read_text()
        self.assertEqual(arguments, "-f eve@else.test prog+x@example.test\n")

    async def test_the_null_sender(self):
        await self.run_script(
            'cat > "$PLACE/got"; echo "[$SENDER]"; exit 1', sender=None
        )
        lines = (self.folder / "got").read_text().split("\n")
        self.assertTrue(lines[0].startswith("From MAILER-DAEMON  "))
        self.assertEqual(lines[1], "Return-Path: <>")

    async def test_its_exit_decides(self):
        for text, status, why in [
            ("exit 0", None, "delivered"),
            ("exit 75", "4.3.0", "temporary"),
            ("exit 67", "5.1.1", "unknown"),
            ("exit 3", "5.3.0", "any other"),
            ("kill -9 $$", "4.3.0", "a signal"),
            ("echo 5.7.1 no; exit 1", "5.7.1", "its own words"),
        ]:
            outcome = await self.run_script(text)
            found = outcome.fault and outcome.fault.status
            self.assertEqual(found, status, why)

    async def test_a_command_that_reads_nothing_has_its_say(self):
        outcome = await self.run_script("exec <&-; exit 0", octets=b"x\r\n" * 400_000)
        self.assertIsNone(outcome.fault)

    async def test_a_large_message_comes_whole_whatever_it_is_cut_into(self):
        octets = b"Subject: x\r\n\r\n" + b"0123456\r\n" * 100_003 + b"\r\rx\r"
        outcome = await self.run_script('sleep 0.1; cat > "$PLACE/got"', octets=octets)
        self.assertIsNone(outcome.fault)
        got = (self.folder / "got").read_bytes()
        self.assertTrue(got.endswith(octets.replace(b"\r\n", b"\n")))

    async def test_output_is_bounded(self):
        self.alias = evolve(self.alias, output_octets=10)
        outcome = await self.run_script("yes 1234567 | head -c 1000000; exit 1")
        self.assertEqual(
            outcome.fault.public, "Command failed with status 1: 1234567 12"
        )

    async def test_a_command_that_hangs_is_killed(self):
        self.alias = evolve(self.alias, command_s=0.2)
        outcome = await self.run_script('echo $$ > "$PLACE/pid"; exec sleep 600')
        self.assertEqual(outcome.fault.status, "4.3.0")
        pid = int((self.folder / "pid").read_text())
        self.assertRaises(ProcessLookupError, os.kill, pid, 0)

    async def test_what_it_left_behind_is_not_waited_for(self):
        self.patch(agent_process, "LINGER_S", 0.1)
        outcome = await self.run_script('sleep 600 & echo $! > "$PLACE/pid"; exit 67')
        os.kill(int((self.folder / "pid").read_text()), signal.SIGKILL)
        self.assertEqual(outcome.fault.status, "5.1.1")
        await pause()

    async def test_cancelling_kills_it(self):
        job = self.job("pipe", self.script('echo $$ > "$PLACE/pid"; exec sleep 600'))
        attempt = defer.Deferred.fromCoroutine(self.attempt(job))
        pid = self.folder / "pid"
        for _ in range(500):
            if pid.exists() and pid.read_text().endswith("\n"):
                break
            await pause()
        attempt.cancel()
        with self.assertRaises(defer.CancelledError):
            await attempt
        for _ in range(500):
            if not os.path.exists(f"/proc/{pid.read_text().strip()}"):
                break
            await pause()
        self.assertFalse(os.path.exists(f"/proc/{pid.read_text().strip()}"))

    async def test_what_cannot_be_run_waits(self):
        odd = self.folder / "odd"
        odd.write_text("#!/nowhere/interpreter\n")
        odd.chmod(0o755)
        for command, why in [
            ("/nowhere/program", "no such program"),
            (str(self.folder), "a folder"),
            ("relative", "no absolute path"),
            ("/bin/cat > /tmp/x", "it needs a shell"),
            (str(odd), "no interpreter"),
        ]:
            outcome = await self.attempt(self.job("pipe", command))
            self.assertEqual(outcome.fault.status, "4.3.5", why)

    async def test_a_message_that_was_here_before_is_a_loop(self):
        octets = b"Received: x\r\nDelivered-To: Prog+x@example.test\r\n" + MESSAGE
        outcome = await self.run_script("exit 0", octets=octets)
        self.assertEqual(outcome.fault.status, "5.4.6")
        octets = MESSAGE + b"Delivered-To: prog+x@example.test\r\n"
        outcome = await self.run_script("exit 0", octets=octets)
        self.assertIsNone(outcome.fault)

    async def test_a_message_that_cannot_be_read_waits(self):
        content = Content(b"x" * 1_000_000)
        content.fault = MailError("Disk broken")
        job = self.job("pipe", self.script("cat >/dev/null"))
        outcome = await self.attempt(job, content=content)
        self.assertEqual(outcome.fault.public, "Disk broken")

    async def test_an_account_that_is_gone_runs_nothing(self):
        outcome = await self.run_script("exit 0", run_as="bob@example.test")
        self.assertEqual(outcome.fault.status, "5.1.1")

    async def test_an_mbox_grows_by_one_message_each_time(self):
        path = self.folder / "mbox"
        for _ in range(2):
            outcome = await self.attempt(self.job("file", str(path)))
            self.assertIsNone(outcome.fault)
        text = path.read_text()
        self.assertEqual(text.count("\nFrom eve@else.test  ") + 1, 2)
        self.assertEqual(text.count("\nhello\n>From me\n.\nend\n\n"), 2)
        self.assertTrue(text.endswith("end\n\n"))
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
        self.assertFalse((self.folder / "mbox.lock").exists())

    async def test_a_maildir_gets_a_file(self):
        path = self.folder / "Maildir"
        outcome = await self.attempt(self.job("file", f"{path}/"))
        self.assertIsNone(outcome.fault)
        (found,) = (path / "new").iterdir()
        self.assertTrue(found.read_text().startswith("Return-Path: <eve@else.test>\n"))
        self.assertEqual(list((path / "tmp").iterdir()), [])

    async def test_a_file_that_cannot_be_written_waits(self):
        link = self.folder / "link"
        link.symlink_to("/etc/passwd")
        fifo = self.folder / "fifo"
        os.mkfifo(fifo)
        for path in (link, fifo, self.folder, "/nowhere/mbox", "/proc/mbox/"):
            outcome = await self.attempt(self.job("file", str(path)))
            self.assertEqual(outcome.fault.status, "4.2.0", path)


def pause():
    """One turn of the reactor."""
    waited = defer.Deferred()
    reactor.callLater(0.01, waited.callback, None)
    return waited
