"""Two people and the mailboxes that they share, with imapclient and imaplib."""

import imaplib
import os
import smtplib
from pathlib import Path

from tests.integration import ways_in
from tests.integration.daemon import DOMAIN, PASSWORD, DaemonTestCase
from tests.integration.programs import message, run
from tests.integration.test_system_users import SystemUsersTestCase
from tests.integration.world import until

OTHERS = "Other Users"
NAMESPACES = b'(("" "/")) (("Other Users/" "/")) (("Shared/" "/"))'


PUBLIC = """
[[public_folder]]
name = "News"
address = "news@example.test"
rights = ["anyone lrsp", "$staff lrswipkxtea"]
"""


class SharedCase:
    """`daemon`, and two names of accounts."""

    def clients(self, ann, bob):
        """imapclient for ann, imaplib for bob; closed when the test is over."""
        first, *others = ways_in.imapclient(self.daemon, ann)
        second, *more = ways_in.imap(self.daemon, bob)
        for client in (first, second, *others, *more):
            self.addCleanup(client.shutdown)
        return first, second

    def swaks(self, user, sender, to):
        """(exit status, what swaks told) of a message from that sender."""
        return run(
            *("swaks", "-s", "127.0.0.1", "-p", self.daemon.port("submission")),
            *("-tls", "-a", "PLAIN", "-au", user, "-ap", PASSWORD),
            *("--from", sender, "--h-From", sender, "--to", to),
            *("--header", "Subject: an answer"),
            ok=False,
        )

    def names(self, client):
        return [line.rpartition(b' "/" ')[2].decode() for line in client.list()[1]]

    def share_and_use(self, ann, bob):
        owner, reader = self.clients(ann, bob)
        owner.create_folder("Work")
        for subject in ("one", "two"):
            owner.append("Work", message(subject))
        self.assertFalse([name for name in self.names(reader) if OTHERS in name])
        owner.setacl("Work", bob, "lrswite")
        name = f"{OTHERS}/{ann}/Work"
        self.assertIn(f'"{name}"', self.names(reader))
        quoted = f'"{name}"'
        self.assertEqual(reader.myrights(quoted)[1], [f"{quoted} lrswited".encode()])
        self.assertEqual(reader.namespace()[1], [NAMESPACES])

        self.assertEqual(reader.select(quoted), ("OK", [b"2"]))
        self.assertEqual(reader.search(None, "UNSEEN")[1], [b"1 2"])
        _, got = reader.fetch("1", "(BODY[])")
        self.assertEqual(got[0][1], message("one"))
        self.assertEqual(reader.store("2", "+FLAGS", r"(\Flagged)")[0], "OK")
        self.assertEqual(reader.search(None, "UNSEEN")[1], [b"2"])
        owner.select_folder("Work")
        self.assertEqual(owner.search("UNSEEN"), [1, 2], "each has its own")
        self.assertEqual(owner.search("FLAGGED"), [2], "one for all")

        owner.idle()
        self.assertEqual(
            reader.append(quoted, r"(\Seen)", None, message("three"))[0], "OK"
        )
        self.assertIn((3, b"EXISTS"), owner.idle_check(timeout=10))
        owner.idle_done()
        self.assertEqual(reader.copy("1", "INBOX")[0], "OK")
        self.assertEqual(reader.uid("MOVE", "2", "Drafts")[0], "OK")
        self.assertEqual(reader.select("Drafts"), ("OK", [b"1"]))
        self.assertEqual(reader.copy("1", quoted)[0], "OK")
        self.assertEqual(owner.folder_status("Work", "MESSAGES")[b"MESSAGES"], 3)

        owner.setacl("Work", bob, "lr")
        self.assertRaises(imaplib.IMAP4.readonly, reader.select, quoted)
        reader.is_readonly = True  # so that imaplib goes on
        self.assertEqual(reader.append(quoted, None, None, message("no"))[0], "NO")
        owner.setacl("Work", bob, '""')
        self.assertEqual(reader.select(quoted)[0], "NO")
        self.assertNotIn(quoted, self.names(reader))


