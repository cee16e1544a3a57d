"""The sendmail command under all its names, as programs of a host run it."""

import poplib
import pwd
import subprocess
import sys
import time

from .daemon import PASSWORD, ROOT, DaemonTestCase
from .programs import run

WAIT_S = 30.0
TEXT = "Subject: {}\n\nHello.\n"


class SendmailTests(DaemonTestCase):
    workers = 2
    # Nobody answers at that resolver, so that mail for elsewhere waits.
    extra = (
        '[queue]\ndrop = "drop"\n[dns]\nservers = ["127.0.0.1:1"]\ntimeout_s = 0.2\n'
    )

    def setUp(self):
        super().setUp()
        # What an administrator does once: links with the old names.  Everybody must
        # be able to come in, as they can to /usr and /var.
        self.folder = self.daemon.folder
        self.folder.chmod(0o755)
        self.daemon.config.chmod(0o644)
        program = self.folder / "mailtwist-sendmail"
        program.write_text(
            f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(ROOT)!r})\n"
            "from mailtwist.cli.names import run\nrun()\n"
        )
        program.chmod(0o755)
        for name in ("sendmail", "mailq", "newaliases", "postqueue", "postsuper"):
            link = self.folder / name
            if not link.exists():
                link.symlink_to(program)

    def command(self, name, *arguments, **more):
        more["env"] = {"MAILTWIST_CONFIG": str(self.daemon.config)} | more.get(
            "env", {}
        )
        return run(self.folder / name, *arguments, **more)

    def mail_of(self, user, count=1):
        """The messages of an account, once there are `count`."""
        end = time.monotonic() + WAIT_S
        while True:
            pop = poplib.POP3_SSL("127.0.0.1", self.daemon.port("pop3s"))
            pop.user(user)
            pop.pass_(PASSWORD)
            found = pop.stat()[0]
            if found >= count:
                mails = [b"\n".join(pop.retr(n + 1)[1]) for n in range(found)]
                pop.quit()
                return mails
            pop.quit()
            self.assertLess(time.monotonic(), end, self.daemon.log.read_text()[-3000:])
            self.daemon.pause()

    def test_a_message_goes_to_a_mailbox(self):
        user = self.user()
        self.command("sendmail", "-i", user, said=TEXT.format("by hand"))
        (mail,) = self.mail_of(user)
        self.assertIn(b"Subject: by hand", mail)
        self.assertIn(b"Return-Path: <root@example.test>", mail)
        self.assertIn(b"Message-ID: <", mail)

    def test_what_is_dropped_while_the_server_is_down_is_delivered_later(self):
        user = self.user()
        self.daemon.stop()
        self.command("sendmail", "-t", said=f"To: {user}\n" + TEXT.format("early"))
        self.daemon.start()
        (mail,) = self.mail_of(user)
        self.assertIn(b"Subject: early", mail)

    def test_a_recipient_that_is_unknown_comes_back(self):
        user = self.user()
        self.command("sendmail", "-f", user, "nobody.here", said=TEXT.format("lost"))
        (report,) = self.mail_of(user)
        self.assertIn(b"multipart/report", report)
        self.assertIn(b"Status: 5.1.1", report)
        self.assertIn(b"Subject: lost", report)

    def test_any_user_of_the_host_may_send(self):
        user = self.user()
        nobody = pwd.getpwnam("nobody")
        self.command(
            "sendmail",
            user,
            said=TEXT.format("from nobody"),
            user=nobody.pw_uid,
            group=nobody.pw_gid,
            extra_groups=[],
            cwd="/",
        )
        (mail,) = self.mail_of(user)
        self.assertIn(b"Return-Path: <nobody@example.test>", mail)

    def test_cron_sends_what_a_job_printed(self):
        user = self.user()
        text = f"From: root (Cron Daemon)\nTo: {user}\n" + TEXT.format("Cron <root@x>")
        options = ("-i", "-FCronDaemon", "-B8BITMIME", "-oem")
        self.command("sendmail", *options, user, said=text)
        (mail,) = self.mail_of(user)
        self.assertIn(b"From: root (Cron Daemon)", mail)

    def test_the_mail_command_sends_through_it(self):
        user = self.user()
        settings = self.folder / "mailrc"
        settings.write_text(f"set sendmail={self.folder / 'sendmail'}\n")
        run(
            "bsd-mailx",
            "-s",
            "from mailx",
            user,
            said="Hello.\n",
            env={
                "MAILRC": str(settings),
                "MAILTWIST_CONFIG": str(self.daemon.config),
            },
        )
        (mail,) = self.mail_of(user)
        self.assertIn(b"Subject: from mailx", mail)

    def test_bs_is_a_session_that_programs_talk_to(self):
        user = self.user()
        commands = (
            f"EHLO here\r\nMAIL FROM:<{user}>\r\nRCPT TO:<{user}>\r\nDATA\r\n"
            "Subject: by pipe\r\n\r\nHello.\r\n.\r\nQUIT\r\n"
        )
        _, said = self.command("sendmail", "-bs", said=commands)
        self.assertIn("221 2.0.0", said)
        (mail,) = self.mail_of(user)
        self.assertIn(b"Subject: by pipe", mail)

    def test_bv_tells_where_mail_would_go(self):
        user = self.user()
        _, said = self.command("sendmail", "-bv", user)
        self.assertIn(f"mailbox of {user}", said)
        status, said = self.command("sendmail", "-bv", "nobody.here", ok=False)
        self.assertEqual(status, 67)
        self.assertIn("5.1.1", said)

    def test_mailq_and_postsuper_see_the_queue_of_the_running_server(self):
        user = self.user()
        far = "someone@far.invalid"
        self.command(
            "sendmail", "-f", user, "-N", "never", far, said=TEXT.format("far")
        )
        end = time.monotonic() + WAIT_S
        while far not in (said := self.command("mailq")[1]):
            self.assertLess(time.monotonic(), end, said)
            self.daemon.pause()
        queue_id = said.splitlines()[1].split()[0].rstrip("!")
        self.command("postsuper", "-h", queue_id)
        self.assertIn(f"{queue_id}!", self.command("postqueue", "-p")[1])
        self.command("postsuper", "-d", queue_id)
        self.assertNotIn(far, self.command("mailq")[1])

    def test_newaliases_has_nothing_to_rebuild(self):
        self.assertEqual(self.command("newaliases")[0], 0)

    def test_newaliases_tells_lines_that_are_no_aliases(self):
        aliases, config = self.folder / "aliases", self.folder / "aliases.toml"
        config.write_text(
            self.daemon.config.read_text() + f'[alias]\nfiles = ["{aliases}"]\n'
        )
        aliases.write_text("ann: bob\nno alias\n")
        done = subprocess.run(
            [self.folder / "newaliases", f"-C{config}"],
            capture_output=True,
            text=True,
            timeout=60,
        )
        self.assertEqual(done.returncode, 65)
        self.assertIn(f"newaliases: {aliases}:2: ", done.stderr)
