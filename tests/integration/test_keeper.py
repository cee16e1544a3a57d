"""The keeper as it runs: a process of its own, real users, real PAM.

It needs root, as the keeper does."""

import json
import os
import random
import socket
import sys
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from mailtwist.errors import MailboxUnreachable, SourceDown
from mailtwist.keeper.packets import DISABLED, RIGHT, WRONG
from mailtwist.keeper.process import Settings, start
from tests.integration.system_users import PASSWORD, add_service, add_user
from tests.integration.users import tool
from tests.integration.world import until

ROOT = Path(__file__).parents[2]

# Tells of itself on its socket, and ends with it.
AGENT = """
import json, os, socket
sock = socket.socket(fileno=3)
status = open("/proc/self/status").read()
sock.sendall(json.dumps({
    "uids": os.getresuid(), "gids": os.getresgid(), "groups": os.getgroups(),
    "umask": os.umask(0), "environment": dict(os.environ), "folder": os.getcwd(),
    "descriptors": sorted(
        int(n) for n in os.listdir("/proc/self/fd")
        if os.path.exists(f"/proc/self/fd/{n}")
    ),
    "status": status,
}).encode() + b"\\n")
sock.recv(1)
"""


class KeeperTestCase(TestCase):
    timeout = 60

    def keeper(self, **settings):
        made = start(reactor, Settings(**{"least_uid": 1000, **settings}))
        self.addCleanup(lambda: Deferred.fromCoroutine(made.stop()))
        return made.keeper

    async def verify(self, keeper, service, user, password=PASSWORD, limit_s=20.0):
        return await keeper.verify(
            service,
            user,
            password.encode(),
            host="192.0.2.7",
            protocol="imap",
            limit_s=limit_s,
        )


