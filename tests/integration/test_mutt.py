"""mutt in a terminal: read, flag, delete over IMAP; read, delete over POP3; send."""

from pathlib import Path

from tests.integration import ways_in
from tests.integration.daemon import PASSWORD, DaemonTestCase
from tests.integration.programs import message
from tests.integration.screen import Terminal


class MuttTests(DaemonTestCase):
    def home(self):
        made = Path(self.mktemp()).absolute()
        made.mkdir()
        return made

    def mutt(self, user, way, *arguments, home=None, **further):
        """mutt as `user` in a terminal; `way` is "" for STARTTLS, "s" for TLS.

        `home` is its folder, `further` are settings."""
        home = home or self.home()
        editor = home / "editor"
        editor.write_text('#!/bin/sh\necho "Typed with care." >>"$1"\n')
        editor.chmod(0o755)
        submission = "submissions" if way else "submission"
        settings = {
            "folder": f"imap{way}://localhost:{self.daemon.port('imap' + way)}/",
            "spoolfile": "+INBOX",
            "imap_user": user,
            "imap_pass": PASSWORD,
            "pop_pass": PASSWORD,
            "smtp_url": f"smtp{way}://{user}@localhost:{self.daemon.port(submission)}/",
            "smtp_pass": PASSWORD,
            "certificate_file": f"{self.daemon.folder}/data/tls/self-signed.crt",
            "ssl_starttls": "yes",
            "ssl_force_tls": "yes",
            "imap_idle": "yes",
            "mail_check": "1",
            "timeout": "1",
            "mark_old": "no",
            "from": user,
            "realname": "Ann",
            "hostname": "example.test",
            "record": "+Sent",
            "editor": str(editor),
            "delete": "yes",
            "quit": "yes",
            "sort": "mailbox-order",
            "tmpdir": str(home),
            **further,
        }
        (home / "muttrc").write_text(
            "".join(f'set {name}="{value}"\n' for name, value in settings.items())
        )
        return Terminal(
            *("mutt", "-n", "-F", home / "muttrc", *arguments),
            env={"HOME": str(home)},
            cwd=home,
        )

    def mailbox(self, user, folder="INBOX"):
        """[(subject, flags without \\Recent), ...] of a folder."""
        client = ways_in.imapclient(self.daemon, user)[1]
        client.select_folder(folder, readonly=True)
        rows = client.fetch(client.search("ALL"), ["ENVELOPE", "FLAGS"])
        client.logout()
        return [
            (
                row[b"ENVELOPE"].subject.decode(),
                {flag.decode() for flag in row[b"FLAGS"]} - {"\\Recent"},
            )
            for _, row in sorted(rows.items())
        ]

    def account(self):
        user = self.user()
        ways_in.deliver(
            self.daemon,
            user,
            *(
                message(f"subject {n}", body=f"text {n}\n")
                for n in ("one", "two", "three")
            ),
        )
        return user

    def test_imap_mail_is_read_flagged_and_deleted(self):
        for way in ("", "s"):
            ann = self.account()
            with self.mutt(ann, way) as mutt:
                mutt.wait_for("subject one", "subject three", "Msgs:3 New:3")
                mutt.keys("1\r\r")
                mutt.wait_for("text one")
                mutt.keys("i")
                mutt.wait_for("Msgs:3 New:2")
                mutt.keys("F")
                mutt.wait_for("Flag:1")
                mutt.keys("2\rd")
                mutt.wait_for("Del:1")
                mutt.keys("$")
                mutt.wait_for("2 kept, 1 deleted.")
                mutt.keys("q")
                self.assertEqual(mutt.wait_for_end(), 0)
            self.assertEqual(
                self.mailbox(ann),
                [("subject one", {"\\Seen", "\\Flagged"}), ("subject three", set())],
            )

    def test_mail_that_comes_meanwhile_is_shown(self):
        for way in ("", "s"):
            ann = self.account()
            with self.mutt(ann, way) as mutt:
                mutt.wait_for("Msgs:3")
                ways_in.deliver(self.daemon, ann, message("subject four"))
                mutt.wait_for("subject four", "Msgs:4")
                mutt.keys("q")
                self.assertEqual(mutt.wait_for_end(), 0)

    def test_headers_that_it_kept_are_brought_up_to_date(self):
        for way in ("", "s"):
            ann, home = self.account(), self.home()
            kept = {"header_cache": f"{home}/kept", "imap_condstore": "yes"}
            with self.mutt(ann, way, home=home, **kept) as mutt:
                mutt.wait_for("subject one", "subject two", "Msgs:3 New:3")
                mutt.keys("q")
                self.assertEqual(mutt.wait_for_end(), 0)
            client = ways_in.imapclient(self.daemon, ann)[0]
            client.select_folder("INBOX")
            client.add_flags([1], ["\\Flagged", "\\Seen"])
            client.delete_messages([2])
            client.expunge()
            client.append("INBOX", message("subject four"))
            client.logout()
            with self.mutt(ann, way, home=home, **kept) as mutt:
                text = mutt.wait_for("subject four", "Msgs:3 New:2 Flag:1")
                self.assertNotIn("subject two", text)
                self.assertIn("subject one", text)
                mutt.keys("q")
                self.assertEqual(mutt.wait_for_end(), 0)

    def test_mail_is_sent_and_kept_in_a_new_folder_or_the_one_for_it(self):
        for way, folder in (("", "Kept"), ("s", "Kept"), ("s", "Sent")):
            ann, bob = self.account(), self.user()
            with self.mutt(ann, way, record=f"+{folder}") as mutt:
                mutt.wait_for("Msgs:3")
                mutt.keys("m")
                mutt.wait_for("To:")
                mutt.keys(f"{bob}\r")
                mutt.wait_for("Subject:")
                mutt.keys("By mutt\r")
                mutt.wait_for("y:Send", "Subject: By mutt")
                mutt.keys("y")
                if folder != "Sent":  # which a new account has
                    mutt.wait_for(f"Create {folder}?")
                    mutt.keys("y")
                mutt.wait_for("Mail sent.")
                mutt.keys("c")
                mutt.wait_for("Open mailbox")
                mutt.keys(f"={folder}\r")
                mutt.wait_for(f"={folder} [Msgs:1", "By mutt")
                mutt.keys("q")
                self.assertEqual(mutt.wait_for_end(), 0)
            self.assertEqual(self.mailbox(ann, folder), [("By mutt", {"\\Seen"})])
            (got,) = ways_in.messages(self.daemon, bob)
            self.assertIn(b"\r\nFrom: Ann <%b>\r\n" % ann.encode(), got)
            self.assertTrue(got.endswith(b"\r\n\r\nTyped with care.\r\n"), got)

    def test_pop3_mail_is_read_and_deleted(self):
        for way in ("", "s"):
            ann = self.account()
            port = self.daemon.port("pop3" + way)
            url = f"pop{way}://{ann}@localhost:{port}/"
            with self.mutt(ann, way, "-f", url) as mutt:
                mutt.wait_for("subject one", "subject three", "Msgs:3")
                mutt.keys("2\r\r")
                mutt.wait_for("text two")
                mutt.keys("i")
                mutt.wait_for("Msgs:3 New:2")
                mutt.keys("d")
                mutt.wait_for("Del:1")
                mutt.keys("$")
                mutt.wait_for("2 kept, 1 deleted.")
                mutt.keys("q")
                self.assertEqual(mutt.wait_for_end(), 0)
            got = b"".join(ways_in.messages(self.daemon, ann))
            self.assertEqual(got.count(b"\r\nSubject: "), 2)
            self.assertNotIn(b"Subject: subject two", got)