class OwnFilesTests(SharedCase, DaemonTestCase):
    """All mail belongs to the server's user."""

    extra = PUBLIC

    def test_a_mailbox_is_shared_used_and_taken_back(self):
        self.share_and_use(self.user(), self.user())

    def test_a_public_folder_is_filled_by_some_and_read_by_all(self):
        writer, reader = self.clients(self.user("--groups=staff"), self.user())
        writer.create_folder("Shared/News/Python")
        writer.append("Shared/News/Python", message("new"))
        self.assertEqual(
            reader.append("Shared/News", None, None, message("x"))[0], "NO"
        )
        self.assertEqual(reader.select("Shared/News/Python"), ("OK", [b"1"]))
        self.assertEqual(reader.store("1", "+FLAGS", r"(\Seen)")[0], "OK")
        self.assertEqual(
            writer.folder_status("Shared/News/Python", "UNSEEN"), {b"UNSEEN": 1}
        )

    def test_mail_is_posted_by_address_and_subaddress(self):
        ann, bob = self.user("--groups=staff"), self.user()
        writer, reader = self.clients(ann, bob)
        writer.create_folder("Shared/News/Talk")
        writer.create_folder("Lists")
        writer.setacl("Lists", "anyone", "lrp")
        local_part, _, domain = ann.partition("@")
        for to in ("news", "news+talk", f"{local_part}+lists", f"{local_part}+other"):
            ways_in.deliver(self.daemon, f"{to}@{domain}", message(to))
        for name, subject in (
            ("Shared/News", "news"),
            ("Shared/News/Talk", "news+talk"),
            (f'"{OTHERS}/{ann}/Lists"', f"{local_part}+lists"),
        ):
            self.assertEqual(reader.select(name, readonly=True)[0], "OK")
            (found,) = reader.search(None, "SUBJECT", f'"{subject}"')[1]
            self.assertEqual(len(found.split()), 1, name)
        self.assertEqual(writer.select_folder("INBOX")[b"EXISTS"], 1)

    def test_a_login_posts_where_its_group_may(self):
        ann, bob, eve = self.user(), self.user("--groups=team"), self.user()
        owner, reader = self.clients(ann, bob)
        owner.create_folder("Lists")
        owner.setacl("Lists", "$team", "lrsp")
        lists = f"+lists@{DOMAIN}".join((ann.partition("@")[0], ""))
        for sender in (bob, eve):
            status, text = self.swaks(sender, sender, lists)
            self.assertEqual(status, 0, text)
        ways_in.deliver(self.daemon, lists, message("from outside"))
        self.assertEqual(owner.folder_status("Lists", "MESSAGES"), {b"MESSAGES": 1})
        self.assertEqual(owner.select_folder("INBOX")[b"EXISTS"], 2)
        self.assertEqual(reader.select(f'"{OTHERS}/{ann}/Lists"'), ("OK", [b"1"]))
        _, got = reader.fetch("1", "(BODY[])")
        self.assertIn(f"From: {bob}".encode(), got[0][1])
        self.assertEqual(owner.folder_status("Lists", "UNSEEN"), {b"UNSEEN": 1})
        self.assertEqual(reader.search(None, "SEEN")[1], [b"1"])

    def test_a_login_whose_mail_waited_posts_where_it_may(self):
        ann, bob, eve = self.user(), self.user(), self.user()
        owner, _ = self.clients(ann, bob)
        owner.create_folder("Lists")
        owner.setacl("Lists", bob, "p")
        lists = f"+lists@{DOMAIN}".join((ann.partition("@")[0], ""))
        for sender in (bob, eve):
            text = f"From: {sender}\r\n\r\n".encode()
            for client in ways_in.submission(self.daemon, sender):
                with client:
                    client.sendmail(sender, [lists], text, ["HOLDFOR=1"])

        def held():
            return [
                owner.folder_status(name, "MESSAGES")[b"MESSAGES"]
                for name in ("Lists", "INBOX")
            ]

        until(lambda: held() == [2, 2], lambda: str(held()))
        owner.select_folder("Lists")
        got = owner.fetch("1", "BODY[]")[1][b"BODY[]"]
        self.assertIn(f"From: {bob}".encode(), got)
        self.assertNotIn(b"ogin", got)

    def test_rights_outlive_the_server(self):
        ann, bob = self.user(), self.user()
        owner, reader = self.clients(ann, bob)
        owner.create_folder("Work")
        owner.append("Work", message("one"))
        owner.setacl("Work", bob, "lrs")
        reader.select(f'"{OTHERS}/{ann}/Work"')
        self.assertEqual(reader.store("1", "+FLAGS", r"(\Seen)")[0], "OK")
        self.daemon.kill()
        self.daemon.start()
        owner, reader = self.clients(ann, bob)
        self.assertEqual(reader.select(f'"{OTHERS}/{ann}/Work"')[0], "OK")
        self.assertEqual(reader.search(None, "SEEN")[1], [b"1"])
        held = {name.decode() for name, _ in owner.getacl("Work")}
        self.assertEqual(held, {ann, bob})
        self.daemon.sound(2)


class OwnUidsTests(SharedCase, SystemUsersTestCase):
    """The mail of each belongs to its own user: two agents serve one reader."""

    def test_a_mailbox_of_another_user_is_shared_used_and_taken_back(self):
        _, other = self.daemon.add()
        self.share_and_use(self.name, other)
        for path in Path(self.user.home).rglob("*"):
            self.assertEqual(os.lstat(path).st_uid, self.user.uid, path)


