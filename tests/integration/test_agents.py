"""Store agents as processes of real users of this machine: what they do, and what a
user cannot make them do."""

import os
import signal
import stat
from pathlib import Path

from attrs import evolve
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import TestCase

from mailtwist.address import Address
from mailtwist.config.model import Agents, Config, Server
from mailtwist.config.reading import Imap4
from mailtwist.config.searching import Search
from mailtwist.delivery.agent_process import Program
from mailtwist.delivery.agent_user import Identity
from mailtwist.delivery.model import Envelope, LocalRecipient
from mailtwist.directory.model import Account
from mailtwist.errors import MailboxUnreachable, MailError
from mailtwist.keeper.process import Keepers
from mailtwist.mailbox.model import INBOX, Range
from mailtwist.service.agents import Runner, build_agents
from mailtwist.service.privileges import keeper_settings
from mailtwist.store.agent.store import AgentStore
from mailtwist.store.memory import MemoryStore
from tests.delivery.test_agent_pipe import Content
from tests.integration.users import Users

MESSAGE = b"Subject: x\r\n\r\nhello\r\n"


class AgentTestCase(TestCase):
    timeout = 60
    search = Search()

    def setUp(self):
        self.assertEqual(os.geteuid(), 0, "only root can make users")
        self.users = Users()
        self.addCleanup(self.users.remove)
        self.data = self.users.folder / "data"
        self.data.mkdir(0o700)
        self.log = []
        globalLogPublisher.addObserver(self.log.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.log.append)
        self.begin()

    def begin(self, **options):
        config = Config(
            server=Server(data=str(self.data)),
            agents=Agents(**options),
            imap4=Imap4(poll_s=0.2),
            search=self.search,
        )
        keepers = Keepers(reactor, keeper_settings(config, "mx.test"))
        self.agents = build_agents(reactor, config, keepers)
        self.addCleanup(lambda: Deferred.fromCoroutine(keepers.stop()))
        self.addCleanup(lambda: Deferred.fromCoroutine(self.agents.close()))
        self.store = AgentStore(MemoryStore(), self.agents)

    def account(self, user, **more):
        account = Account(f"{user.name}@example.test", str(user.home))
        return evolve(account, uid=user.uid, gid=user.gid, **more)

    def sink(self, *accounts):
        to = [LocalRecipient(Address.parse(one.name), one) for one in accounts]
        return self.store.delivery().begin(Envelope("m1", "s1", None, tuple(to)))

    async def deliver(self, *accounts, octets=MESSAGE):
        """The verdicts' status codes."""
        sink = self.sink(*accounts)
        sink.write(octets)
        try:
            verdicts = await sink.commit()
        except MailError as fault:
            verdicts = [fault] * len(accounts)
        return [fault and fault.status for fault in verdicts]

    def told(self):
        return "\n".join(str(line.get("text", "")) for line in self.log)

    async def until(self, what):
        for _ in range(1000):
            if found := what():
                return found
            await deferLater(reactor, 0.02)
        raise AssertionError(f"it did not come to pass\n{self.told()}")


