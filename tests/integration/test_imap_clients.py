"""Mail is read and kept over IMAP with imaplib, imapclient, curl, ncat and openssl."""

from datetime import UTC, datetime
from pathlib import Path

from tests.integration import ways_in
from tests.integration.daemon import PASSWORD, DaemonTestCase
from tests.integration.programs import message, run

NOTHING = {b"MESSAGES": 0}


class ImapClientTests(DaemonTestCase):
    def clients(self, user):
        """imapclient over both ways in, logged in; closed when the test is over."""
        made = ways_in.imapclient(self.daemon, user)
        for client in made:
            self.addCleanup(client.shutdown)
        return made

    def test_imaplib_appends_finds_flags_and_expunges(self):
        ann = self.user()
        for client in ways_in.imap(self.daemon, ann):
            self.assertEqual(client.create("Work/2026")[0], "OK")
            for subject in ("one", "two", "three"):
                when = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
                done = client.append("Work/2026", r"(\Flagged)", when, message(subject))
                self.assertEqual(done[0], "OK")
            self.assertEqual(client.select("Work/2026"), ("OK", [b"3"]))
            self.assertEqual(client.search(None, "SUBJECT", "two")[1], [b"2"])
            self.assertEqual(client.store("2", "+FLAGS", r"(\Deleted)")[0], "OK")
            self.assertEqual(client.expunge()[1], [b"2"])
            _, got = client.fetch("1:*", "(FLAGS INTERNALDATE RFC822.SIZE ENVELOPE)")
            self.assertEqual(len(got), 2)
            self.assertIn(b"\\Flagged", got[0])
            self.assertIn(b'" 2-Jan-2026 03:04:05 +0000"', got[0])
            _, got = client.fetch("1", "(BODY.PEEK[])")
            self.assertEqual(got[0][1], message("one"))
            client.close()
            self.assertEqual(client.delete("Work/2026")[0], "OK")
            self.assertEqual(client.delete("Work")[0], "OK")
            client.logout()

    def test_imapclient_uses_the_extensions_it_finds(self):
        for index in (0, 1):
            self.use_extensions(self.clients(self.user())[index])

    def use_extensions(self, client):
        client.id_({"name": "tests"})
        client.enable("CONDSTORE")
        client.create_folder("Entwürfe")
        self.assertIn("Entwürfe", [name for _, _, name in client.list_folders()])
        client.append("INBOX", message("one"))
        client.append("INBOX", message("two"))
        info = client.select_folder("INBOX")
        self.assertEqual(info[b"EXISTS"], 2)
        self.assertTrue(info[b"HIGHESTMODSEQ"] > 0)
        self.assertEqual(client.namespace().personal, ((("", "/"),)))
        client.add_flags([1], ["$Important", "\\Seen"])
        self.assertEqual(client.search(["KEYWORD", "$Important"]), [1])
        client.move([1], "Entwürfe")
        self.assertEqual(client.search("ALL"), [2])
        self.assertEqual(client.folder_status("Entwürfe", "MESSAGES")[b"MESSAGES"], 1)
        client.rename_folder("Entwürfe", "Später")
        for _, _, name in client.list_sub_folders():
            client.unsubscribe_folder(name)
        client.subscribe_folder("Später")
        self.assertEqual([name for _, _, name in client.list_sub_folders()], ["Später"])
        client.copy([2], "Später")
        client.unselect_folder()
        client.select_folder("Später", readonly=True)
        subjects = [
            row[b"ENVELOPE"].subject
            for row in client.fetch(client.search(), ["ENVELOPE"]).values()
        ]
        self.assertEqual(subjects, [b"one", b"two"])

    def test_imapclient_finds_the_special_folders_of_a_new_account(self):
        for client in self.clients(self.user()):
            for name in ("Archive", "Drafts", "Junk", "Sent", "Trash"):
                use = b"\\" + name.encode()
                self.assertEqual(client.find_special_folder(use), name)
                self.assertEqual(client.folder_status(name, "MESSAGES"), NOTHING)
            self.assertEqual(
                [name for _, _, name in client.list_sub_folders()],
                ["Archive", "Drafts", "Junk", "Sent", "Trash"],
            )

    def test_two_clients_see_each_other_and_idle_is_told_at_once(self):
        ann = self.user()
        first, second = self.clients(ann)
        first.select_folder("INBOX")
        first.idle()
        second.append("INBOX", message("news"))
        told = []
        while not any(one[:2] == (1, b"EXISTS") for one in told):
            more = first.idle_check(timeout=20)
            self.assertTrue(more, f"nothing told but {told}")
            told += more
        second.select_folder("INBOX")
        second.delete_messages([1])
        second.expunge()
        while (1, b"EXPUNGE") not in told:
            more = first.idle_check(timeout=20)
            self.assertTrue(more, f"nothing told but {told}")
            told += more
        first.idle_done()
        self.assertEqual(first.search("ALL"), [])

    def test_curl_reads_and_appends_over_both_ways_in(self):
        ann = self.user()
        for url in (
            f"imap://127.0.0.1:{self.daemon.port('imap')}/INBOX",
            f"imaps://127.0.0.1:{self.daemon.port('imaps')}/INBOX",
        ):
            login = ("curl", "-sS", "-k", "--ssl-reqd", "-u", f"{ann}:{PASSWORD}")
            mail = Path(self.mktemp())  # curl wants to know the size beforehand
            mail.write_bytes(message("By curl"))
            run(*login, url, "-T", mail)
            self.assertIn("Subject: By curl", run(*login, f"{url};MAILINDEX=1")[1])
            text = run(*login, url, "-X", "SEARCH SUBJECT curl")[1]
            self.assertIn("* SEARCH 1", text)

    def test_a_session_typed_with_lf_alone_works(self):
        _, text = run(
            *("ncat", "127.0.0.1", self.daemon.port("imap")),
            said="a capability\nb logout\n",
        )
        self.assertIn("* CAPABILITY IMAP4rev1", text)
        self.assertIn("LOGINDISABLED", text)
        self.assertIn("b OK", text)

    def test_imapclient_sees_what_an_account_holds_and_may_hold(self):
        limited = self.user("--storage-limit", "10 KiB", "--message-limit", "3")
        for client in self.clients(limited):
            client.append("INBOX", b"Subject: x\r\n\r\n" + b"x" * 1500)
        _, quotas = client.get_quota_root("INBOX")
        found = {one.resource: (one.usage, one.limit) for one in quotas}
        self.assertEqual(found, {"STORAGE": (3, 10), "MESSAGE": (2, 3)})
        self.assertEqual(self.clients(self.user())[0].get_quota(), [])
        told = self.daemon.command("quota", "show", limited)
        self.assertIn("of 10240 octets", told)
        self.assertIn("2 of 3 messages (67%)", told)

    def test_a_session_typed_with_ncat_over_implicit_tls_works(self):
        # ncat cannot start TLS in the middle of a session; and TLS has no half-closed
        # connection in Twisted, so ncat is asked not to close when its input ends.
        ann = self.user()
        ncat = ("ncat", "-C", "--ssl", "--no-shutdown", ways_in.HOST)
        typed = f'a LOGIN {ann} "{PASSWORD}"\nb SELECT INBOX\nc LOGOUT\n'
        text = run(*ncat, self.daemon.port("imaps"), said=typed)[1]
        self.assertIn("b OK [READ-WRITE]", text)
        self.assertIn("c OK", text)

    def test_openssl_s_client_logs_in_over_starttls_and_tls(self):
        ann = self.user()
        for ways in (
            ["-starttls", "imap", "-connect", f"127.0.0.1:{self.daemon.port('imap')}"],
            ["-connect", f"127.0.0.1:{self.daemon.port('imaps')}"],
        ):
            _, text = run(
                *("openssl", "s_client", "-crlf", "-quiet", "-verify_quiet", *ways),
                said=f"a login {ann} {{{len(PASSWORD.encode())}+}}\n{PASSWORD}\n"
                "b examine inbox\nc logout\n",
                ok=False,
            )
            self.assertIn("a OK", text)
            self.assertIn("* 0 EXISTS", text)
            self.assertIn("c OK", text)