class CommandTests(SharedCase, DaemonTestCase):
    """`mailtwist share`."""

    def test_an_address_is_shared_and_taken_back(self):
        ann, bob = self.user(), self.user()
        ops = f"{ann.partition('@')[0]}.ops@{DOMAIN}"
        said = self.daemon.command(
            "share", "add", ops, "--members", f"{ann},{bob}", "--send-as"
        )
        self.assertIn(f"{ops} added", said)
        ways_in.deliver(self.daemon, ops, message("for all of us"))
        owner, reader = self.clients(ann, bob)
        inbox, sent = (f"{OTHERS}/{ops}/{name}" for name in ("INBOX", "Sent"))
        self.assertEqual(owner.select_folder(inbox)[b"EXISTS"], 1)
        owner.append(sent, message("an answer"), ("\\Seen",))
        self.assertEqual(reader.select(f'"{sent}"'), ("OK", [b"1"]))
        self.assertEqual(self.from_(bob, ops), 250)
        self.assertEqual(self.from_(self.user(), ops), 550)
        listed = self.daemon.command("share", "list")
        for line in (
            f"{ops}  INBOX  {ann}  lrswipkxtecd",
            f"{ops}  Sent  {bob}  lrswipkxtecd",
            f"{ops}  sent from by  {bob}",
        ):
            self.assertIn(line, listed)
        self.daemon.command("share", "remove", ops, "--members", bob)
        self.assertNotIn(bob, self.daemon.command("share", "list", ops))
        until(lambda: self.from_(bob, ops) == 550, self.daemon.log.read_text)
        until(lambda: reader.select(f'"{sent}"')[0] == "NO", self.daemon.log.read_text)
        self.assertEqual(owner.select_folder(inbox)[b"EXISTS"], 1)
        self.daemon.command("share", "remove", ops)
        self.assertNotIn(ops, self.daemon.command("share", "list"))

    def test_members_send_from_the_address_and_its_sent_keeps_it(self):
        ann, bob, eve = self.user(), self.user(), self.user()
        ops = f"{ann.partition('@')[0]}.ops@{DOMAIN}"
        share = ("share", "add", ops, "--members", f"{ann},{bob}", "--send-as")
        self.daemon.command(*share)
        status, text = self.swaks(ann, ops, eve)
        self.assertEqual(status, 0, text)
        status, text = self.swaks(eve, ops, ann)
        self.assertNotEqual(status, 0)
        self.assertIn("550 5.7.1", text)
        first, second = self.clients(ann, bob)
        sent = f"{OTHERS}/{ops}/Sent"
        self.assertEqual(first.folder_status(sent, "MESSAGES")[b"MESSAGES"], 0)

        self.daemon.command(*share, "--keep-sent")
        self.assertIn("keeps what they send", self.daemon.command("share", "list", ops))
        status, text = self.swaks(bob, ops, f"{eve},{ann}")
        self.assertEqual(status, 0, text)
        self.assertEqual(len(ways_in.messages(self.daemon, eve)), 2)
        self.assertEqual(second.select(f'"{sent}"'), ("OK", [b"1"]))
        _, got = second.fetch("1", "(BODY.PEEK[])")
        self.assertIn(f"From: {ops}".encode(), got[0][1])
        status, text = self.swaks(ann, ann, eve)
        self.assertEqual(status, 0, text)
        self.assertEqual(first.folder_status(sent, "MESSAGES")[b"MESSAGES"], 1)
        self.daemon.command("share", "remove", ops)
        self.assertNotEqual(self.swaks(bob, ops, eve)[0], 0)

    def from_(self, user, sender):
        """The code that submission answers MAIL FROM with."""
        client = smtplib.SMTP(self.daemon.address, self.daemon.port("submission"))
        client.starttls(context=ways_in.OPEN)
        client.login(user, PASSWORD)
        code, _ = client.mail(sender)
        client.quit()
        return code


class IndexTests(SharedCase, DaemonTestCase):
    """The index of who has what of whom."""

    def test_a_damaged_index_is_made_anew(self):
        ann, bob, eve = self.user(), self.user(), self.user()
        owner, _ = self.clients(ann, bob)
        owner.create_folder("Work")
        owner.setacl("Work", bob, "lr")
        owner.create_folder("Old")
        owner.setacl("Old", eve, "lr")
        self.daemon.command("share", "add", ann, "--members", bob, "--send-as")
        self.daemon.stop()
        index = self.daemon.folder / "data" / "shares.sqlite"
        index.write_bytes(b"no database" * 1000)
        self.daemon.start()
        _, reader = self.clients(ann, bob)
        work = f'"{OTHERS}/{ann}/Work"'
        until(lambda: work in self.names(reader), self.daemon.log.read_text)
        self.assertTrue(index.with_name("shares.sqlite.damaged").exists())
        mark = index.with_name("shares.sqlite.incomplete")
        until(lambda: not mark.exists(), self.daemon.log.read_text)
        self.assertIn("is damaged", self.daemon.log.read_text())

        self.daemon.stop()
        index.unlink()
        said = self.daemon.command("share", "rebuild")
        self.assertIn("2 shares added to the index, 0 removed", said)
        self.assertIn("0 shares added", self.daemon.command("share", "rebuild"))
        self.daemon.start()
        _, reader = self.clients(ann, eve)
        self.assertIn(f'"{OTHERS}/{ann}/Old"', self.names(reader))