class VerifyTests(KeeperTestCase):
    async def test_a_right_password_and_a_wrong_one(self):
        keeper, service, user = self.keeper(), add_service(self), add_user(self).name
        self.assertEqual(await self.verify(keeper, service, user), RIGHT)
        self.assertEqual(await self.verify(keeper, service, user, "wrong"), WRONG)
        self.assertEqual(await self.verify(keeper, service, "nobody-here"), WRONG)

    async def test_an_expired_account_is_told_apart_from_a_wrong_password(self):
        keeper, service, user = self.keeper(), add_service(self), add_user(self).name
        tool("chage", "--expiredate", "1970-01-02", user)
        self.assertEqual(await self.verify(keeper, service, user), DISABLED)
        self.assertEqual(await self.verify(keeper, service, user, "wrong"), WRONG)

    async def test_a_password_that_must_be_changed_is_no_way_in(self):
        keeper, service, user = self.keeper(), add_service(self), add_user(self).name
        tool("chage", "--lastday", "0", user)
        self.assertEqual(await self.verify(keeper, service, user), DISABLED)

    async def test_a_locked_account_has_no_right_password(self):
        keeper, service, user = self.keeper(), add_service(self), add_user(self).name
        tool("passwd", "--lock", user)
        self.assertEqual(await self.verify(keeper, service, user), WRONG)

    async def test_nobody_gets_in_without_a_password(self):
        keeper, service = self.keeper(), add_service(self)
        user = add_user(self, password="").name
        tool("passwd", "--delete", user)
        for password in ("", "\0", "any"):
            self.assertEqual(await self.verify(keeper, service, user, password), WRONG)

    async def test_users_below_the_least_uid_are_not_asked_for(self):
        """Even a stack that permits everything does not help to guess root's."""
        service = add_service(
            self, "auth required pam_permit.so\naccount required pam_permit.so\n"
        )
        user = add_user(self)
        keeper = self.keeper(least_uid=user.uid + 1)
        self.assertEqual(await self.verify(keeper, service, user.name), WRONG)
        self.assertEqual(await self.verify(keeper, service, "root"), WRONG)
        self.assertEqual(await self.verify(self.keeper(), service, user.name), RIGHT)

    async def test_a_service_that_is_not_there_is_down_and_not_wrong(self):
        keeper, user = self.keeper(), add_user(self).name
        for service in ("no-such-service", "../shadow", ""):
            with self.assertRaises(SourceDown):
                await self.verify(keeper, service, user)

    async def test_a_service_that_vanishes_while_it_is_asked_is_down_and_not_wrong(
        self,
    ):
        """libpam may not have found it either, and have asked another."""
        service = add_service(self)
        path = Path("/etc/pam.d", service)
        self.addCleanup(path.touch)
        path.write_text(
            f"auth optional pam_exec.so quiet /bin/rm {path}\n"
            "auth required pam_deny.so\naccount required pam_deny.so\n"
        )
        with self.assertRaises(SourceDown):
            await self.verify(self.keeper(), service, add_user(self).name)
        self.assertFalse(path.exists())

    async def test_the_service_as_installed(self):
        """Right, wrong and expired, as this machine asks for every other login."""
        service = add_service(self, (ROOT / "etc/pam.d/mailtwist").read_text())
        keeper, user = self.keeper(), add_user(self).name
        self.assertEqual(await self.verify(keeper, service, user), RIGHT)
        self.assertEqual(await self.verify(keeper, service, user, "wrong"), WRONG)
        self.assertEqual(await self.verify(keeper, service, "nobody-here"), WRONG)
        tool("chage", "--lastday", "0", user)
        self.assertEqual(await self.verify(keeper, service, user), DISABLED)
        tool("chage", "--lastday", "-1", "--expiredate", "1970-01-02", user)
        self.assertEqual(await self.verify(keeper, service, user), DISABLED)
        self.assertEqual(await self.verify(keeper, service, user, "wrong"), WRONG)

    async def test_only_services_of_the_configuration_are_asked(self):
        user, permits = add_user(self).name, "auth required pam_permit.so\n"
        other = add_service(self, permits + "account required pam_permit.so\n")
        keeper = self.keeper(services=[add_service(self)])
        with self.assertRaises(SourceDown):
            await self.verify(keeper, other, user)

    async def test_a_module_that_is_not_there_is_down(self):
        service = add_service(self, "auth required pam_missing_module.so\n")
        with self.assertRaises(SourceDown) as caught:
            await self.verify(self.keeper(), service, add_user(self).name)
        self.assertIn("Module is unknown", str(caught.exception.__cause__))

    async def test_a_stack_that_denies_the_account_is_told_apart(self):
        service = add_service(
            self, "auth required pam_permit.so\naccount required pam_deny.so\n"
        )
        user = add_user(self).name
        self.assertEqual(await self.verify(self.keeper(), service, user), DISABLED)

    async def test_modules_see_the_address_of_the_client(self):
        """pam_exec tells its environment."""
        seen = Path(self.mktemp()).absolute()
        seen.write_text("")
        service = add_service(
            self,
            f"auth optional pam_exec.so log={seen} /usr/bin/env\n"
            "auth required pam_permit.so\naccount required pam_permit.so\n",
        )
        user = add_user(self).name
        await self.verify(self.keeper(), service, user)
        told = seen.read_text()
        self.assertIn("PAM_RHOST=192.0.2.7", told)
        self.assertIn("PAM_TTY=imap", told)
        self.assertIn(f"PAM_USER={user}", told)
        self.assertNotIn(PASSWORD, told)

    async def test_a_slow_one_holds_up_nobody_and_is_ended_in_time(self):
        long_s = random.randrange(1000, 1_000_000)
        slow = add_service(
            self,
            f"auth required pam_exec.so quiet /bin/sleep {long_s}\n"
            "auth required pam_permit.so\n",
        )
        keeper, service, user = self.keeper(), add_service(self), add_user(self).name
        began = reactor.seconds()
        waiting = [
            Deferred.fromCoroutine(self.verify(keeper, slow, user, limit_s=3.0))
            for _ in range(5)
        ]
        self.assertEqual(await self.verify(keeper, service, user), RIGHT)
        self.assertLess(reactor.seconds() - began, 2.5)
        for each in waiting:
            with self.assertRaises(SourceDown):
                await each
        command = f"/bin/sleep\x00{long_s}"  # a killed process needs its turn to go
        until(lambda: command not in running_commands(), running_commands, wait_s=2.0)

    async def test_a_wrong_password_does_not_sleep_in_the_keeper(self):
        keeper, service, user = self.keeper(), add_service(self), add_user(self).name
        began = reactor.seconds()
        await self.verify(keeper, service, user, "wrong")
        self.assertLess(reactor.seconds() - began, 1.5)

    async def test_more_than_may_run_at_once_wait_for_each_other(self):
        keeper, service = self.keeper(checks=2), add_service(self)
        user = add_user(self).name
        asked = [
            Deferred.fromCoroutine(self.verify(keeper, service, user))
            for _ in range(20)
        ]
        self.assertEqual(await gatherResults(asked), [RIGHT] * 20)

    async def test_no_process_shows_the_password(self):
        slow = add_service(
            self,
            "auth required pam_exec.so quiet /bin/sleep 2\n"
            "auth required pam_permit.so\naccount required pam_permit.so\n",
        )
        keeper, secret = self.keeper(), "very-secret-word"
        asked = Deferred.fromCoroutine(
            self.verify(keeper, slow, add_user(self).name, secret)
        )
        await deferLater(reactor, 0.5)
        shown = [
            octets for part in ("cmdline", "environ") for _, octets in processes(part)
        ]
        self.assertGreater(len(shown), 4)
        for octets in shown:
            self.assertNotIn(secret.encode(), octets)
        self.assertEqual(await asked, RIGHT)


