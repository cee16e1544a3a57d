from twisted.trial.unittest import SynchronousTestCase

from ..room import Room


class ListTests(SynchronousTestCase):
    def setUp(self):
        self.client = Room().login()
        self.client.hear()
        for name in ("Archive", "Lists/python/dev", "Lists/twisted", "Trash"):
            self.client.ask(f"CREATE {name}")
        for name in ("INBOX", "Lists/python/dev", "Gone/deep"):
            self.client.ask(f"SUBSCRIBE {name}")

    def list(self, rest, word="LIST"):
        lines = self.client.ask(f"{word} {rest}")
        self.assertEqual(lines[-1], b"OK %b completed" % word.encode())
        prefix = b"* %b " % word.encode()
        return [line.removeprefix(prefix).decode() for line in lines[:-1]]

    def test_patterns(self):
        cases = [
            ('"" *', "INBOX Archive Lists Lists/python Lists/python/dev Lists/twisted"
             " Trash", "all"),
            ('"" %', "INBOX Archive Lists Trash", "one level"),
            ('"" Lists/%', "Lists/python Lists/twisted", "one level below"),
            ('Lists/ %', "Lists/python Lists/twisted", "behind the reference"),
            ('"" inbox', "INBOX", "INBOX in any case"),
            ('"" %/%/%', "Lists/python/dev", "three levels"),
            ('"" (Archive Trash)', "Archive Trash", "several patterns"),
            ('"" nothing', "", "no match"),
        ]  # fmt: skip
        for rest, wanted, why in cases:
            names = [line.split()[-1] for line in self.list(rest)]
            self.assertEqual(names, wanted.split(), f"{rest}: {why}")

    def test_an_empty_pattern_asks_for_the_delimiter(self):
        self.assertEqual(self.list('"" ""'), [r'(\Noselect) "/" ""'])

    def test_children_are_told(self):
        self.assertEqual(
            self.list('"" (Lists Trash)'),
            [r'(\HasChildren) "/" Lists', r'(\HasNoChildren) "/" Trash'],
        )

    def test_subscribed_names_even_if_they_do_not_exist(self):
        self.assertEqual(
            self.list('(SUBSCRIBED) "" *'),
            [
                r'(\HasNoChildren \Subscribed) "/" INBOX',
                r'(\NonExistent \HasNoChildren \Subscribed) "/" Gone/deep',
                r'(\HasNoChildren \Subscribed) "/" Lists/python/dev',
            ],
        )

    def test_recursive_match_tells_parents_of_subscribed_names(self):
        """RFC 5258 §3.5."""
        self.assertEqual(
            sorted(self.list('(SUBSCRIBED RECURSIVEMATCH) "" %')),
            [
                r'(\HasChildren) "/" Lists ("CHILDINFO" ("SUBSCRIBED"))',
                r'(\HasNoChildren \Subscribed) "/" INBOX',
                r'(\NonExistent \HasNoChildren) "/" Gone ("CHILDINFO" ("SUBSCRIBED"))',
            ],
        )

    def test_return_subscribed(self):
        self.assertEqual(
            self.list('"" % RETURN (SUBSCRIBED)')[:2],
            [
                r'(\HasNoChildren \Subscribed) "/" INBOX',
                r'(\HasNoChildren) "/" Archive',
            ],
        )

    def test_return_status_follows_each_that_can_be_selected(self):
        self.client.append(path="Trash")
        lines = self.client.ask('LIST "" (Trash Archive) RETURN (STATUS (MESSAGES))')
        self.assertEqual(
            lines[:-1],
            [
                b'* LIST (\\HasNoChildren) "/" Archive',
                b"* STATUS Archive (MESSAGES 0)",
                b'* LIST (\\HasNoChildren \\Marked) "/" Trash',
                b"* STATUS Trash (MESSAGES 1)",
            ],
        )

    def test_a_deleted_parent_stays_as_a_name_only(self):
        self.client.ask("DELETE Lists/python")
        self.assertEqual(
            self.list('"" Lists/python'), [r'(\Noselect \HasChildren) "/" Lists/python']
        )
        self.assertEqual(
            self.client.ask("SELECT Lists/python"),
            [b"NO [CANNOT] Mailbox holds no messages, only other mailboxes"],
        )

    def test_lsub_tells_subscribed_names(self):
        self.assertEqual(
            self.list('"" *', "LSUB"),
            [
                '() "/" INBOX',
                r'(\Noselect) "/" Gone/deep',
                '() "/" Lists/python/dev',
            ],
        )

    def test_lsub_with_percent_tells_parents_as_noselect(self):
        """RFC 3501 §6.3.9: "foo/bar" is subscribed and "%" is asked for."""
        self.assertEqual(
            sorted(self.list('"" %', "LSUB")),
            ['() "/" INBOX', r'(\Noselect) "/" Gone', r'(\Noselect) "/" Lists'],
        )

    def test_unsubscribed_is_gone_from_lsub(self):
        self.client.ask("UNSUBSCRIBE INBOX")
        self.client.ask("UNSUBSCRIBE Gone/deep")
        self.assertEqual(self.list('"" *', "LSUB"), ['() "/" Lists/python/dev'])