class MailTests(AgentTestCase):
    async def test_mail_is_the_user_s_own_and_for_nobody_else(self):
        ann, bob = self.users.add(), self.users.add()
        verdicts = await self.deliver(self.account(ann), self.account(bob))
        self.assertEqual(verdicts, [None, None])
        for user in (ann, bob):
            (path,) = user.mail()
            seen = path.stat()
            self.assertEqual((seen.st_uid, seen.st_gid), (user.uid, user.gid))
            self.assertEqual(stat.S_IMODE(seen.st_mode), 0o600)
            for above in (path.parent, path.parent.parent):
                self.assertEqual(above.stat().st_uid, user.uid)
                self.assertEqual(stat.S_IMODE(above.stat().st_mode), 0o700)
        self.assertNotEqual(bob.run("cat", ann.mail()[0]).returncode, 0)

    async def test_its_state_is_beside_the_server_s_and_for_nobody_else(self):
        ann, bob = self.users.add(), self.users.add()
        mailbox = await self.store.mailboxes(self.account(ann)).open(INBOX)
        await mailbox.close()
        folder = self.data / "agents" / str(ann.uid)
        self.assertEqual(folder.stat().st_uid, ann.uid)
        self.assertEqual(stat.S_IMODE(folder.stat().st_mode), 0o700)
        self.assertEqual(len(list(folder.glob("*/state.sqlite"))), 1)
        self.assertNotEqual(bob.run("ls", folder).returncode, 0)
        self.assertEqual(sorted(os.listdir(ann.home)), ["Maildir"])

    async def test_it_has_the_user_s_rights_and_no_descriptor_of_ours(self):
        ann = self.users.add()
        held = open(self.users.folder / "secret", "w")  # noqa: SIM115
        self.addCleanup(held.close)
        await self.store.mailboxes(self.account(ann)).status(INBOX)
        (pid,) = ann.processes()
        status = Path(f"/proc/{pid}/status").read_text()
        for name, number in (("Uid", ann.uid), ("Gid", ann.gid)):
            four = "\t".join([f"{name}:", *4 * [str(number)]])
            self.assertIn(f"{four}\n", status)
        self.assertRegex(status, r"CapEff:\s0+\n")
        groups = status.partition("Groups:\t")[2].partition("\n")[0].split()
        self.assertEqual(groups, [str(ann.gid)])
        links = {os.readlink(f"/proc/{pid}/fd/{n}") for n in range(3)}
        self.assertEqual(links - {"/dev/null"}, {i for i in links if "pipe" in i})
        for name in os.listdir(f"/proc/{pid}/fd"):
            link = os.readlink(f"/proc/{pid}/fd/{name}")
            self.assertNotIn("secret", link)
        self.assertIn("PYTHONPATH", Path(f"/proc/{pid}/environ").read_text())
        self.assertNotIn("HOME=/root", Path(f"/proc/{pid}/environ").read_text())

    async def test_flags_and_changes_of_others_come_through(self):
        ann = self.users.add()
        account = self.account(ann)
        await self.deliver(account)
        mailbox = await self.store.mailboxes(account).open(INBOX)
        rows = await mailbox.rows()
        (octets,) = await mailbox.octets([Range(rows.uids[0])])
        self.assertIn(MESSAGE, octets)
        told = []
        mailbox.watch(told.append)
        await mailbox.changes(0)
        another = ann.write("another", MESSAGE.decode())
        another.rename(ann.home / "Maildir/new/another")
        await self.until(lambda: told)
        await mailbox.close()

    async def test_one_that_is_idle_ends(self):
        ann = self.users.add()
        self.begin(idle_s=1.0)
        await self.store.mailboxes(self.account(ann)).status(INBOX)
        self.assertEqual(len(ann.processes()), 1)
        await self.until(lambda: not ann.processes())
        self.assertEqual(await self.deliver(self.account(ann)), [None])

    async def test_it_ends_when_the_server_is_gone(self):
        ann = self.users.add()
        await self.store.mailboxes(self.account(ann)).status(INBOX)
        self.agents.of(ann.uid, ann.gid).transport.abortConnection()
        await self.until(lambda: not ann.processes())

    async def test_one_that_is_killed_loses_and_doubles_nothing(self):
        ann = self.users.add()
        account = self.account(ann)
        mailbox = await self.store.mailboxes(account).open(INBOX)
        told = []
        mailbox.watch(told.append)
        sink = self.sink(account)
        sink.write(b"Subject: half\r\n")
        (pid,) = await self.until(ann.processes)
        os.kill(pid, signal.SIGKILL)
        with self.assertRaises(MailboxUnreachable):
            await sink.commit()
        await self.until(lambda: told)
        self.assertEqual(told, [0])
        self.assertEqual(ann.mail(), [])
        await self.until(self.may_start)
        self.assertEqual(await self.deliver(account), [None])
        self.assertEqual(len(ann.mail()), 1)
        self.assertEqual((await mailbox.changes(0)).rows.uids, [1])
        self.assertNotIn(pid, ann.processes())

    def may_start(self):
        """True if none failed so lately that it has to wait."""
        now = reactor.seconds()
        return all(one.next_s <= now for one in self.agents._failed.values())


class ExtractTests(AgentTestCase):
    search = Search(
        index="manual",
        extract={"application/x": ("sh", "-c", "cat; id -u; id -G; env | wc -l")},
    )

    async def test_commands_for_attachments_run_as_the_user(self):
        ann = self.users.add()
        octets = b"Content-Type: application/x\r\n\r\nlighthouse\r\n"
        self.assertEqual(await self.deliver(self.account(ann), octets=octets), [None])
        tree = self.store.mailboxes(self.account(ann))
        self.assertEqual((await tree.index_text()).added, 1)
        mailbox = await tree.open(INBOX)
        found = await mailbox.text_extracts([1, 2])
        await mailbox.keep_threads("REFS", b"these", b"(1)")
        self.assertEqual(await mailbox.kept_threads("REFS", b"these"), b"(1)")
        self.assertIsNone(await mailbox.kept_threads("REFS", b"others"))
        await mailbox.close()
        self.assertIsNone(found[1])
        words, uid, groups, *_ = found[0].split("\n")
        self.assertEqual(
            (words.strip(), uid, groups), ("lighthouse", str(ann.uid), str(ann.gid))
        )


