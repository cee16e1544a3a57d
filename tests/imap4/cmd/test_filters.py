"""FILTER (RFC 5466): searches kept by their names, in every command that searches."""

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.config.reading import Imap4
from mailtwist.imap4.cmd.filters import MOST_FILTERS, MOST_PASSES
from mailtwist.mailbox.metadata import ACCOUNT

from ..room import HELLO, Room

DINNER = HELLO.replace(b"lunch", b"dinner")


class FilterTests(SynchronousTestCase):
    def setUp(self):
        self.room = Room()
        self.client = self.room.login()
        for message in (HELLO, DINNER, HELLO):
            self.client.append(message)
        self.client.ask("SELECT INBOX")

    def hold(self, **values):
        """Values as they are, whoever wrote them; shared ones begin with "all_"."""
        entries = [
            (
                f"/shared/filters/values/{name[4:]}"
                if name.startswith("all_")
                else f"/private/filters/values/{name}",
                value.encode(),
            )
            for name, value in values.items()
        ]
        tree = self.room.store.mailboxes(self.room.account)
        set_ = tree.set_metadata(ACCOUNT, entries, 1000)
        self.successResultOf(Deferred.fromCoroutine(set_))

    def set(self, name, value):
        octets = value if isinstance(value, bytes) else value.encode()
        entry = f"/private/filters/values/{name}".encode()
        (line,) = self.client.ask(
            b'SETMETADATA "" (%b {%d+}\r\n%b)' % (entry, len(octets), octets)
        )
        return line

    def test_every_command_that_searches(self):
        self.assertEqual(self.set("eve", "BODY dinner"), b"OK SETMETADATA completed")
        for command, wanted, why in [
            ("SEARCH FILTER eve", b"* SEARCH 2", "SEARCH"),
            ("SEARCH NOT FILTER EVE", b"* SEARCH 1 3", "in any case"),
            ("UID SEARCH 1:2 FILTER eve", b"* SEARCH 2", "UID SEARCH"),
            ("SEARCH OR 1 (FILTER eve ALL)", b"* SEARCH 1 2", "deep"),
            ("SORT (SUBJECT) UTF-8 FILTER eve", b"* SORT 2", "SORT"),
            ("THREAD REFERENCES UTF-8 FILTER eve", b"* THREAD (2)", "THREAD"),
        ]:
            self.assertEqual(self.client.ask(command)[0], wanted, why)
        (line, _) = self.client.ask("SEARCH RETURN (COUNT) FILTER eve")
        self.assertTrue(line.endswith(b" COUNT 1"), line)
        (line, _) = self.client.ask("ESEARCH IN (personal) FILTER eve")
        self.assertTrue(line.endswith(b" UID ALL 2"), line)

    def test_a_context_goes_on_with_what_the_filter_was(self):
        self.set("eve", "BODY dinner")
        self.client.ask("SEARCH RETURN (UPDATE) FILTER eve")
        tag = b'"t%d"' % self.client._tags
        self.set("eve", "BODY lunch")
        lines = self.client.append(DINNER)
        self.assertIn(b"* ESEARCH (TAG %b) ADDTO (0 4)" % tag, lines)
        self.assertNotIn(b" 5)", b"".join(self.client.append(HELLO)))

    def test_a_filter_is_one_key(self):
        self.hold(two="BODY lunch 1", seen="NOT SEEN")
        for search, wanted, why in [
            ("FILTER two", b"* SEARCH 1", "both of them"),
            ("NOT FILTER two", b"* SEARCH 2 3", "not both of them"),
            ("FILTER two FILTER seen ALL", b"* SEARCH 1", "one after the other"),
            ("NOT (FILTER two FILTER seen)", b"* SEARCH 2 3", "in parentheses"),
        ]:
            self.assertEqual(self.client.ask(f"SEARCH {search}")[0], wanted, why)

    def test_private_comes_before_shared(self):
        self.hold(all_x="2", x="1", all_y="3")
        self.assertEqual(self.client.ask("SEARCH FILTER x")[0], b"* SEARCH 1")
        self.assertEqual(self.client.ask("SEARCH FILTER y")[0], b"* SEARCH 3")
        self.client.ask('SETMETADATA "" (/private/filters/values/x NIL)')
        self.assertEqual(self.client.ask("SEARCH FILTER x")[0], b"* SEARCH 2")

    def test_the_administrator_sets_those_of_everybody(self):
        filters = ("Dinner: BODY dinner", "never:NOT ALL")
        room = Room(config=evolve(Imap4(), filters=filters))
        client = room.login()
        for message in (HELLO, DINNER):
            client.append(message)
        client.ask("SELECT INBOX")
        self.assertEqual(client.ask("SEARCH FILTER dinner")[0], b"* SEARCH 2")
        self.assertEqual(client.ask("SEARCH FILTER never")[0], b"* SEARCH")
        name = "/shared/filters/values/dinner"
        self.assertEqual(
            client.ask(f'GETMETADATA "" {name}')[0],
            f'* METADATA "" ({name} "BODY dinner")'.encode(),
        )
        answer = client.ask(f'SETMETADATA "" ({name} NIL)')[-1]
        self.assertTrue(answer.startswith(b"NO [NOPERM]"), answer)
        client.ask('SETMETADATA "" (/private/filters/values/dinner "1")')
        self.assertEqual(client.ask("SEARCH FILTER dinner")[0], b"* SEARCH 1")

    def test_what_cannot_be_a_filter_is_refused_in_the_configuration(self):
        for texts, why in (
            (["x"], "no criteria"),
            (["x:"], "empty ones"),
            (["a b: ALL"], "a space in the name"),
            (["x: BODY caf\xe9"], "not ASCII"),
            (["x: ALL\r\nSEEN"], "a line end"),
            (["x: ALL", "X: SEEN"], "one name twice"),
        ):
            with self.assertRaises(ValueError, msg=why):
                Imap4(filters=tuple(texts))

    def test_what_is_not_there_or_no_search(self):
        self.hold(bad="OR SMALLER", loop="NOT FILTER Loop", a="FILTER b", b="FILTER a")
        self.hold(lost="FILTER Nowhere")
        for search, wanted, why in [
            ("FILTER Gone", b"NO [UNDEFINED-FILTER Gone] No such filter", "none"),
            ("FILTER lost", b"NO [UNDEFINED-FILTER Nowhere] No such filter", "in it"),
            ("FILTER loop", b"NO [UNDEFINED-FILTER Loop] No such filter", "itself"),
            ("FILTER a", b"NO [UNDEFINED-FILTER a] No such filter", "a circle"),
            (
                "FILTER bad",
                b"NO Filter bad is no search: Expected a space at octet 10",
                "half a key",
            ),
            (
                "CHARSET ISO-8859-1 FILTER a",
                b"BAD [BADCHARSET (US-ASCII UTF-8)] A search with FILTER is in UTF-8",
                "another charset",
            ),
        ]:
            self.assertEqual(self.client.ask(f"SEARCH {search}"), [wanted], why)
        for command in ("SORT (DATE) UTF-8", "THREAD REFERENCES UTF-8", "ESEARCH"):
            (line,) = self.client.ask(f"{command} FILTER Gone")
            self.assertEqual(line, b"NO [UNDEFINED-FILTER Gone] No such filter")

    def test_a_search_that_fails_leaves_nothing_saved(self):
        self.client.ask("SEARCH RETURN (SAVE) 1")
        self.client.ask("SEARCH FILTER gone")
        self.assertEqual(self.client.ask("SEARCH $")[0], b"* SEARCH 1")
        self.client.ask("SEARCH RETURN (SAVE) FILTER gone")
        self.assertEqual(self.client.ask("SEARCH $")[0], b"* SEARCH")

    def test_filters_in_filters_have_an_end(self):
        chain = {f"f{n}": f"FILTER f{n + 1}" for n in range(1, MOST_PASSES + 1)}
        self.hold(**chain, **{f"f{MOST_PASSES + 1}": "2"})
        self.assertEqual(self.client.ask("SEARCH FILTER f2")[0], b"* SEARCH 2")
        (line,) = self.client.ask("SEARCH FILTER f1")
        name = b"f%d" % (MOST_PASSES + 1)
        self.assertEqual(line, b"NO [UNDEFINED-FILTER %b] No such filter" % name)

    def test_a_search_grows_only_so_far(self):
        many = " ".join(["FILTER x"] * MOST_FILTERS)
        self.hold(x="2", many=many, more="FILTER many FILTER many")
        self.assertEqual(self.client.ask(f"SEARCH {many}")[0], b"* SEARCH 2")
        for search in (f"{many} FILTER x", "FILTER many", "FILTER more"):
            (line,) = self.client.ask(f"SEARCH {search}")
            self.assertEqual(line, b"NO [LIMIT] Too many filters in one search")

    def test_levels_add_up(self):
        self.hold(deep="NOT " * 60 + "2", deeper="NOT " * 60 + "FILTER deep")
        self.assertEqual(self.client.ask("SEARCH FILTER deep")[0], b"* SEARCH 2")
        (line,) = self.client.ask("SEARCH FILTER deeper")
        self.assertTrue(line.startswith(b"NO Filter deep is no search"), line)

    def test_scores_and_modseqs_come_out_of_filters(self):
        self.hold(like="FUZZY BODY dinner", new="MODSEQ 1", plain="SEEN")
        (line, _) = self.client.ask("SEARCH RETURN (RELEVANCY ALL) FILTER like")
        self.assertIn(b"RELEVANCY (", line)
        lines = self.client.ask("SEARCH 1 FILTER new")
        self.assertRegex(b"".join(lines), rb"SEARCH 1 \(MODSEQ \d+\)")
        for command in (
            "SEARCH RETURN (RELEVANCY) FILTER plain",
            "SORT (RELEVANCY) UTF-8 FILTER plain",
        ):
            (line,) = self.client.ask(command)
            self.assertEqual(line, b"BAD RELEVANCY is for searches with FUZZY")
        self.assertEqual(
            self.client.ask("SORT (RELEVANCY) UTF-8 FILTER like")[-1],
            b"OK SORT completed",
        )

    def test_a_client_without_numbers_gets_none_by_a_filter(self):
        self.hold(first="1")
        self.client.ask("ENABLE UIDONLY")
        (line,) = self.client.ask("UID SEARCH FILTER first")
        self.assertEqual(
            line, b"NO Filter first is no search: Only UIDs may be used now"
        )

    def test_what_is_set_has_to_be_a_search(self):
        for name, value, wanted, why in [
            ("x", "OR SMALLER", b"NO Filter x is no search: Expected a", "half a key"),
            ("x", "FOO", b"NO Filter x is no search: Unknown", "unknown"),
            ("x", b"\0", b"BAD ", "NUL"),
            ("x", "", b"NO Filter x is no search: Expected", "nothing"),
            ("x/y", "SEEN", b"NO That cannot be the name of a filter", "two levels"),
            ("a]", "SEEN", b"NO That cannot be the name of a filter", "no atom"),
            ("x", "FILTER later", b"OK ", "what it names may come later"),
            ("x", 'SUBJECT "grün"', b"OK ", "UTF-8"),
            ("x", "BODY {2}\r\na ", b"OK ", "a literal"),
        ]:
            line = self.set(name, value)
            self.assertTrue(line.startswith(wanted), (line, why))
        for command, wanted, why in [
            ("(/private/filters/values {4+}\r\nSEEN)", b"NO That", "no name"),
            ("(/private/filters/values/a/b NIL)", b"OK ", "removing is harmless"),
            ("(/private/filters/descriptions/x {2+}\r\n?!)", b"OK ", "only told"),
            ("(/private/filters/valuesx {2+}\r\n?!)", b"OK ", "another name"),
            (
                "(/shared/filters/values/x {4+}\r\nSEEN)",
                b"NO [NOPERM]",
                "not one's own",
            ),
        ]:
            (line,) = self.client.ask(f'SETMETADATA "" {command}')
            self.assertTrue(line.startswith(wanted), (line, why))
        (line,) = self.client.ask(
            "SETMETADATA INBOX (/private/filters/values/x {1+}\r\n?)"
        )
        self.assertTrue(line.startswith(b"OK"), "of a mailbox they mean nothing")
