"""Mail comes from other IMAP servers and goes to them, while the daemon runs."""

import os
import signal
import subprocess
import sys

from tests.integration import ways_in
from tests.integration.daemon import PASSWORD, DaemonTestCase
from tests.integration.programs import message
from tests.integration.test_import_export import FOLDERS, Peer, by_imap
from tests.integration.world import until


class ImapTests(DaemonTestCase):
    """Dovecot is the other server."""

    def peer(self):
        peer = Peer(self)
        peer.url = f"imap://ann@127.0.0.1:{peer.dovecot.port}"
        return peer

    def run_it(self, *arguments, said=PASSWORD + "\n", ok=True):
        """What `mailtwist ARGUMENTS` says, with the password on a descriptor."""
        reading, writing = os.pipe()
        os.write(writing, said.encode())
        os.close(writing)
        done = subprocess.run(
            [sys.executable, "-m", "mailtwist.cli", "--config", self.daemon.config]
            + [*arguments, "--no-tls", f"--password-fd={reading}"],
            capture_output=True,
            text=True,
            env=self.daemon.environment(),
            pass_fds=[reading],
            timeout=120,
        )
        os.close(reading)
        told = done.stdout + done.stderr
        self.assertNotIn(PASSWORD, told)
        self.assertNotIn("Traceback", told)
        self.assertEqual(done.returncode, 0 if ok else 1, told)
        return told

    def ours(self, user):
        _, client = ways_in.imap(self.daemon, user)
        found = by_imap(client, FOLDERS, "/")
        client.logout()
        return found

    def test_there_and_back_over_imap(self):
        peer, user = self.peer(), self.user()
        peer.fill()
        theirs = peer.held()
        self.assertIn("25 messages", self.run_it("import", user, peer.url))
        self.assertEqual(self.ours(user), theirs)
        self.assertIn("25 there already", self.run_it("import", user, peer.url))

        back = self.peer()
        self.assertIn("25 messages", self.run_it("export", user, back.url))
        self.assertEqual(back.held(), theirs)
        for folder in FOLDERS:
            self.assertEqual(back.fetched(folder), peer.fetched(folder))

    def test_what_changes_is_followed(self):
        peer, user = self.peer(), self.user()
        peer.fill()
        self.run_it("import", user, peer.url)
        client = peer.client()
        client.select("Sent")
        client.uid("STORE", "2", "-FLAGS", "(\\Seen)")
        client.uid("STORE", "3", "+FLAGS", "(urgent)")
        client.uid("STORE", "5", "+FLAGS", "(\\Deleted)")
        client.expunge()
        octets = message(subject="new")
        client.append("Sent", "(\\Flagged)", None, octets)
        client.logout()
        told = self.run_it("import", user, peer.url, "--expunge")
        self.assertIn("1 messages", told)
        self.assertIn("2 given other flags, 1 removed", told)
        self.assertEqual(self.ours(user), peer.held())

    def test_a_run_that_is_killed_is_gone_on_with(self):
        peer, user = self.peer(), self.user()
        peer.fill(60)
        theirs = peer.held()
        killed = 0
        for least in (1, 100, 200):
            process = subprocess.Popen(
                [sys.executable, "-m", "mailtwist.cli", "-c", self.daemon.config]
                + ["import", user, peer.url, "--no-tls"],
                env={
                    **self.daemon.environment(),
                    "MAILTWIST_REMOTE_PASSWORD": PASSWORD,
                },
                stderr=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
            until(
                lambda least=least, process=process: (
                    process.poll() is not None or self.count(user) >= least
                )
            )
            process.kill()
            killed += process.wait() == -signal.SIGKILL
        self.assertEqual(killed, 3)
        self.run_it("import", user, peer.url)
        self.assertEqual(self.ours(user), theirs)

    def count(self, user):
        """Its messages on disk."""
        name = user.partition("@")[0]
        folders = [p for p in self.daemon.folder.rglob("cur") if name in p.parts]
        return sum(len(os.listdir(folder)) for folder in folders)

    def test_what_goes_wrong_is_told(self):
        peer, user = self.peer(), self.user()
        told = self.run_it("import", user, peer.url, said="wrong\n", ok=False)
        self.assertIn("AUTHENTICATIONFAILED", told)
        told = self.run_it("import", user, "imap://ann@127.0.0.1:1", ok=False)
        self.assertIn("no connection", told)
        told = self.run_it("import", user, "imap://ann:pw@127.0.0.1", ok=False)
        self.assertIn("would be seen", told)

    def test_an_account_here_is_another_server_too(self):
        """Over TLS, whose certificate is looked at."""
        user, other = self.user(), self.user()
        ways_in.deliver(self.daemon, user, message(subject="one"))
        quoted = user.replace("@", "%40")
        port = self.daemon.port("imaps")
        url = f"imaps://{quoted}@localhost:{port}"
        secret = self.daemon.folder / "secret"
        secret.write_text(PASSWORD + "\n")
        arguments = ["import", other, url, "--password-file", str(secret)]
        refused = self.assertRaises(AssertionError, self.daemon.command, *arguments)
        self.assertIn("certificate", str(refused))
        told = self.daemon.command(*arguments, "--any-certificate")
        self.assertIn("1 messages", told)
        (octets,) = ways_in.messages(self.daemon, other)
        self.assertEqual([octets], ways_in.messages(self.daemon, user))
