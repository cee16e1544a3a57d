"""Aliases and tables, read by Postfix and by us: the same keys, the same values."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from mailtwist.delivery.alias_grammar import values
from mailtwist.tables.lines import HeldPairs, aliases, pairs
from mailtwist.tables.regexp import HeldRules

from .programs import run

ALIASES = r"""
# comment
postmaster: root
Root:   ann,
   bob@else.test
# inside
	, carl

"odd name": x
prog: "|/usr/bin/vacation ann"
prog2: |/usr/bin/vacation ann, bob
list: :include:/etc/mail/list
dup: one
dup: two
ann@example.test: at
"quoted@at": q
a+b: plus
esc\aped: e
spaces   :   v
"a\"b": z
x.y: dotted
comment: a (hello, there), b
angle: Ann <ann@x.test>, "B, C" <c@d.test>
file: "/var/mail/a b", /var/mail/c/
"""
TABLE = """
# a table
Ann@Example.test   box@else.test, b@else.test
@example.test
   catch@else.test
"a key" value
"a b"@example.test  quoted
  # indented comment
key1	tabbed value
dup a
dup b
"""
RULES = r"""
/^(.+)\+old@example\.test$/   $1@archive.test
if /@example\.test$/
/^sales-([0-9]+)@/            desk${1}@example.test, log$(1)@example.test
if !/^ann@/
/^a/                          another-$$
endif
endif
/^case@/i                     exact
%^percent/@%                  slashes
!/@/                          bare
"""
KEYS = (
    "ann+old@example.test",
    "ann",
    "sales-42@example.test",
    "sales-42@else.test",
    "abc@example.test",
    "ann@example.test",
    "ABC@EXAMPLE.test",
    "CASE@else.test",
    "case@else.test",
    "percent/@x.test",
)


class PostfixTablesTests(SynchronousTestCase):
    def setUp(self):
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        (self.folder / "main.cf").write_text(
            f"compatibility_level = 3.6\nqueue_directory = {self.folder}\n"
            f"data_directory = {self.folder}\n"
        )
        (self.folder / "master.cf").touch()

    def postfix(self, program, kind, text, *options):
        """What a program says of a table with this text."""
        path = self.folder / "table"
        path.write_text(text)
        return run(program, "-c", self.folder, *options, f"{kind}:{path}", ok=False)[1]

    def listed(self, program, text):
        """The table as Postfix has it: keys and values."""
        self.postfix(program, "hash", text)
        told = self.postfix(program, "hash", text, "-s")
        pairs = [line.split("\t", 1) for line in told.splitlines() if "\t" in line]
        ours = {key.removesuffix(":"): value for key, value in pairs}
        for key in ("@", "YP_LAST_MODIFIED", "YP_MASTER_NAME"):
            ours.pop(key, None)
        return ours

    def held(self, made, text):
        for _ in made.read(text):
            continue
        return made

    def test_aliases(self):
        theirs = self.listed("postalias", ALIASES)
        ours = self.held(HeldPairs(aliases), ALIASES)
        self.assertEqual(len(theirs), 16)
        for key, value in theirs.items():
            self.assertEqual(values(ours.find(key)), values(value), key)
        self.assertEqual([one.harmless for one in ours.mistakes], [True, True])

    def test_tables(self):
        theirs = self.listed("postmap", TABLE)
        ours = self.held(HeldPairs(pairs), TABLE)
        self.assertEqual(len(theirs), 6)
        for key, value in theirs.items():
            key = "a key" if key == '"a key"' else key  # newer ones drop the quotes
            self.assertEqual(ours.find(key), value, key)

    def test_regular_expressions(self):
        ours = self.held(HeldRules(), RULES)
        self.assertEqual(ours.mistakes, [])
        for key in KEYS:
            theirs = self.postfix("postmap", "regexp", RULES, "-q", key).strip()
            self.assertEqual(ours.find(key) or "", theirs, key)