class AttackTests(AgentTestCase):
    """What a user may do to his own home."""

    def setUp(self):
        super().setUp()
        self.ann, self.bob = self.users.add(), self.users.add()
        self.account_a = self.account(self.ann)
        self.root = self.users.folder / "of-root"
        self.root.mkdir(0o700)
        self.secret = self.root / "secret"
        self.secret.write_text("hidden@else.test\n")
        self.secret.chmod(0o600)

    async def refused(self, why):
        self.assertEqual(await self.deliver(self.account_a), ["4.3.0"], why)
        with self.assertRaises(MailboxUnreachable):
            await self.store.mailboxes(self.account_a).status(INBOX)

    async def test_a_maildir_that_is_another_s(self):
        theirs = self.bob.make_maildir()
        self.bob.home.chmod(0o777)
        for path in (theirs, *theirs.iterdir()):
            path.chmod(0o777)
        link = self.ann.home / "Maildir"
        for target in (theirs, self.root, Path("/root"), Path("/etc")):
            link.symlink_to(target)
            await self.refused(target)
            link.unlink()
        self.assertEqual(self.bob.mail(), [])

    async def test_a_part_of_the_maildir_that_is_another_s(self):
        theirs = self.bob.make_maildir()
        self.bob.home.chmod(0o777)
        for part in ("new", "tmp", "cur"):
            (theirs / part).chmod(0o777)
            mine = self.ann.make_maildir(self.ann.home / f"with-{part}")
            (mine / part).rmdir()
            (mine / part).symlink_to(theirs / part)
            self.account_a = self.account(self.ann, mailbox=f"with-{part}/")
            await self.refused(part)
        self.assertEqual(self.bob.mail(), [])

    async def test_a_link_to_another_folder_of_the_user_is_his_business(self):
        mine = self.ann.make_maildir(self.ann.home / "elsewhere")
        (self.ann.home / "Maildir").symlink_to(mine)
        self.assertEqual(await self.deliver(self.account_a), [None])

    async def test_a_message_that_is_a_link_shows_nothing_he_may_not_read(self):
        maildir = self.ann.make_maildir()
        (maildir / "new" / "link").symlink_to(self.secret)
        os.link(self.secret, maildir / "new" / "hard")
        await self.deliver(self.account_a)
        mailbox = await self.store.mailboxes(self.account_a).open(INBOX)
        rows = await mailbox.rows()
        seen = await mailbox.octets([Range(uid) for uid in rows.uids])
        self.assertNotIn("hidden", repr(seen))
        self.assertIn("hello", repr(seen))
        await mailbox.close()

    async def test_a_home_that_is_missing_or_closed_makes_mail_wait(self):
        away = self.ann.home.rename(self.users.folder / "away")
        self.users.folder.chmod(0o777)  # where he might even make one
        await self.refused("missing")
        self.assertFalse(self.ann.home.exists())
        away.rename(self.ann.home)
        self.ann.home.chmod(0)
        self.assertEqual(await self.deliver(self.account_a), ["4.3.0"])
        self.ann.home.chmod(0o700)
        self.assertEqual(await self.deliver(self.account_a), [None])

    async def forward(self):
        found = await self.store.forward(self.account_a, [".forward"])
        return found and found[1]

    async def test_lists_that_are_not_his(self):
        forward = self.ann.home / ".forward"
        self.assertIsNone(await self.forward())
        forward.symlink_to(self.secret)
        self.assertIsNone(await self.forward(), "a link to root's")
        forward.unlink()
        os.link(self.secret, forward)
        self.assertIsNone(await self.forward(), "a hard link to root's")
        self.secret.chmod(0o644)
        self.assertIsNone(await self.forward(), "one that everybody may read")
        forward.unlink()
        os.mkfifo(forward)
        self.ann.give(forward)
        self.assertIsNone(await self.forward(), "a pipe")
        forward.unlink()
        self.ann.write(".forward", "x@else.test", 0o666)
        self.assertIsNone(await self.forward(), "others may write it")
        self.ann.write(".forward", "x@else.test")
        self.assertEqual(await self.forward(), "x@else.test")
        self.assertIn("is not followed", self.told())

    async def test_a_data_folder_that_its_owner_turned_against_root(self):
        other = self.bob.home / "agents"
        other.mkdir()
        self.bob.give(other, self.data)
        (self.data / "agents").symlink_to(other)
        self.assertEqual(await self.deliver(self.account_a), ["4.3.0"])
        (self.data / "agents").unlink()
        other.rename(self.data / "agents")
        self.assertEqual(await self.deliver(self.account_a), ["4.3.0"])
        self.assertEqual(os.listdir(self.data / "agents"), [])


