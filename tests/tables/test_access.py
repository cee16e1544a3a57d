"""Access tables are looked at before the server starts."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from mailtwist.config.model import Config
from mailtwist.config.restricting import RestrictionClass, Restrictions
from mailtwist.config.routing import Table
from mailtwist.tables.access import bad_actions


class LookTests(SynchronousTestCase):
    def found(self, *tables, sender=("check_sender_access t",), classes=()):
        config = Config(
            table=tables,
            restrictions=Restrictions(sender=sender),
            restriction_class=tuple(
                RestrictionClass(name=name, checks=("reject",)) for name in classes
            ),
        )
        return list(bad_actions(config))

    def file(self, text, kind="file"):
        path = Path(self.mktemp())
        path.write_text(text)
        path.chmod(0o644)
        return Table(name="t", kind=kind, source=str(path))

    def test_a_bad_action_is_told_with_file_line_and_key(self):
        table = self.file("a.test OK\n# a comment\nb.test HOLD\nc.test HLOD it\n")
        [told] = self.found(table)
        self.assertTrue(told.startswith(f"{table.source}:4: c.test: 'HLOD it' is no"))
        self.assertIn("`HOLD text`", told)

    def test_inline_tables_and_regular_expressions_are_looked_at(self):
        inline = Table(
            name="t", kind="inline", entries=("a.test OK", "b.test FILTER x")
        )
        [told] = self.found(inline)
        self.assertTrue(told.startswith("table t: b.test: 'FILTER x'"))
        table = self.file("/a/ OK\n/^(b)/ REJECT $1\n/c/ PREPEND X\n", "regexp")
        [told] = self.found(table)
        self.assertTrue(told.startswith(f"{table.source}:3: c: 'PREPEND X'"))

    def test_classes_and_tables_that_values_name_must_be_there(self):
        one = Table(
            name="t",
            kind="inline",
            entries=(
                "a.test strict",
                "b.test lax",
                "c.test check_sender_access u",
                "d.test check_sender_access v",
            ),
        )
        other = Table(name="u", kind="inline", entries=("x.test REJCT",))
        found = self.found(one, other, classes=["strict"])
        self.assertEqual(
            [told.split(" is no")[0] for told in found],
            [
                "table t: b.test: 'lax'",
                "table t: d.test: 'check_sender_access v'",
                "table u: x.test: 'REJCT'",
            ],
        )

    def test_tables_that_are_asked_live_or_for_something_else_are_left_alone(self):
        live = Table(name="t", kind="sqlite", source="/nowhere", query="x")
        gone = Table(name="t", kind="file", source="/nowhere")
        alias = Table(name="t", kind="inline", entries=("a@b.test c@d.test",))
        self.assertEqual(self.found(live), [])
        self.assertEqual(self.found(gone), [])
        self.assertEqual(self.found(alias, sender=()), [])