class AgentTests(KeeperTestCase):
    def keeper(self, **settings):
        program = Path(self.mktemp()).absolute()
        program.write_text(AGENT)
        for folder in (program, *program.parents):
            if folder.stat().st_uid == os.geteuid() and folder != Path("/"):
                folder.chmod(folder.stat().st_mode | 0o055)
        command = ("/usr/bin/python3", "-I", str(program))
        return super().keeper(agent=command, **settings)

    async def told(self, descriptor):
        """What the agent says of itself."""
        with socket.socket(fileno=descriptor) as stream:
            stream.setblocking(False)
            octets = b""
            while not octets.endswith(b"\n"):
                await deferLater(reactor, 0.02)
                try:
                    octets += stream.recv(65536)
                except BlockingIOError:
                    continue
        return json.loads(octets)

    async def test_it_has_the_rights_of_its_user_and_no_others(self):
        user = add_user(self)
        tool("usermod", "--append", "--groups", "mail", user.name)
        keeper = self.keeper()
        told = await self.told(await keeper.spawn(user.uid, user.gid))
        self.assertEqual(told["uids"], [user.uid] * 3)
        self.assertEqual(told["gids"], [user.gid] * 3)
        self.assertEqual(sorted(told["groups"]), sorted({8, user.gid}))
        self.assertEqual(told["umask"], 0o077)
        self.assertEqual(told["folder"], "/")
        self.assertEqual(told["descriptors"], [0, 1, 2, 3])
        self.assertIn("CapEff:\t0000000000000000", told["status"])
        environment = told["environment"]
        environment.pop("LC_CTYPE", None)
        self.assertEqual(
            environment,
            {
                "PATH": "/usr/bin:/bin",
                "LANG": "C.UTF-8",
                "HOME": str(user.home),
                "USER": user.name,
                "LOGNAME": user.name,
            },
        )

    async def test_a_uid_that_the_system_does_not_know_has_no_groups(self):
        told = await self.told(await self.keeper().spawn(59_900, 59_900))
        self.assertEqual(told["uids"], [59_900] * 3)
        self.assertEqual(told["groups"], [])

    async def test_nobody_becomes_root_or_somebody_of_the_system(self):
        keeper, user = self.keeper(), add_user(self)
        for uid, gid in (
            (0, 0),
            (0, 1000),
            (-1, 1000),
            (999, 1000),
            (user.uid, 0),
            (user.uid, 42),  # shadow
            (user.uid, -1),
            (59_900, 8),
        ):
            with self.assertRaises(MailboxUnreachable):
                await keeper.spawn(uid, gid)

    async def test_least_uid_zero_does_not_mean_root(self):
        with self.assertRaises(MailboxUnreachable):
            await self.keeper(least_uid=0).spawn(0, 1000)

    async def test_a_program_out_of_reach_is_told_at_once(self):
        hidden = Path(self.mktemp()).absolute()
        hidden.mkdir(mode=0o700)
        (hidden / "agent.py").write_text(AGENT)
        keeper = super().keeper(agent=(sys.executable, str(hidden / "agent.py")))
        with self.assertRaises(MailboxUnreachable):
            await keeper.spawn(59_900, 59_900)

    async def test_it_outlives_its_start_and_is_nobodys_zombie(self):
        user, keeper = add_user(self), self.keeper()
        first = await keeper.spawn(user.uid, user.gid)
        await self.told(first)  # closes it, so the agent ends
        await self.told(await keeper.spawn(user.uid, user.gid))
        for _ in range(100):
            if not any(uid == user.uid for uid in running_uids()):
                break
            await deferLater(reactor, 0.05)
        self.assertNotIn(user.uid, running_uids())


