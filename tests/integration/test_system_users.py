"""A daemon whose accounts are real users of this machine, over SMTP, POP3 and IMAP."""

import atexit
import contextlib
import grp
import os
import random
import shutil
import signal
import smtplib
import socket
import stat
import threading
from collections import Counter
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from mailtwist.keeper import spool
from tests.integration.daemon import DOMAIN
from tests.integration.system_daemon import SystemDaemon
from tests.integration.users import Users
from tests.integration.ways_in import (
    deliver,
    imap,
    imapclient,
    messages,
    pop3_login,
)
from tests.integration.world import until

MESSAGE = b"Subject: hello\r\n\r\nfirst line\r\n"


class SystemUsersTestCase(SynchronousTestCase):
    """One daemon for all; it ends with the test run."""

    timeout = 300
    daemon = None

    def setUp(self):
        self.assertEqual(os.geteuid(), 0, "only root can make users")
        if SystemUsersTestCase.daemon is None:
            users = Users()
            atexit.register(users.remove)
            daemon = SystemDaemon(users)
            atexit.register(daemon.remove)
            daemon.start()
            SystemUsersTestCase.daemon = daemon
        self.daemon = SystemUsersTestCase.daemon
        self.before = len(self.daemon.logged())
        self.user, self.name = self.daemon.add()

    def tearDown(self):
        self.assertNotIn("Traceback", self.daemon.logged()[self.before :])

    def deliver(self, *octets, to=""):
        deliver(self.daemon, to or self.name, *(octets or (MESSAGE,)))

    def refused(self, name=""):
        """The code that a client hears."""
        try:
            self.deliver(to=name)
        except smtplib.SMTPRecipientsRefused as refused:
            ((code, _),) = refused.recipients.values()
            return code
        except smtplib.SMTPDataError as refused:
            return refused.smtp_code
        return 250

    def agent(self, user=None):
        """The pid of the user's agent."""
        (pid,) = until(lambda: (user or self.user).processes(), self.daemon.logged)
        return pid


class MailTests(SystemUsersTestCase):
    def test_mail_is_the_user_s_and_every_protocol_reads_it(self):
        self.deliver(MESSAGE, MESSAGE)
        first, second = self.user.mail()
        for path in (first, second):
            seen = path.stat()
            self.assertEqual((seen.st_uid, seen.st_gid), (self.user.uid, self.user.gid))
            self.assertEqual(stat.S_IMODE(seen.st_mode), 0o600)
        other, _ = self.daemon.add()
        for one in (other, self.daemon.server):
            self.assertNotEqual(one.run("cat", first).returncode, 0)
        self.assertEqual(len(messages(self.daemon, self.name)), 2)
        client = pop3_login(self.daemon, self.name)
        client.dele(1)
        client.quit()
        self.assertEqual(len(self.user.mail()), 1)
        for client in imapclient(self.daemon, self.name):
            client.select_folder("INBOX")
            (uid,) = client.search("ALL")
            client.add_flags(uid, ["\\Flagged"])
            client.create_folder(f"Box {uid} {id(client)}")
            client.append("INBOX", MESSAGE)
            client.copy([uid], f"Box {uid} {id(client)}")
            client.delete_messages(client.search("UNFLAGGED"))
            client.expunge()
            client.logout()
        (path,) = self.user.mail()
        self.assertTrue(path.name.endswith(":2,FS") or path.name.endswith(":2,F"))
        for folder, _, files in os.walk(self.user.home):
            for name in ["", *files]:
                seen = os.lstat(os.path.join(folder, name))
                self.assertEqual(seen.st_uid, self.user.uid, (folder, name))

    def test_one_message_goes_to_users_and_others(self):
        other, name = self.daemon.add()
        virtual = self.daemon.add_user(f"v{other.name}")
        with smtplib.SMTP("127.0.0.1", self.daemon.port("smtp")) as client:
            client.sendmail("x@else.test", [self.name, name, virtual], MESSAGE)
        for one in (self.name, name, virtual):
            self.assertEqual(len(messages(self.daemon, one)), 1)

    def test_mail_goes_through_the_user_s_script(self):
        script = self.daemon.folder / "script"
        script.write_text(
            'require ["fileinto", "mailbox", "imap4flags", "vacation"];'
            'if header "subject" "hello" {'
            ' fileinto :create :flags "\\\\Seen Work" "Hello"; }'
            'else { vacation "Away"; }'
        )
        words = ("sieve", "put", self.name, "a", str(script), "--activate")
        self.daemon.command(*words)
        self.deliver(MESSAGE, b"To: %b\r\n\r\nb" % self.name.encode())
        starttls, client = imapclient(self.daemon, self.name)
        starttls.logout()
        client.select_folder("Hello")
        (found,) = client.fetch(client.search(), ["FLAGS"]).values()
        self.assertLessEqual({b"\\Seen", b"Work"}, set(found[b"FLAGS"]))
        client.logout()
        until(lambda: len(messages(self.daemon, self.name)) == 1, self.daemon.logged)
        for folder, _, files in os.walk(self.user.home):
            for name in ["", *files]:
                seen = os.lstat(os.path.join(folder, name))
                self.assertEqual(seen.st_uid, self.user.uid, (folder, name))

    def test_a_large_message(self):
        octets = b"Subject: x\r\n\r\n" + b"0123456\r\n" * 1_000_000
        self.deliver(octets)
        (got,) = messages(self.daemon, self.name)
        self.assertTrue(got.endswith(octets))

    def test_an_agent_ends_when_it_is_idle(self):
        self.deliver()
        pid = self.agent()
        until(lambda: not self.user.processes(), self.daemon.logged)
        self.deliver()
        self.assertNotEqual(self.agent(), pid)


