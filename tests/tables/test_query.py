import sqlite3

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.tables.query import (
    Key,
    filter_escaped,
    name_escaped,
    statement,
    template,
)

ANN = Key("ann@mail.example.test")


class KeyTests(SynchronousTestCase):
    def test_the_parts_of_a_key(self):
        for text, code, part in [
            ("ann@mail.example.test", "s", "ann@mail.example.test"),
            ("ann@mail.example.test", "u", "ann"),
            ("ann@mail.example.test", "d", "mail.example.test"),
            ("ann@mail.example.test", "1", "test"),
            ("ann@mail.example.test", "3", "mail"),
            ("ann@mail.example.test", "4", None),
            ('"a b"@x.test', "u", "a b"),
            ('"a@b"@x.test', "d", "x.test"),
            ("ann", "u", "ann"),
            ("ann", "d", None),
            ("@x.test", "u", None),
            ("@x.test", "d", "x.test"),
        ]:
            self.assertEqual(Key(text).part(code), part, (text, code))


class StatementTests(SynchronousTestCase):
    def test_codes_become_parameters(self):
        for query, sql, parameters, why in [
            ("SELECT a WHERE b='%s'", "SELECT a WHERE b=?", [ANN.text], "a string"),
            ("SELECT a WHERE b=%s", "SELECT a WHERE b=?", [ANN.text], "no quotes"),
            ('SELECT a WHERE b="%u"', "SELECT a WHERE b=?", ["ann"], "other quotes"),
            (
                "SELECT a WHERE u='%u' AND d='%d' AND c='x'",
                "SELECT a WHERE u=? AND d=? AND c='x'",
                ["ann", "mail.example.test"],
                "two, and a constant",
            ),
            (
                "SELECT a WHERE b LIKE '%%@%d'",
                "SELECT a WHERE b LIKE ?",
                ["%@mail.example.test"],
                "inside of a string",
            ),
            ("SELECT a||'it''s %u'", "SELECT a||?", ["it's ann"], "doubled quotes"),
            ("SELECT 5 %% 2, %u", "SELECT 5 % 2, ?", ["ann"], "a percent sign"),
        ]:
            made = statement(query, placeholder="?")
            self.assertEqual(made.sql, sql, why)
            self.assertEqual(made.parameters(ANN), parameters, why)

    def test_percent_signs_are_written_as_the_driver_wants(self):
        query = "SELECT '%%', 5 %% 2, %u"
        made = statement(query, placeholder="%s", percent="%%")
        self.assertEqual(made.sql, "SELECT '%%', 5 %% 2, %s")

    def test_a_key_without_the_part_asks_nothing(self):
        made = statement("SELECT a WHERE d='%d'", placeholder="?")
        self.assertIsNone(made.parameters(Key("ann")))

    def test_what_is_no_query_is_told(self):
        for query in (
            "SELECT 1",
            "SELECT '%x' WHERE b='%s'",
            "SELECT %",
            "SELECT 'a%'",
            "SELECT 'it\\'s %s'",
        ):
            with self.assertRaises(ValueError):
                statement(query, placeholder="?")

    @given(st.text())
    def test_no_key_changes_the_statement(self, text):
        made = statement("SELECT 'x%s', '%u'", placeholder="?")
        key = Key(text)
        parameters = made.parameters(key)
        if parameters is None:
            return
        self.assertEqual(parameters, [f"x{text}", key.part("u")])
        if text.isprintable():
            row = sqlite3.connect(":memory:").execute(made.sql, parameters).fetchone()
            self.assertEqual(list(row), parameters)


class TemplateTests(SynchronousTestCase):
    def test_values_in_filters_and_names_are_escaped(self):
        key = Key("*)(uid=*\\@a,b+c.test")
        self.assertEqual(
            template("(mail=%s)").filled(key, filter_escaped),
            "(mail=\\2a\\29\\28uid=\\2a\\5c@a,b+c.test)",
        )
        self.assertEqual(
            template("dc=%d,o=x").filled(key, name_escaped), "dc=a\\2cb\\2bc.test,o=x"
        )

    @given(st.text(st.characters(codec="utf-8")))
    def test_nothing_special_is_left(self, text):
        self.assertNotRegex(filter_escaped(text), r"[*()\0]|[^\x20-\x7e]")
        self.assertNotRegex(name_escaped(text), r'[,+"<>;=\0]|^ | $')

    def test_a_percent_sign_and_what_is_none(self):
        self.assertEqual(template("100%% %u").filled(ANN), "100% ann")
        self.assertTrue(template("100%%").constant)
        for text in ("%x", "%", "a%"):
            with self.assertRaises(ValueError):
                template(text)
