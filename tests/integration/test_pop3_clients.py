"""Mail comes out over POP3 with poplib, curl, ncat and openssl."""

import poplib
import signal
import smtplib

from tests.integration import ways_in
from tests.integration.daemon import PASSWORD, DaemonTestCase
from tests.integration.programs import message, run


class Pop3ClientTests(DaemonTestCase):
    workers = 2

    def send(self, user, *messages):
        ways_in.deliver(self.daemon, user, *messages)

    def clients(self):
        return ways_in.pop3(self.daemon)

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
            client = ways_in.pop3_login(self.daemon, ann)
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

    def test_a_session_typed_with_lf_alone_works(self):
        _, text = run(
            *("ncat", "127.0.0.1", self.daemon.port("pop3")), said="capa\nquit\n"
        )
        self.assertIn("STLS", text)
        self.assertIn("\n.\r\n+OK", text)

    def test_a_session_typed_with_ncat_over_implicit_tls_works(self):
        # ncat cannot start TLS in the middle of a session; and TLS has no half-closed
        # connection in Twisted, so ncat is asked not to close when its input ends.
        ann = self.user()
        self.send(ann, message("typed"))
        ncat = ("ncat", "-C", "--ssl", "--no-shutdown", ways_in.HOST)
        typed = f"USER {ann}\nPASS {PASSWORD}\nTOP 1 0\nQUIT\n"
        self.assertIn(
            "Subject: typed", run(*ncat, self.daemon.port("pop3s"), said=typed)[1]
        )

    def test_openssl_s_client_reads_mail_over_stls_and_tls(self):
        ann = self.user()
        self.send(ann, message("typed"))
        for port, ways in (("pop3", ["-starttls", "pop3"]), ("pop3s", [])):
            _, text = run(
                *("openssl", "s_client", "-quiet", "-verify_quiet", *ways),
                *("-connect", f"{ways_in.HOST}:{self.daemon.port(port)}"),
                said=f"CAPA\nUSER {ann}\nPASS {PASSWORD}\nRETR 1\nQUIT\n",
                ok=False,
            )
            self.assertIn("SASL", text)
            self.assertIn("Subject: typed", text)

    def test_utf8_is_kept_for_who_asks_and_made_ascii_for_others(self):
        ann = self.user()
        with smtplib.SMTP(ways_in.HOST, self.daemon.port("smtp")) as client:
            text = "From: José <c@example.org>\r\nSubject: Grüße\r\n\r\nHi.\r\n"
            options = ["SMTPUTF8", "BODY=8BITMIME"]
            client.sendmail("c@example.org", [ann], text.encode(), options)
        raw = "Subject: Grüße".encode()
        for index in (0, 1):
            ascii_only, utf8 = self.clients()[index], self.clients()[index]
            ascii_only.user(ann)
            ascii_only.pass_(PASSWORD)
            told = b"\n".join(ascii_only.retr(1)[1])
            self.assertTrue(told.isascii(), told)
            self.assertIn(b"Subject: =?", told)
            ascii_only.quit()
            self.assertIn("UTF8", utf8.capa())
            utf8.utf8()
            utf8.user(ann)
            utf8.pass_(PASSWORD)
            self.assertIn(raw, utf8.retr(1)[1])
            utf8.quit()

    def test_languages_are_listed_and_chosen(self):
        for client in self.clients():
            self.assertIn("LANG", client.capa())
            listed = client._longcmd("LANG")[1]
            self.assertIn(b"en", [line.split()[0] for line in listed])
            self.assertTrue(client._shortcmd("LANG en").startswith(b"+OK en "))
            self.assertTrue(client._shortcmd("LANG *").startswith(b"+OK "))
            fault = self.assertRaises(poplib.error_proto, client._shortcmd, "LANG tlh")
            self.assertTrue(fault.args[0].startswith(b"-ERR"), fault)
            client.quit()


class ClearTests(DaemonTestCase):
    """A daemon that takes passwords without TLS, as behind a wall of one's own."""

    extra = "[auth]\nplaintext_without_tls = true\n"

    def test_a_whole_session_may_be_piped_in(self):
        ann = self.user()
        ways_in.deliver(self.daemon, ann, message("piped"))
        ncat = ("ncat", "-C", ways_in.HOST, self.daemon.port("pop3"))
        for end, left in (("", 1), ("QUIT\n", 0)):  # only QUIT deletes
            typed = f"USER {ann}\nPASS {PASSWORD}\nRETR 1\nDELE 1\n{end}"
            text = run(*ncat, said=typed)[1]
            self.assertIn("Subject: piped", text)
            self.assertIn("\n.\r\n+OK", text)
            self.assertEqual(len(ways_in.messages(self.daemon, ann)), left)