class OpenTests(KeeperTestCase):
    def file(self, text):
        path = Path(self.mktemp()).absolute()
        path.write_text(text)
        path.chmod(0o600)
        return str(path)

    async def test_it_opens_what_it_was_told_of_and_nothing_else(self):
        path, other = self.file("key"), self.file("other")
        keeper = self.keeper(files=(path,))
        with open(await keeper.open(path)) as opened:
            self.assertEqual(opened.read(), "key")
        for wrong in (other, path + "/../" + Path(other).name, "/etc/shadow", ""):
            with self.assertRaises(OSError):
                await keeper.open(wrong)

    async def test_a_renewed_file_is_the_new_one(self):
        path = self.file("old")
        keeper = self.keeper(files=(path,))
        os.replace(self.file("new"), path)
        with open(await keeper.open(path)) as opened:
            self.assertEqual(opened.read(), "new")

    async def test_a_link_in_a_folder_of_another_opens_nothing_of_roots(self):
        user, secret = add_user(self), self.file("of root")
        own, link = user.write("own", "his"), user.home / "link"
        link.symlink_to(secret)
        keeper = self.keeper(files=(str(own), str(link)))
        with open(await keeper.open(str(own))) as opened:
            self.assertEqual(opened.read(), "his")
        with self.assertRaises(PermissionError):
            await keeper.open(str(link))

    async def test_it_is_for_reading_only(self):
        path = self.file("key")
        opened = await self.keeper(files=(path,)).open(path)
        self.addCleanup(os.close, opened)
        with self.assertRaises(OSError):
            os.write(opened, b"x")

    async def test_a_missing_file_and_a_pipe_are_errors(self):
        pipe = str(Path(self.mktemp()).absolute())
        os.mkfifo(pipe)
        keeper = self.keeper(files=(pipe, pipe + "-missing"))
        with self.assertRaises(FileNotFoundError):
            await keeper.open(pipe + "-missing")
        with self.assertRaises(OSError):
            await keeper.open(pipe)


class LifeTests(KeeperTestCase):
    async def test_it_ends_with_its_socket(self):
        keeper = self.keeper()
        await self.verify(keeper, add_service(self), "nobody-here")
        before = keepers()
        self.assertEqual(len(before), 1)
        keeper.close()
        for _ in range(200):
            if not keepers():
                break
            await deferLater(reactor, 0.02)
        self.assertEqual(keepers(), [])
        with self.assertRaises(SourceDown):
            await self.verify(keeper, "any", "any")

    async def test_its_death_fails_what_waits_and_is_told(self):
        keeper, lost = self.keeper(), Deferred()
        keeper.when_lost.append(lambda: lost.callback(None))
        slow = add_service(self, "auth required pam_exec.so quiet /bin/sleep 3\n")
        asked = Deferred.fromCoroutine(
            self.verify(keeper, slow, add_user(self).name, limit_s=10)
        )
        await deferLater(reactor, 0.5)
        os.kill(keepers()[0], 9)
        await lost
        with self.assertRaises(SourceDown):
            await asked
        with self.assertRaises(MailboxUnreachable):
            await keeper.spawn(1000, 1000)
        with self.assertRaises(OSError):
            await keeper.open("/any")

    async def test_a_wait_that_is_given_up_hurts_nobody(self):
        keeper, service, user = self.keeper(), add_service(self), add_user(self).name
        asked = Deferred.fromCoroutine(self.verify(keeper, service, user))
        asked.addErrback(lambda failure: None)
        asked.cancel()
        self.assertEqual(await self.verify(keeper, service, user), RIGHT)


def processes(part):
    """(pid, octets of that file) of each process."""
    for path in Path("/proc").glob(f"[0-9]*/{part}"):
        try:
            yield int(path.parent.name), path.read_bytes()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue


def running_commands():
    return "\n".join(octets.decode("latin-1") for _, octets in processes("cmdline"))


def running_uids():
    return {
        int(line.split()[1])
        for _, status in processes("status")
        for line in status.decode().splitlines()
        if line.startswith("Uid:")
    }


def keepers():
    """Pids of keepers that this process started."""
    parents = {
        pid: int(octets.rpartition(b")")[2].split()[1])
        for pid, octets in processes("stat")
    }
    return [
        pid
        for pid, octets in processes("cmdline")
        if b"/keeper/__main__.py" in octets and parents.get(pid) == os.getpid()
    ]