class ProgramTests(AgentTestCase):
    """Commands and files."""

    def setUp(self):
        super().setUp()
        self.ann = self.users.add()
        self.runner = Runner(reactor, self.agents)

    def run_program(self, *words, octets=MESSAGE, before=b"", timeout_s=20.0):
        ann = self.ann
        identity = Identity(ann.name, str(ann.home), ann.uid, ann.gid)
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(ann.home)}
        program = Program(
            list(words), environment, str(ann.home), before, timeout_s, 4096
        )
        return Deferred.fromCoroutine(
            self.runner.run(identity, program, Content(octets))
        )

    async def test_a_command_is_the_user_s_and_has_nothing_of_ours(self):
        script = self.ann.write(
            "run",
            "#!/bin/sh\nid -u; id -g; id -G; pwd; env; ls -l /proc/$$/fd; cat > got\n",
            0o700,
        )
        held = open(self.users.folder / "secret", "w")  # noqa: SIM115
        self.addCleanup(held.close)
        ended = await self.run_program(str(script), before=b"From x\n")
        self.assertEqual(ended.status, 0)
        uid, gid, groups, place, *rest = ended.output.decode().splitlines()
        told = [str(self.ann.uid), str(self.ann.gid), str(self.ann.gid)]
        self.assertEqual([uid, gid, groups, place], [*told, str(self.ann.home)])
        names = {line.partition("=")[0] for line in rest if "=" in line}
        self.assertEqual(names - {"PATH", "HOME", "PWD", "OLDPWD", "_", "SHLVL"}, set())
        links = [line.partition(" -> ")[2] for line in rest if " -> " in line]
        self.assertEqual([one for one in links if "secret" in one], [])
        self.assertEqual([one for one in links if "socket" in one], [])
        got = self.ann.home / "got"
        self.assertEqual(got.read_bytes(), b"From x\n" + MESSAGE.replace(b"\r", b""))
        self.assertEqual(got.stat().st_uid, self.ann.uid)

    async def test_a_large_message_comes_whole(self):
        octets = b"0123456\r\n" * 1_000_003
        script = self.ann.write("run", "#!/bin/sh\nsleep 0.2; cat > got\n", 0o700)
        ended = await self.run_program(str(script), octets=octets)
        self.assertEqual(ended.status, 0)
        got = (self.ann.home / "got").read_bytes()
        self.assertEqual(got, octets.replace(b"\r\n", b"\n"))

    async def test_one_that_reads_nothing_or_hangs_ends(self):
        octets = b"0123456\r\n" * 1_000_003
        script = self.ann.write("run", "#!/bin/sh\nexec <&-; exit 67\n", 0o700)
        ended = await self.run_program(str(script), octets=octets)
        self.assertEqual(ended.status, 67)
        script = self.ann.write("hang", "#!/bin/sh\nexec sleep 600\n", 0o700)
        ended = await self.run_program(str(script), octets=octets, timeout_s=0.5)
        self.assertTrue(ended.late)

    async def test_one_that_nobody_waits_for_is_killed(self):
        script = self.ann.write(
            "run", "#!/bin/sh\necho $$ > pid; exec sleep 600\n", 0o700
        )
        running = self.run_program(str(script))
        pid = self.ann.home / "pid"
        await self.until(lambda: pid.exists() and pid.read_text().endswith("\n"))
        running.addErrback(lambda failure: None)
        running.cancel()
        await self.until(lambda: int(pid.read_text()) not in self.ann.processes())

    async def test_what_the_user_may_not_run_is_not_run(self):
        for path in ("/nowhere/program", "/root", "/etc/shadow"):
            with self.assertRaises(MailError) as caught:
                await self.run_program(path)
            self.assertEqual(caught.exception.status, "4.3.5", path)

    async def test_nothing_runs_as_root(self):
        for identity in (Identity("x", "/", 0, 0), Identity("x", "/", 7001, 0)):
            program = Program(["/bin/true"], {}, "/", b"", 5.0, 10)
            with self.assertRaises(MailboxUnreachable):
                await self.runner.run(identity, program, Content(MESSAGE))

    async def test_a_thread_finds_the_command_user(self):
        from mailtwist.delivery.agent_user import Identities

        identities = Identities(None, self.ann.name, deferToThread, lambda: True)
        identity = await identities.of("")
        self.assertEqual((identity.uid, identity.gid), (self.ann.uid, self.ann.gid))
