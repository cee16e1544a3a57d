"""Rights are asked for by every command (RFC 4314 §4)."""

from twisted.trial.unittest import SynchronousTestCase

from mailtwist.mailbox.read_only import ReadOnlyMailboxes

from ..room import ANN, Room

ME = ANN.name


class EnforcedTests(SynchronousTestCase):
    def setUp(self):
        self.room = Room()
        self.client = self.room.login()
        self.client.hear()
        self.client.ask("CREATE Work")

    def may(self, letters, mailbox="Work"):
        self.client.ask(f'SETACL {mailbox} {ME} "{letters}"')

    def status_of(self, command):
        return self.client.ask(command)[-1].split(b" ")[0]

    def flags(self, mailbox, uid=1):
        self.client.ask(f"EXAMINE {mailbox}")
        return self.client.ask(f"UID FETCH {uid} (FLAGS)")[0]

    def test_each_command_needs_its_right(self):
        for command, right in [
            ("SELECT Work", "r"),
            ("EXAMINE Work", "r"),
            ("STATUS Work (MESSAGES)", "r"),
            ("GETMETADATA Work /private/comment", "r"),
            ('SETMETADATA Work (/private/comment "x")', "r"),
            ('SETMETADATA Work (/shared/comment "x")', "w"),
            ("CREATE Work/Deep", "k"),
            ("COPY 1 Work", "i"),
            ("RENAME Work Play", "x"),
            ("DELETE Play", "x"),
        ]:
            self.client.append()
            self.client.ask("SELECT INBOX")
            name = command.split()[1] if command.startswith("DELETE") else "Work"
            self.may("".join(set("lrswipkxte") - {right}), name)
            self.assertEqual(self.status_of(command), b"NO", command)
            self.may("lrswipkxte", name)
            self.assertEqual(self.status_of(command), b"OK", command)

    def test_store_changes_the_flags_that_may_be_changed(self):
        self.client.append(path="Work")
        self.may("lrs")
        self.client.ask("SELECT Work")
        self.assertEqual(self.status_of("STORE 1 +FLAGS (\\Seen \\Deleted x)"), b"OK")
        self.assertIn(b"FLAGS (\\Seen", self.flags("Work"))
        self.client.ask("SELECT Work")
        self.assertEqual(self.status_of("STORE 1 +FLAGS (\\Deleted)"), b"NO")
        self.assertNotIn(b"Deleted", self.flags("Work"))

    def test_store_in_place_of_all_flags_leaves_those_of_others(self):
        for letters, wanted, why in [
            ("lrw", b"(\\Deleted y)", "the keyword goes, the other stays"),
            ("lrt", b"(x)", "Deleted goes"),
            ("lrs", b"(\\Deleted \\Seen x)", "Seen comes"),
        ]:
            self.may("lrswtei")
            self.client.ask("SELECT Work")
            self.client.ask("STORE 1:* +FLAGS (\\Deleted)")
            self.client.ask("EXPUNGE")
            self.client.append(path="Work", flags="\\Deleted x")
            self.may(letters)
            self.client.ask("SELECT Work")
            *_, told, end = self.client.ask("STORE 1 FLAGS (\\Seen y)")
            self.assertEqual(end, b"OK STORE completed")
            self.assertEqual(told, b"* 1 FETCH (FLAGS " + wanted + b")", why)

    def test_expunge_needs_e_and_close_says_nothing(self):
        self.client.append(path="Work", flags="\\Deleted")
        self.may("lrs")
        self.client.ask("SELECT Work")
        self.assertEqual(self.status_of("EXPUNGE"), b"NO")
        self.assertEqual(self.status_of("CLOSE"), b"OK")
        self.assertIn(b"MESSAGES 1", self.client.ask("STATUS Work (MESSAGES)")[0])

    def test_a_renamed_mailbox_keeps_its_rights_in_a_session(self):
        self.client.append(path="Work", flags="\\Deleted")
        self.may("lrsx")
        self.client.ask("SELECT Work")
        self.client.ask("RENAME Work Play")
        self.assertEqual(self.status_of("EXPUNGE"), b"NO")

    def test_flags_that_may_not_be_set_are_left_out_of_new_messages(self):
        self.may("lris")
        self.client.append(path="Work", flags="\\Seen \\Deleted x")
        self.client.append(path="INBOX", flags="\\Seen \\Deleted x")
        self.client.ask("SELECT INBOX")
        self.assertEqual(self.status_of("COPY 1 Work"), b"OK")
        for uid in (1, 2):
            line = self.flags("Work", uid)
            self.assertIn(b"\\Seen", line)
            self.assertNotIn(b"\\Deleted", line)
            self.assertNotIn(b" x", line.replace(b" x)", b" x "))

    def test_a_body_is_read_without_seen_if_that_may_not_be_set(self):
        self.client.append(path="Work")
        self.may("lrw")
        self.client.ask("SELECT Work")
        self.assertEqual(self.status_of("FETCH 1 BODY[]"), b"OK")
        self.assertNotIn(b"\\Seen", self.flags("Work"))

    def test_without_a_right_to_change_select_is_read_only(self):
        self.may("lr")
        self.assertIn(b"[READ-ONLY]", self.client.ask("SELECT Work")[-1])

    def test_permanent_flags_are_those_that_may_be_changed(self):
        for letters, wanted, why in [
            ("lrs", b"(\\Seen)", "one"),
            ("lrst", b"(\\Deleted \\Seen)", "two"),
            ("lrw", b"(\\Answered \\Draft \\Flagged \\*)", "keywords"),
            ("lri", b"()", "none, though messages may be put in"),
        ]:
            self.may(letters)
            (line,) = (
                line
                for line in self.client.ask("SELECT Work")
                if b"PERMANENTFLAGS" in line
            )
            flags = line[line.index(b"FLAGS (") + 7 : line.index(b")]")].split()
            self.assertEqual(sorted(flags), sorted(wanted[1:-1].split()), why)

    def test_append_needs_i(self):
        self.may("lrswte")
        line = "APPEND Work {3+}\r\nx\r\n"
        self.assertEqual(self.status_of(line), b"NO")

    def test_a_store_without_rights_does_not_know_the_commands(self):
        mailboxes = ReadOnlyMailboxes(self.room.store.mailboxes(ANN))
        self.room.store._trees[ME] = mailboxes
        client = self.room.login()
        client.hear()
        (told, _) = client.ask("CAPABILITY")
        for name in (b"ACL", b"RIGHTS=kxte", b"LIST-MYRIGHTS"):
            self.assertNotIn(name, told.split())
        for command in ("MYRIGHTS INBOX", "GETACL INBOX", "SETACL INBOX bob l"):
            (line,) = client.ask(command)
            self.assertTrue(line.startswith(b"BAD"), line)
        for patterns in ("INBOX", '""', "(INBOX Work)"):
            (line,) = client.ask(f'LIST "" {patterns} RETURN (MYRIGHTS)')
            self.assertEqual(line, b"BAD Unknown return option MYRIGHTS")
