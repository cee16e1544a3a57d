from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.delivery.alias_grammar import Mistake
from mailtwist.tables.lines import HeldPairs, Pair, aliases, normal_key, pairs

TEXT = """# a table
Ann@Example.test   box@else.test, b@else.test
@example.test
   catch@else.test
"a key" value
"a b"@example.test  quoted
B\u00fccher.test smtp:
"""


def held(text, parse=pairs):
    made = HeldPairs(parse)
    for _ in made.read(text):
        pass
    return made


class PairsTests(SynchronousTestCase):
    def test_a_table(self):
        self.assertEqual(
            list(pairs(TEXT)),
            [
                Pair(2, "ann@example.test", "box@else.test, b@else.test"),
                Pair(3, "@example.test", "catch@else.test"),
                Pair(5, "a key", "value"),
                Pair(6, '"a b"@example.test', "quoted"),
                Pair(7, "xn--bcher-kva.test", "smtp:"),
            ],
        )

    def test_keys_are_found_in_any_spelling(self):
        table = held("ann@b\u00fccher.test x\nJ\u00f6rg y\n.XN--BCHER-KVA.test z")
        for key, value in [
            ("ANN@xn--bcher-kva.test", "x"),
            ("ann@B\u00dcCHER.test", "x"),
            ("j\u00f6rg", "y"),
            (".b\u00fccher.test", "z"),
            ("bob@b\u00fccher.test", None),
        ]:
            self.assertEqual(table.find(key), value, key)

    def test_mistakes_are_told_and_the_rest_kept(self):
        table = held('key\nother value\n"open value\nother again')
        self.assertEqual([one.line for one in table.mistakes], [1, 3, 4])
        self.assertEqual([one.harmless for one in table.mistakes], [False, False, True])
        self.assertEqual(table.find("other"), "value")  # the first counts

    def test_aliases_have_names(self):
        table = held("Root: ann,\n  bob\nbad\n", aliases)
        self.assertEqual(table.find("root"), "ann, bob")
        self.assertEqual([one.line for one in table.mistakes], [3])

    @given(st.text())
    def test_any_text_is_pairs_and_mistakes(self, text):
        for parse in (pairs, aliases):
            for one in parse(text):
                self.assertIsInstance(one, Pair | Mistake)

    @given(st.text())
    def test_a_normal_key_is_normal(self, text):
        self.assertEqual(normal_key(normal_key(text)), normal_key(text))
