from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.address import Address
from mailtwist.delivery.alias_grammar import (
    AtDomain,
    Command,
    Entry,
    File,
    Include,
    Mailbox,
    Mistake,
    entries,
    list_lines,
    quoted,
    unquoted,
    values,
)
from mailtwist.errors import SyntaxFault

ALIASES = """# aliases of this host
postmaster: root
# a comment inside
root:   ann,
        bob@else.test

  # an indented comment
Staff: :include:/etc/mail/staff
"odd name": |"/usr/bin/thing -a, b"
prog: "|/usr/bin/vacation ann"
owner-staff: ann
"""

PRINTABLE = st.text(
    st.characters(codec="utf-8", exclude_characters="\0\r\n"), min_size=1
)
NAMES = st.from_regex(r"[a-z0-9!#$%&*+=?^_{}~-]{1,20}", fullmatch=True)
VALUES = st.one_of(
    NAMES.map(lambda name: Mailbox(Address(name))),
    NAMES.map(lambda name: Mailbox(Address(name, "example.test"), True)),
    PRINTABLE.map(str.strip)
    .filter(lambda text: text and not text.startswith('"'))
    .map(Command),
    PRINTABLE.map(lambda text: File("/" + text)),
    PRINTABLE.map(str.strip).filter(bool).map(lambda text: Include("/" + text)),
)


class EntriesTests(SynchronousTestCase):
    def test_a_file_of_aliases(self):
        self.assertEqual(
            [(one.line, one.name, one.text) for one in entries(ALIASES)],
            [
                (2, "postmaster", "root"),
                (4, "root", "ann, bob@else.test"),
                (8, "staff", ":include:/etc/mail/staff"),
                (9, "odd name", '|"/usr/bin/thing -a, b"'),
                (10, "prog", '"|/usr/bin/vacation ann"'),
                (11, "owner-staff", "ann"),
            ],
        )

    def test_lines_that_are_no_alias_are_told_and_the_others_kept(self):
        for text, line, harmless, why in [
            ("nothing", 1, False, "no colon"),
            ("ann bob\nx: y", 1, False, "no colon"),
            ("x:\n", 1, False, "no value"),
            ('"": ann', 1, False, "an empty name"),
            ('a: b\n"open: x\n', 2, False, "no closing quote"),
            ("ann@example.test: bob", 1, True, "that is a virtual alias"),
        ]:
            found = [one for one in entries(text) if isinstance(one, Mistake)]
            self.assertEqual(
                [(one.line, one.harmless) for one in found], [(line, harmless)], why
            )

    @given(st.text())
    def test_any_text_is_entries_and_mistakes(self, text):
        for one in entries(text):
            self.assertIsInstance(one, Entry | Mistake)

    @given(PRINTABLE)
    def test_quotes_come_off_again(self, text):
        self.assertEqual(unquoted(quoted(text)), text)


class ValuesTests(SynchronousTestCase):
    def test_every_kind_of_value(self):
        ann = Mailbox(Address("ann"))
        for text, expected, why in [
            ("ann", (ann,), "a local address"),
            (" ann , bob@B.test ", (ann, Mailbox(Address("bob", "b.test"))), "a list"),
            (",ann,,", (ann,), "empty ones are left out"),
            ("\\ann", (Mailbox(Address("ann"), True),), "a backslash"),
            ('"\\\\ann"', (Mailbox(Address("ann"), True),), "the same in quotes"),
            ('"a b"', (Mailbox(Address("a b")),), "a quoted local part"),
            ('"a b"@x.test', (Mailbox(Address("a b", "x.test")),), "with a domain"),
            ("Ann <ann>", (ann,), "an address with a name"),
            ('"Ann, B." <ann>', (ann,), "a quoted name with a comma"),
            ("ann (that's me (really))", (ann,), "comments nest"),
            ("|/bin/x -a b", (Command("/bin/x -a b"),), "a command, unquoted"),
            ("|/bin/x -a, ann", (Command("/bin/x -a"), ann), "it ends at the comma"),
            ('"|/bin/x -a, b"', (Command("/bin/x -a, b"),), "a command in quotes"),
            ('|"/bin/x -a, b"', (Command("/bin/x -a, b"),), "quotes behind the bar"),
            (
                '|"IFS=\' \' && exec /x \\"a\\""',
                (Command("IFS=' ' && exec /x \"a\""),),
                "escaped quotes inside",
            ),
            ("/var/mail/x", (File("/var/mail/x"),), "a file"),
            ('"/var/mail/a b/"', (File("/var/mail/a b/"),), "a quoted Maildir"),
            (":include:/a", (Include("/a"),), "a list"),
            (':INCLUDE:"/a b"', (Include("/a b"),), "its path in quotes"),
            ('":include:/a b"', (Include("/a b"),), "all of it in quotes"),
            ("@Else.test", (AtDomain("else.test"),), "a whole domain"),
        ]:
            self.assertEqual(values(text), expected, why)

    def test_what_is_no_value_is_told_with_its_place(self):
        for text, why in [
            ("ann bob", "two without a comma"),
            ('"ann', "an open quote"),
            ("ann (x", "an open comment"),
            ("|", "no command"),
            (":include:relative", "a relative path"),
            ("ann@", "an empty domain"),
            ("a..b", "no dot-string"),
            ("<ann> bob", "something behind the address"),
            ("@", "no domain"),
            ('""', "nobody"),
        ]:
            fault = self.assertRaises(SyntaxFault, values, text)
            self.assertLessEqual(fault.at, len(text), why)

    def test_lines_of_a_list_file_are_values(self):
        text = "# staff\nann\n\n  bob,\ncarl, dora\n"
        self.assertEqual(
            [str(value) for value in values(list_lines(text))],
            ["ann", "bob", "carl", "dora"],
        )

    @given(st.lists(VALUES, max_size=5))
    def test_values_written_are_values_read(self, listed):
        text = ", ".join(str(value) for value in listed)
        self.assertEqual(values(text), tuple(listed))

    @given(st.text())
    def test_any_text_is_values_or_a_told_fault(self, text):
        try:
            values(text)
        except SyntaxFault as fault:
            self.assertTrue(fault.public)
