"""What users expunge can be had back, while the daemon runs."""

from imapclient.exceptions import IMAPClientError

from tests.integration import ways_in
from tests.integration.daemon import DaemonTestCase
from tests.integration.programs import message


class UndeleteTests(DaemonTestCase):
    workers = 2
    extra = '[deleted]\nkeep_s = "7 d"\nnamespace = "Deleted Messages"\n'

    def letters(self, user):
        """{folder: (octets, flags, date) of each message}"""
        client = ways_in.imapclient(self.daemon, user)[1]
        found = {}
        for _, _, folder in client.list_folders():
            if folder.startswith("Deleted Messages"):
                continue
            client.select_folder(folder, readonly=True)
            rows = client.fetch(
                client.search("ALL"), ["FLAGS", "INTERNALDATE", "BODY.PEEK[]"]
            )
            some = [
                (
                    row[b"BODY[]"],
                    sorted(set(row[b"FLAGS"]) - {b"\\Recent"}),
                    row[b"INTERNALDATE"],
                )
                for row in rows.values()
            ]
            if some:
                found[folder] = sorted(some)
        client.logout()
        return found

    def fill(self):
        user = self.user()
        letters = [
            message(f"sübject {n}", **{"Message-ID": f"<m{n}@x.test>"})
            for n in range(3)
        ]
        ways_in.deliver(self.daemon, user, *letters)
        client = ways_in.imapclient(self.daemon, user)[1]
        client.create_folder("Old/été")
        client.select_folder("INBOX")
        client.add_flags([1, 2], ["\\Flagged", "work"])
        client.copy([2, 3], "Old/été")
        client.logout()
        return user

    def expunge_all(self, user):
        client = ways_in.imapclient(self.daemon, user)[1]
        client.select_folder("INBOX")
        client.delete_messages(client.search("ALL"))
        client.expunge()
        client.delete_folder("Old/été")
        client.logout()

    def test_all_of_it_comes_back_where_it_was(self):
        user = self.fill()
        before = self.letters(user)
        self.expunge_all(user)
        self.assertEqual(self.letters(user), {})
        told = self.daemon.command("fsck", user)
        self.assertIn(f"{user}, deleted: 5 messages in", told)
        listed = self.daemon.command("undelete", user, "--list")
        self.assertEqual(len(listed.splitlines()), 5)
        self.assertIn("<m1@x.test>  sübject 1", listed)
        self.assertIn("5 messages", self.daemon.command("undelete", user))
        self.assertEqual(self.letters(user), before)
        self.assertEqual(self.daemon.command("undelete", user, "--list"), "")

    def test_a_message_or_a_folder_comes_back(self):
        user = self.fill()
        self.expunge_all(user)
        self.daemon.command("undelete", user, "--message-id", "m0@x.test")
        found = self.letters(user)
        self.assertEqual([len(some) for some in found.values()], [1])
        self.daemon.command("undelete", user, "--folder", "Old/*", "--into", "Saved")
        self.assertEqual(len(self.letters(user)["Saved/Old/été"]), 2)

    def test_what_pop3_deletes_is_kept_too_and_what_is_young_stays(self):
        user = self.user()
        ways_in.deliver(self.daemon, user, message("one"))
        client = ways_in.pop3_login(self.daemon, user)
        client.dele(1)
        client.quit()
        self.assertIn(" 0 messages", self.daemon.command("undelete", user, "--purge"))
        self.assertIn("1 messages", self.daemon.command("undelete", user))
        self.assertEqual(len(ways_in.messages(self.daemon, user)), 1)

    def test_it_can_be_read_over_imap_and_not_changed(self):
        user = self.fill()
        self.expunge_all(user)
        client = ways_in.imapclient(self.daemon, user)[1]
        self.assertEqual(
            [one[0] for one in client.namespace().personal], ["", "Deleted Messages/"]
        )
        names = {name for _, _, name in client.list_folders("Deleted Messages/", "*")}
        inbox, old = "Deleted Messages/INBOX", "Deleted Messages/Old/été"
        self.assertLessEqual({inbox, old}, names)
        info = client.select_folder(inbox, readonly=True)
        self.assertEqual(info[b"EXISTS"], 3)
        rows = client.fetch([1, 2, 3], ["FLAGS", "BODY.PEEK[]"])
        flags = sorted(set(row[b"FLAGS"]) - {b"\\Recent"} for row in rows.values())
        self.assertEqual(len(flags), 3)
        self.assertIn({b"\\Flagged", b"work"}, flags)
        self.assertEqual(client.search(["SUBJECT", "bject 1"]), [2])
        for change in (
            lambda: client.add_flags([1], ["\\Seen"]),
            lambda: client.expunge([1]),
            lambda: client.move([1], "INBOX"),
            lambda: client.append(inbox, message("x")),
            lambda: client.create_folder("Deleted Messages/x"),
            lambda: client.delete_folder(old),
            lambda: client.rename_folder(old, "Mine"),
        ):
            self.assertRaises(IMAPClientError, change)
        client.copy([2], "INBOX")
        client.select_folder("INBOX")
        (row,) = client.fetch(client.search("ALL"), ["FLAGS", "ENVELOPE"]).values()
        self.assertEqual(set(row[b"FLAGS"]) - {b"\\Recent"}, {b"\\Flagged", b"work"})
        client.logout()
