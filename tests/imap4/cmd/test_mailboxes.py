import re

from twisted.trial.unittest import SynchronousTestCase

from mailtwist.directory.model import Account
from mailtwist.imap4.names import wire_of

from ..room import Room, small


class MailboxTests(SynchronousTestCase):
    def setUp(self):
        self.client = Room().login()
        self.client.hear()

    def names(self, pattern="*"):
        return [line.split()[-1] for line in self.client.ask(f'LIST "" {pattern}')[:-1]]

    def test_answers_in_order(self):
        cases = [
            ("CREATE Work", b"OK CREATE completed", "made"),
            ("CREATE Work", b"NO [ALREADYEXISTS] Mailbox exists already", "again"),
            ("CREATE inbox", b"NO [ALREADYEXISTS] Mailbox exists already", "any case"),
            ("CREATE Lists/", b"OK CREATE completed", "trailing delimiter"),
            ("CREATE a/b/c", b"OK CREATE completed", "parents are made"),
            ("DELETE none", b"NO [NONEXISTENT] No such mailbox", "missing"),
            ("DELETE INBOX", b"NO [NOPERM] INBOX cannot be deleted", "RFC 3501 §6.3.4"),
            ("RENAME Work a/b", b"NO [ALREADYEXISTS] Mailbox exists already", "taken"),
            ("RENAME none new", b"NO [NONEXISTENT] No such mailbox", "missing"),
            ("RENAME a z", b"OK RENAME completed", "with children"),
            ("DELETE z/b/c", b"OK DELETE completed", "a leaf"),
            ("STATUS none (MESSAGES)", b"NO [NONEXISTENT] No such mailbox", "missing"),
            ("SELECT none", b"NO [NONEXISTENT] No such mailbox", "missing"),
        ]
        for command, wanted, why in cases:
            told = self.client.ask(command)[-1]
            told = re.sub(rb" \[MAILBOXID \(F\w+\)\]", b"", told)
            self.assertEqual(told, wanted, f"{command}: {why}")
        self.assertEqual(self.names(), [b"INBOX", b"Lists", b"Work", b"z", b"z/b"])

    def test_inbox_renamed_leaves_an_empty_inbox(self):
        self.client.append()
        self.client.ask("RENAME INBOX old")
        for name, count in (("INBOX", 0), ("old", 1)):
            told, _ = self.client.ask(f"STATUS {name} (MESSAGES)")
            self.assertEqual(
                told, b"* STATUS %b (MESSAGES %d)" % (name.encode(), count)
            )

    def test_names_are_modified_utf_7(self):
        self.client.ask("CREATE Entw&APw-rfe")
        self.assertIn(b"Entw&APw-rfe", self.names())
        self.assertTrue(self.client.ask("CREATE &AGE-")[0].startswith(b"NO [CANNOT]"))

    def test_status_tells_what_was_asked_in_that_order(self):
        self.client.append(flags="\\Seen")
        self.client.append()
        told, _ = self.client.ask("STATUS INBOX (UNSEEN UIDNEXT MESSAGES RECENT)")
        self.assertEqual(
            told, b"* STATUS INBOX (UNSEEN 1 UIDNEXT 3 MESSAGES 2 RECENT 2)"
        )

    def test_status_of_the_selected_mailbox_may_be_asked(self):
        self.client.ask("SELECT INBOX")
        self.assertEqual(
            self.client.ask("STATUS INBOX (MESSAGES)")[0],
            b"* STATUS INBOX (MESSAGES 0)",
        )

    def test_the_selected_mailbox_may_be_deleted(self):
        self.client.ask("CREATE Work")
        self.client.ask("SELECT Work")
        self.assertEqual(
            self.client.ask("DELETE Work"),
            [b"* OK [CLOSED] The selected mailbox is deleted", b"OK DELETE completed"],
        )
        self.assertEqual(
            self.client.ask("FETCH 1 FLAGS"),
            [b"BAD The mailbox that was selected is deleted"],
        )
        self.assertEqual(self.client.ask("CLOSE"), [b"OK CLOSE completed"])

    def test_the_selected_mailbox_may_be_deleted_under_its_new_name(self):
        self.client.ask("CREATE Work")
        self.client.ask("SELECT Work")
        self.client.ask("RENAME Work Play")
        self.assertEqual(
            self.client.ask("DELETE Play"),
            [b"* OK [CLOSED] The selected mailbox is deleted", b"OK DELETE completed"],
        )

    def test_another_mailbox_of_the_old_name_is_not_the_selected_one(self):
        self.client.ask("CREATE Work")
        self.client.ask("SELECT Work")
        self.client.ask("RENAME Work Play")
        self.client.ask("CREATE Work")
        self.assertEqual(self.client.ask("DELETE Work"), [b"OK DELETE completed"])
        self.assertEqual(self.client.ask("FETCH 1:* UID"), [b"OK FETCH completed"])

    def test_an_INBOX_that_cannot_be_deleted_stays_selected(self):
        self.client.append()
        self.client.ask("SELECT INBOX")
        self.assertEqual(
            self.client.ask("DELETE INBOX"), [b"NO [NOPERM] INBOX cannot be deleted"]
        )
        self.assertEqual(self.client.ask("FETCH 1 UID")[0], b"* 1 FETCH (UID 1)")

    def test_namespace_is_one_personal(self):
        self.assertEqual(
            self.client.ask("NAMESPACE")[0], b'* NAMESPACE (("" "/")) NIL NIL'
        )

    def test_names_have_limits(self):
        room = Room(config=small(most_levels=3, name_octets=64))
        client = room.login()
        deep = [b"NO [LIMIT] Mailbox names have at most 3 levels"]
        long = [b"NO [LIMIT] Mailbox names have at most 64 octets"]
        for command, answer in (
            ("CREATE a/b/c", None),
            ("CREATE a/b/g/", None),
            ("CREATE a/b/c/d", deep),
            (f"CREATE {'x' * 64}", None),
            (f"CREATE {'x' * 65}", long),
            (f"CREATE x/{'x' * 63}", long),
            (f"CREATE {wire_of(('é' * 33,)).decode()}", long),
            ("CREATE e", None),
            ("CREATE f", None),
            ("RENAME f e/f", None),
            ("RENAME e/f e/e/f", None),
            ("RENAME e/e/f e/e/e/f", deep),
            ("RENAME a e/a", deep),
            ("RENAME a/b b", None),
            (f"RENAME b {'y' * 63}", long),
            (f"RENAME b {'y' * 62}", None),
        ):
            if answer is None:
                self.assertTrue(client.ask(command)[-1].startswith(b"OK "), command)
            else:
                self.assertEqual(client.ask(command), answer, command)
        names = {line.split()[-1] for line in client.ask('LIST "" *')[:-1]}
        self.assertEqual(
            names,
            {b"INBOX", b"a", b"e", b"e/e", b"e/e/f", b"x" * 64}
            | {b"y" * 62, b"y" * 62 + b"/c", b"y" * 62 + b"/g"},
        )

    def test_a_use_that_shows_what_is_elsewhere_is_not_given(self):
        """RFC 6154 §3: no mailbox here is all of them."""
        for use in ("\\All", "\\Flagged", "\\All \\Sent"):
            self.assertEqual(
                self.client.ask(f"CREATE x (USE ({use}))"),
                [b"NO [USEATTR] That special use is not supported"],
            )
        self.assertEqual(len(self.client.ask('LIST "" x')), 1)

    def test_a_special_use_is_told_by_list(self):
        self.client.ask("CREATE Sent (USE (\\Sent))")
        self.assertEqual(
            self.client.ask('LIST (SPECIAL-USE) "" *')[0],
            b'* LIST (\\HasNoChildren \\Sent) "/" Sent',
        )


class DelimiterTests(SynchronousTestCase):
    def test_a_dot_is_told_and_taken(self):
        client = Room(config=small(delimiter=".")).login()
        client.hear()
        client.ask("CREATE a.b")
        self.assertEqual(client.ask('LIST "" %')[1], b'* LIST (\\HasChildren) "." a')
        self.assertEqual(client.ask('LIST "" ""')[0], b'* LIST (\\Noselect) "." ""')


class QuotaTests(SynchronousTestCase):
    def test_a_full_account_is_told_before_the_client_sends(self):
        client = Room(account=Account("ann@example.test", "/", 1000)).login()
        client.hear()
        self.assertEqual(
            client.ask("APPEND INBOX {1001}"), [b"NO [OVERQUOTA] Mailbox full"]
        )
        self.assertEqual(client.append(b"x" * 1001), [b"NO [OVERQUOTA] Mailbox full"])
        client.append(b"x" * 600)
        client.ask("SELECT INBOX")
        self.assertEqual(client.ask("COPY 1 INBOX"), [b"NO [OVERQUOTA] Mailbox full"])
