"""Tests for ESEARCH (RFC 7377): which mailboxes, and what is told of each."""

from twisted.trial.unittest import SynchronousTestCase

from ..room import ANN, HELLO, Room


class MultiSearchTests(SynchronousTestCase):
    def setUp(self):
        self.room = Room()
        self.client = self.room.login()
        for name in ("A", "A/B", "A/B/C", "Other"):
            self.client.ask(f"CREATE {name}")
        self.client.append(HELLO)
        for name in ("A", "A/B", "A/B/C"):
            self.client.append(HELLO, name)
            self.client.append(HELLO.replace(b"lunch", b"dinner"), name)
        self.client.ask("SUBSCRIBE A/B")

    def found(self, rest, command="ESEARCH"):
        """{mailbox: what was told}, checked against its correlators."""
        *lines, answer = self.client.ask(f"{command} {rest}")
        self.assertEqual(answer, b"OK ESEARCH completed")
        told = {}
        for line in lines:
            head, _, result = line.partition(b") ")
            start, tag, _, name, _, validity = head.rsplit(b" ", 5)
            self.assertEqual(start, b"* ESEARCH (TAG")
            self.assertEqual(tag, b'"t%d"' % self.client._tags)
            self.assertGreater(int(validity), 0)
            self.assertTrue(result.startswith(b"UID "), line)
            told[name.decode()] = result[4:].decode()
        return told

    def test_the_saved_result_belongs_to_the_selected_mailbox(self):
        """RFC 5182 §2.1, whatever source names it."""
        self.client.ask("SELECT A")
        self.client.ask("SEARCH RETURN (SAVE) TEXT dinner")
        for source in ("selected", "mailboxes A", "subtree A", "personal"):
            self.assertEqual(self.found(f"IN ({source}) $"), {"A": "ALL 2"}, source)
        self.assertEqual(self.found("IN (mailboxes A/B) $"), {})
        self.client.ask("UNSELECT")
        self.assertEqual(self.found("IN (mailboxes A) $"), {})

    def test_sources(self):
        everywhere = ["INBOX", "A", "A/B", "A/B/C"]
        for source, want, reason in [
            ("mailboxes A", ["A"], "one name"),
            ("MAILBOXES (A Other Nowhere)", ["A"], "no line for nothing found"),
            ("mailboxes A subtree A/B", ["A", "A/B", "A/B/C"], "two sources"),
            ("mailboxes A mailboxes A", ["A"], "each once"),
            ("subtree A", ["A", "A/B", "A/B/C"], "all below"),
            ("subtree-one A", ["A", "A/B"], "one level"),
            ("subtree-one (A A/B)", ["A", "A/B", "A/B/C"], "of several"),
            ("personal", everywhere, "all"),
            ("inboxes", ["INBOX"], "where mail comes in"),
            ("subscribed", ["A/B"], "subscribed"),
            ("subtree Nowhere", [], "none"),
        ]:
            self.assertEqual(list(self.found(f"IN ({source}) ALL")), want, reason)

    def test_the_selected_mailbox_cannot_be_searched_before_one_is(self):
        for rest in ("ALL", "IN (selected) ALL", "IN (personal selected) ALL"):
            (line,) = self.client.ask(f"ESEARCH {rest}")
            self.assertEqual(line, b"BAD Select a mailbox first", rest)

    def test_what_is_told(self):
        for rest, want, reason in [
            ("BODY dinner", "ALL 2", "ALL if nothing is said"),
            ("RETURN () ALL", "ALL 1:2", "and if little is"),
            ("RETURN (MIN MAX COUNT) ALL", "MIN 1 MAX 2 COUNT 2", "figures"),
            ("RETURN (PARTIAL -1:-1) ALL", "PARTIAL (-1:-1 2)", "a part"),
            ("RETURN (COUNT) CHARSET UTF-8 BODY lunch", "COUNT 1", "charset"),
            ("RETURN (COUNT) BODY breakfast", None, "not even COUNT 0"),
            ("2", "ALL 2", "a number of that mailbox"),
            ("RECENT", "ALL 1:2", "recent there, and still afterwards"),
            ("RETURN (ALL) OLD", None, "nothing is old"),
        ]:
            found = self.found(f"IN (mailboxes A) {rest}")
            self.assertEqual(found.get("A"), want, reason)

    def test_the_selected_mailbox_is_what_it_is_about_if_nothing_is_said(self):
        self.client.ask("SELECT A/B")
        self.assertEqual(self.found("BODY dinner"), {"A/B": "ALL 2"})
        self.assertEqual(
            self.found("IN (selected mailboxes A) BODY dinner"),
            {"A/B": "ALL 2", "A": "ALL 2"},
        )
        self.assertEqual(self.client.ask("SEARCH ALL")[0], b"* SEARCH 1 2")

    def test_a_result_of_the_selected_mailbox_is_kept(self):
        self.client.ask("SELECT A")
        self.assertEqual(self.found("RETURN (SAVE) BODY dinner"), {})
        self.assertEqual(self.client.ask("SEARCH $")[0], b"* SEARCH 2")
        self.assertEqual(self.found("RETURN (SAVE ALL) ALL"), {"A": "ALL 1:2"})
        self.assertEqual(self.client.ask("SEARCH $")[0], b"* SEARCH 1 2")

    def test_modseq_is_that_of_each_mailbox(self):
        (line, _) = self.client.ask("ESEARCH IN (mailboxes A) MODSEQ 1")
        self.assertRegex(line, rb"UID ALL 1:2 MODSEQ \d+$")

    def test_what_is_wrong_is_told(self):
        for rest, want, reason in [
            ("ALL", b"BAD", "nothing is selected"),
            ("IN (selected) ALL", b"BAD", "nor is it so"),
            ("IN (selected-delayed) ALL", b"BAD", "not here (§2.2)"),
            ("IN () ALL", b"BAD", "no source"),
            ("IN (personal (x)) ALL", b"BAD", "no option is known"),
            ("IN (subtree) ALL", b"BAD", "no name"),
            ("IN (personal) RETURN (SAVE) ALL", b"BAD", "SAVE (§2.2)"),
            ("IN (personal) RETURN (UPDATE) ALL", b"BAD", "UPDATE (§2.2)"),
            ("IN (personal)", b"BAD", "no key"),
            ("IN (personal) CHARSET X-NONE ALL", b"NO", "a charset"),
        ]:
            answer = self.client.ask(f"ESEARCH {rest}")[-1]
            self.assertTrue(answer.startswith(want + b" "), (reason, answer))

    def test_a_mailbox_that_goes_meanwhile_is_left_out(self):
        mailboxes = self.room.store.mailboxes(ANN)
        opened = type(mailboxes).open

        async def open_(tree, path, **how):
            if path == ("A",):
                await tree.delete(path)
            return await opened(tree, path, **how)

        self.patch(type(mailboxes), "open", open_)
        self.assertEqual(
            list(self.found("IN (personal) BODY dinner")), ["A/B", "A/B/C"]
        )

    def client_mailboxes(self):
        from ..room import ANN

        return self.room.store.mailboxes(ANN)

    def test_it_is_advertised(self):
        self.assertIn(b"MULTISEARCH", self.client.ask("CAPABILITY")[0].split())
