"""Mail is read and kept with imaplib, imapclient, curl, mbsync, ncat and openssl."""

import imaplib
import os
import ssl
from datetime import UTC, datetime
from pathlib import Path

from imapclient import IMAPClient

from tests.integration.daemon import PASSWORD, DaemonTestCase
from tests.integration.programs import message, run

OPEN = ssl._create_unverified_context()


class ImapClientTests(DaemonTestCase):
    def stdlib(self, user):
        """A logged-in imaplib client for each way in."""
        starttls = imaplib.IMAP4("127.0.0.1", self.daemon.port("imap"))
        starttls.starttls(OPEN)
        implicit = imaplib.IMAP4_SSL(
            "127.0.0.1", self.daemon.port("imaps"), ssl_context=OPEN
        )
        for client in (starttls, implicit):
            client.authenticate("PLAIN", lambda _: f"\0{user}\0{PASSWORD}".encode())
        return [starttls, implicit]

    def client(self, user):
        made = IMAPClient("127.0.0.1", self.daemon.port("imaps"), ssl_context=OPEN)
        made.plain_login(user, PASSWORD)
        self.addCleanup(made.shutdown)
        return made

    def test_imaplib_appends_finds_flags_and_expunges(self):
        ann = self.user()
        for client in self.stdlib(ann):
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
        client = self.client(self.user())
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

    def test_two_clients_see_each_other_and_idle_is_told_at_once(self):
        ann = self.user()
        first, second = self.client(ann), self.client(ann)
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

    def test_mbsync_keeps_two_sides_the_same(self):
        for port, tls in (("imap", "STARTTLS"), ("imaps", "IMAPS")):
            self.mbsync_both_ways(port, tls)

    def mbsync_both_ways(self, port, tls):
        ann = self.user()
        client = self.client(ann)
        client.create_folder("Lists")
        client.append("INBOX", message("one"), flags=["\\Seen"])
        client.append("Lists", message("two"))
        home = Path(self.mktemp()).absolute()
        (home / "Mail").mkdir(parents=True)
        (home / "mbsyncrc").write_text(
            f"IMAPStore far\nHost localhost\nPort {self.daemon.port(port)}\n"
            f'User {ann}\nPass "{PASSWORD}"\nSSLType {tls}\n'
            # Cyrus SASL, which mbsync uses, refuses over 65,536 SCRAM iterations.
            "AuthMechs PLAIN\n"
            f"CertificateFile {self.daemon.folder}/data/tls/self-signed.crt\n\n"
            f"MaildirStore near\nPath {home}/Mail/\nInbox {home}/Mail/INBOX\n"
            "SubFolders Verbatim\n\n"
            "Channel all\nFar :far:\nNear :near:\nPatterns *\nCreate Both\n"
            f"Expunge Both\nSyncState {home}/\nSync All\n"
        )
        sync = ("mbsync", "-c", home / "mbsyncrc", "-a")
        run(*sync, env={"HOME": str(home)})
        (one,) = (home / "Mail/INBOX/cur").iterdir()
        self.assertTrue(one.name.endswith(":2,S"), one)
        (two,) = (home / "Mail/Lists/new").iterdir()

        # Here: a flag, a new mail.  There: a deletion, a flag.
        os.rename(one, one.with_name(one.name + "F").as_posix().replace("SF", "FS"))
        (home / "Mail/Lists/new/9.x.y").write_bytes(message("three"))
        client.select_folder("Lists")
        client.delete_messages([1])
        client.expunge()
        client.select_folder("INBOX")
        client.add_flags([1], ["\\Answered"])
        client.unselect_folder()
        run(*sync, env={"HOME": str(home)})
        client.select_folder("INBOX")
        flags = client.get_flags([1])[1]
        self.assertEqual(
            {f for f in flags if f != b"\\Recent"},
            {b"\\Seen", b"\\Flagged", b"\\Answered"},
        )
        client.select_folder("Lists")
        (uid,) = client.search("ALL")
        self.assertIn(b"three", client.fetch(uid, "BODY.PEEK[]")[uid][b"BODY[]"])
        self.assertFalse(two.exists())
        (one,) = (home / "Mail/INBOX/cur").iterdir()
        self.assertEqual(set(one.name.partition(":2,")[2]), set("FRS"))

    def test_a_session_typed_with_lf_alone_works(self):
        _, text = run(
            *("ncat", "127.0.0.1", self.daemon.port("imap")),
            said="a capability\nb logout\n",
        )
        self.assertIn("* CAPABILITY IMAP4rev1", text)
        self.assertIn("LOGINDISABLED", text)
        self.assertIn("b OK", text)

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