class KilledTests(SystemUsersTestCase):
    def test_in_the_middle_of_a_message(self):
        with smtplib.SMTP("127.0.0.1", self.daemon.port("smtp")) as client:
            client.ehlo()
            client.mail("x@else.test")
            client.rcpt(self.name)
            client.docmd("DATA")
            client.send(b"Subject: x\r\n\r\n" + b"0123456\r\n" * 100_000)
            os.kill(self.agent(), signal.SIGKILL)
            client.send(b"0123456\r\n" * 100_000 + b".\r\n")
            code, _ = client.getreply()
            self.assertEqual(code // 100, 4)
        until(lambda: self.refused() == 250)
        self.assertEqual(len(messages(self.daemon, self.name)), 1)
        self.assertEqual(len(self.user.mail()), 1)

    def test_in_idle(self):
        self.deliver()
        client, other = imapclient(self.daemon, self.name)
        for one in (client, other):
            one.select_folder("INBOX")
        client.idle()
        os.kill(self.agent(), signal.SIGKILL)
        until(lambda: self.refused() == 250)
        told = []
        until(lambda: told.extend(client.idle_check(1)) or (2, b"EXISTS") in told)
        client.idle_done()
        self.assertEqual(len(client.search("ALL")), 2)
        os.kill(self.agent(), signal.SIGKILL)
        until(lambda: self.searched(other) == 2)
        for one in (client, other):
            one.logout()

    def test_with_the_server_agents_end(self):
        self.deliver()
        pid = self.agent()
        self.daemon.kill()
        until(lambda: not self.user.processes(), lambda: f"agent {pid} is there")
        self.daemon.start()
        self.deliver()
        self.assertEqual(len(messages(self.daemon, self.name)), 2)

    def test_at_any_moment_under_mail_that_comes(self):
        """Every message that was taken is there once; one that was refused may be there
        too, if the agent died between its rename and its answer."""
        refused, killed, over = Counter(), [], threading.Event()

        def kill():
            while not over.wait(random.uniform(0.3, 1.0)):
                for pid in self.user.processes():
                    os.kill(pid, signal.SIGKILL)
                    killed.append(pid)

        killer = threading.Thread(target=kill)
        killer.start()
        try:
            for number in range(5000):
                while not self.taken(number):
                    refused[number] += 1
                if number >= 50 and len(killed) >= 5:
                    break
        finally:
            over.set()
            killer.join()
        until(lambda: self.refused() == 250)
        found = messages(self.daemon, self.name)
        there = Counter(int(each.rpartition(b"number ")[2]) for each in found[:-1])
        self.assertEqual(set(there), set(range(number + 1)))
        for number, count in there.items():
            self.assertLessEqual(count, 1 + refused[number], number)
        self.assertGreaterEqual(len(killed), 5)

    def taken(self, number):
        try:
            self.deliver(b"Subject: x\r\n\r\nnumber %d\r\n" % number)
        except (smtplib.SMTPRecipientsRefused, smtplib.SMTPDataError):
            self.daemon.pause()
            return False
        return True

    def searched(self, client):
        """Messages that it finds; None if it is told to come again."""
        try:
            return len(client.search("ALL"))
        except client.Error as refused:
            self.assertIn("UNAVAILABLE", str(refused))
            return None


class HomeTests(SystemUsersTestCase):
    def test_mail_waits_while_there_is_no_home(self):
        away = self.user.home.rename(self.user.home.with_name(f"{self.user.name}-away"))
        self.assertEqual(self.refused() // 100, 4)
        self.assertFalse(self.user.home.exists())
        client = imap(self.daemon, self.name)[0]
        status, told = client.select("INBOX")
        self.assertEqual(status, "NO")
        self.assertIn(b"UNAVAILABLE", told[0])
        client.logout()
        away.rename(self.user.home)
        until(lambda: self.refused() == 250)
        self.assertEqual(len(messages(self.daemon, self.name)), 1)

    def test_mail_that_was_taken_waits_in_the_queue(self):
        other, name = self.daemon.add()
        self.user.home.chmod(0)
        with smtplib.SMTP("127.0.0.1", self.daemon.port("smtp")) as client:
            client.sendmail("x@else.test", [self.name, name], MESSAGE)
        self.assertEqual(len(other.mail()), 1)
        self.user.home.chmod(0o700)
        until(lambda: self.user.mail(), self.daemon.logged)
        self.assertEqual(len(self.user.mail()), 1)

    def test_a_maildir_that_leads_to_another_s(self):
        other, _ = self.daemon.add()
        other.home.chmod(0o777)
        theirs = other.make_maildir()
        for path in (theirs, *theirs.iterdir()):
            path.chmod(0o777)
        link = self.user.home / "Maildir"
        for target in (theirs, Path("/root")):
            link.symlink_to(target)
            self.assertEqual(self.refused() // 100, 4)
            link.unlink()
        self.assertEqual(other.mail(), [])


class ForwardTests(SystemUsersTestCase):
    def setUp(self):
        super().setUp()
        self.other, self.other_name = self.daemon.add()

    def test_his_list_is_followed(self):
        self.user.write(".forward", f"{self.other_name}\n")
        self.deliver()
        until(lambda: self.other.mail(), self.daemon.logged)
        self.assertFalse((self.user.home / "Maildir").exists())

    def test_what_is_not_his_is_not_followed(self):
        secret = self.daemon.users.folder / f"secret-{self.user.name}"
        secret.write_text(f"{self.other_name}\n")
        secret.chmod(0o600)
        forward = self.user.home / ".forward"
        for put in (forward.symlink_to, forward.hardlink_to):
            put(secret)
            self.deliver()
            forward.unlink()
        self.user.write(".forward", f":include:{secret}\n")
        self.deliver()
        self.assertEqual(len(self.user.mail()), 3)
        self.assertEqual(self.other.mail(), [])

    def test_a_file_of_another_is_not_written(self):
        theirs = self.other.write("mbox", "before\n", 0o600)
        self.other.home.chmod(0o755)
        self.user.write(".forward", f"{theirs}\n")
        self.deliver()
        refused = "cannot be written: Permission denied"
        until(lambda: refused in self.daemon.logged()[self.before :])
        self.assertEqual(theirs.read_text(), "before\n")
        mine = self.user.home / "mbox"
        self.user.write(".forward", f"{mine}\n")
        self.deliver()
        until(lambda: mine.exists() and "first line" in mine.read_text())
        self.assertEqual(mine.stat().st_uid, self.user.uid)
        self.assertEqual(stat.S_IMODE(mine.stat().st_mode), 0o600)
        link = self.user.home / "link"
        link.symlink_to(mine)
        self.user.write(".forward", f"{link}\n")
        self.deliver()
        refused = "Too many levels of symbolic links"
        until(lambda: refused in self.daemon.logged()[self.before :])
        self.assertEqual(mine.read_text().count("first line"), 1)

    def run_command(self, user, forward):
        """What a command of somebody told of itself."""
        script = user.write(
            "tell",
            f"#!/bin/sh\n(id -u; id -g; id -G; ls -l /proc/$$/fd) > {user.home}/t\n"
            f"cat > {user.home}/got; mv {user.home}/t {user.home}/told\n",
            0o700,
        )
        forward(f"|{script}")
        self.deliver(to=self.target)
        told = user.home / "told"
        until(told.exists, self.daemon.logged)
        uid, gid, groups, *links = told.read_text().splitlines()
        self.assertEqual((uid, gid), (str(user.uid), str(user.gid)))
        self.assertEqual(groups, str(user.gid))
        places = [link.rpartition(" -> ")[2] for link in links if " -> " in link]
        for place in places:
            self.assertFalse(place.startswith(str(self.daemon.folder)), place)
            self.assertNotIn("socket", place)
        self.assertIn("first line", (user.home / "got").read_text())

    def test_his_command_is_his(self):
        self.target = self.name
        self.run_command(self.user, lambda text: self.user.write(".forward", text))

    def test_a_command_of_an_alias_is_the_command_user_s(self):
        self.target = f"prog-{self.user.name}@{DOMAIN}"
        aliases = self.daemon.folder / "aliases"

        def write(text):
            aliases.write_text(f'prog-{self.user.name}: "{text}"\n')

        self.run_command(self.daemon.admin, write)

    def test_a_large_message_into_a_command(self):
        self.user.write("run", f"#!/bin/sh\nwc -c > {self.user.home}/count\n", 0o700)
        self.user.write(".forward", f"|{self.user.home}/run\n")
        self.deliver(b"Subject: x\r\n\r\n" + b"0123456\r\n" * 500_000)
        count = self.user.home / "count"
        until(lambda: count.exists() and count.read_text(), self.daemon.logged)
        self.assertGreater(int(count.read_text()), 8 * 500_000)


class SpoolTests(SystemUsersTestCase):
    """mbox files in a folder like /var/mail."""

    def setUp(self):
        super().setUp()
        self.spool = self.daemon.users.folder / f"spool-{self.user.name}"
        self.spool.mkdir()
        shutil.chown(self.spool, "root", "mail")
        self.spool.chmod(0o2775)

    def box(self):
        user, name = self.daemon.add(mailbox=f"{self.spool}/{self.user.name}")
        return user, name, self.spool / self.user.name

    def test_an_mbox_is_made_and_grows(self):
        user, name, box = self.box()
        for _ in range(2):
            self.deliver(to=name)

        def both():
            return box.exists() and box.read_text().count("first line") == 2

        until(both, self.daemon.logged)
        seen = box.stat()
        self.assertEqual((seen.st_uid, box.group()), (user.uid, "mail"))
        self.assertEqual(stat.S_IMODE(seen.st_mode), 0o600)
        self.assertEqual(os.listdir(self.spool), [box.name])

    def test_the_agent_has_not_the_group_that_could_read_all_mail(self):
        user, name, box = self.box()
        self.deliver(to=name)
        until(box.exists, self.daemon.logged)
        mail = grp.getgrnam("mail").gr_gid
        groups = {}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                status = Path(f"/proc/{pid}/status").read_text()
                command = Path(f"/proc/{pid}/cmdline").read_bytes()
                fields = dict(line.split(":\t", 1) for line in status.splitlines())
                if set(fields["Uid"].split()) == {str(user.uid)}:
                    ids = {*fields["Gid"].split(), *fields["Groups"].split()}
                    groups[b"agent" in command] = str(mail) in ids
        self.assertEqual(groups, {True: False, False: True})

    def test_that_group_is_used_for_one_file_alone(self):
        _, _, box = self.box()
        other, _ = self.daemon.add()
        others = self.spool / "other"
        for path, owner in ((box, self.user.uid), (others, other.uid)):
            path.write_text("")
            os.chown(path, owner, -1)
        mail = grp.getgrnam("mail").gr_gid
        lock = spool.Lock(str(box), self.user.uid, mail)
        self.assertEqual(lock.done(b"take"), spool.YES)
        self.assertTrue((self.spool / f"{box.name}.lock").exists())
        self.assertEqual(lock.done(b"release"), spool.YES)
        for path, word in (
            (others, b"take"),
            (self.user.home / "mbox", b"make"),
            (self.user.home / "mbox", b"take"),
            (Path("/etc/passwd"), b"take"),
            (box, b"unlink"),
            (box, b""),
        ):
            lock = spool.Lock(str(path), self.user.uid, mail)
            self.assertRaises(OSError, lock.done, word)
        self.assertEqual(
            sorted(os.listdir(self.spool)), sorted([box.name, others.name])
        )

    def test_the_lock_of_an_agent_that_was_killed_goes_with_it(self):
        _, _, box = self.box()
        box.write_text("")
        os.chown(box, self.user.uid, -1)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        mail = grp.getgrnam("mail").gr_gid
        serving = threading.Thread(
            target=spool.serve, args=(theirs, str(box), self.user.uid, mail)
        )
        serving.start()
        ours.send(spool.TAKE)
        self.assertEqual(ours.recv(64), spool.YES)
        lock = self.spool / f"{box.name}.lock"
        self.assertTrue(lock.exists())
        ours.close()
        serving.join(10)
        self.assertFalse(lock.exists())
        theirs.close()

    def test_a_user_s_own_list_has_no_such_group(self):
        _, _, box = self.box()
        box.write_text("before\n")
        shutil.chown(box, "root", "mail")
        box.chmod(0o660)
        self.user.write(".forward", f"{box}\n{self.spool}/more\n")
        self.deliver()
        refused = "cannot be written: Permission denied"
        until(lambda: self.daemon.logged()[self.before :].count(refused) > 1)
        self.assertEqual(box.read_text(), "before\n")
        self.assertEqual(os.listdir(self.spool), [box.name])


class WithoutRootTests(SynchronousTestCase):
    """A daemon that is nobody's master, with the same accounts."""

    timeout = 300

    def test_mail_waits_and_the_log_says_so_once(self):
        users = Users()
        self.addCleanup(users.remove)
        owner = users.add()
        daemon = SystemDaemon(users)
        self.addCleanup(daemon.remove)
        user, name = daemon.add()
        for path in (daemon.folder, *daemon.folder.iterdir()):
            shutil.chown(path, owner.uid, owner.gid)
        daemon.runs_as = owner.uid, owner.gid
        daemon.start()
        for _ in range(3):
            with self.assertRaises(smtplib.SMTPException):
                deliver(daemon, name, MESSAGE)
        told = daemon.logged().count("takes a server that is started as root")
        self.assertEqual(told, 1)
        self.assertEqual(list(user.home.iterdir()), [])
