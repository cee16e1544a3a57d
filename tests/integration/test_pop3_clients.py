"""Mail comes out with poplib, curl, getmail, ncat and openssl."""

import os
import poplib
import shutil
import signal
import smtplib
import ssl
from pathlib import Path
from tempfile import mkdtemp

from tests.integration.daemon import PASSWORD, DaemonTestCase
from tests.integration.programs import message, run

OPEN = ssl._create_unverified_context()


class Pop3ClientTests(DaemonTestCase):
    def send(self, user, *messages):
        with smtplib.SMTP("127.0.0.1", self.daemon.port("smtp")) as client:
            for one in messages:
                client.sendmail("carol@example.org", [user], one)

    def clients(self):
        """A connected client for each way in."""
        plain = poplib.POP3("127.0.0.1", self.daemon.port("pop3"))
        plain.stls(OPEN)
        implicit = poplib.POP3_SSL("127.0.0.1", self.daemon.port("pop3s"), context=OPEN)
        return [plain, implicit]

    def test_poplib_reads_all_there_is(self):
        ann = self.user()
        self.send(ann, message("one", body=".dot\n..dots\nend"), message("two"))
        for client in self.clients():
            client.utf8()
            client.user(ann)
            client.pass_(PASSWORD)
            self.assertEqual(client.stat()[0], 2)
            self.assertEqual(len(client.list()[1]), 2)
            self.assertEqual(len({line.split()[1] for line in client.uidl()[1]}), 2)
            lines = client.retr(1)[1]
            self.assertIn(b"Subject: one", lines)
            self.assertIn(b"..dots", lines)
            top = client.top(1, 1)[1]
            self.assertEqual(top[-1], b".dot")
            size = sum(len(line) + 2 for line in lines)
            self.assertEqual(client.list(1).split()[2], b"%d" % size)
            client.quit()

    def test_deletion_takes_effect_at_quit_and_never_without(self):
        ann = self.user()
        self.send(ann, message("one"), message("two"))
        dropped, kept = self.clients()
        dropped.user(ann)
        dropped.pass_(PASSWORD)
        dropped.dele(1)
        dropped.close()
        kept.user(ann)
        kept.pass_(PASSWORD)
        self.assertEqual(kept.stat()[0], 2)
        kept.dele(2)
        kept.rset()
        kept.dele(1)
        kept.quit()
        (client, _) = clients = self.clients()
        client.user(ann)
        client.pass_(PASSWORD)
        self.assertIn(b"Subject: two", client.retr(1)[1])
        for one in clients:
            one.close()

    def test_apop_works_where_the_secret_is_kept(self):
        ann = self.user("--keep-secret")
        client = poplib.POP3("127.0.0.1", self.daemon.port("pop3"))
        self.assertTrue(client.apop(ann, PASSWORD).startswith(b"+OK"))
        client.quit()

    def test_a_wrong_password_is_told_as_such(self):
        ann = self.user()
        client = self.clients()[1]
        client.user(ann)
        fault = self.assertRaises(poplib.error_proto, client.pass_, "wrong")
        self.assertIn(b"-ERR [AUTH]", fault.args[0])
        client.close()

    def test_uidls_survive_a_restart(self):
        ann = self.user()
        self.send(ann, message("one"), message("two"))

        def uidls():
            client = self.clients()[1]
            client.user(ann)
            client.pass_(PASSWORD)
            try:
                return client.uidl()[1]
            finally:
                client.quit()

        before = uidls()
        self.assertIn(self.daemon.stop(), (0, -signal.SIGTERM))
        self.daemon.start()
        self.assertEqual(uidls(), before)

    def test_curl_lists_and_retrieves_over_both_ways_in(self):
        ann = self.user("--keep-secret")
        self.send(ann, message("By curl"))
        for url in (
            f"pop3://127.0.0.1:{self.daemon.port('pop3')}/",
            f"pop3s://127.0.0.1:{self.daemon.port('pop3s')}/",
        ):
            login = ("-k", "--ssl-reqd", "-u", f"{ann}:{PASSWORD}")
            self.assertRegex(run("curl", "-sS", *login, url)[1], r"^1 \d+\r?\n")
            self.assertIn("Subject: By curl", run("curl", "-sS", *login, f"{url}1")[1])

    def test_getmail_fetches_into_its_maildir(self):
        for kind, port in (("SimplePOP3SSLRetriever", "pop3s"),):
            ann = self.user()
            self.send(ann, message("one"), message("two"))
            home = Path(mkdtemp(prefix="mailtwist-getmail-"))
            self.addCleanup(shutil.rmtree, home)
            for folder in ("cur", "new", "tmp"):
                (home / "Mail" / folder).mkdir(parents=True)
            (home / "getmailrc").write_text(
                f"[retriever]\ntype = {kind}\nserver = 127.0.0.1\n"
                f"port = {self.daemon.port(port)}\nusername = {ann}\n"
                f"password = {PASSWORD}\n"
                f"[destination]\ntype = Maildir\npath = {home}/Mail/\n"
                "[options]\ndelete = true\nread_all = true\n"
            )
            os.chmod(home / "getmailrc", 0o600)
            fetch = ("getmail", "-g", home, "-r", home / "getmailrc")
            if os.getuid() == 0:  # it never delivers as root
                run("chown", "-R", "nobody", home)
                home_of = {"HOME": str(home)}
                who = {"user": "nobody", "group": "nogroup", "extra_groups": []}
                run(*fetch, env=home_of, **who)
            else:
                run(*fetch)
            self.assertEqual(len(list((home / "Mail/new").iterdir())), 2)
            client = self.clients()[1]
            client.user(ann)
            client.pass_(PASSWORD)
            self.assertEqual(client.stat()[0], 0)
            client.quit()

    def test_a_session_typed_with_lf_alone_works(self):
        _, text = run(
            *("ncat", "127.0.0.1", self.daemon.port("pop3")), said="capa\nquit\n"
        )
        self.assertIn("STLS", text)
        self.assertIn("\n.\r\n+OK", text)

    def test_openssl_s_client_talks_over_stls_and_tls(self):
        for ways in (
            ["-starttls", "pop3", "-connect", f"127.0.0.1:{self.daemon.port('pop3')}"],
            ["-connect", f"127.0.0.1:{self.daemon.port('pop3s')}"],
        ):
            _, text = run(
                *("openssl", "s_client", "-quiet", "-verify_quiet", *ways),
                said="CAPA\nQUIT\n",
                ok=False,
            )
            self.assertIn("USER", text)
            self.assertIn("SASL", text)
