"""Every command, test and tag of the table stands in a script that a test runs."""

import ast
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from mailtwist.sieve.extensions import SIGNATURES, TAGS
from mailtwist.sieve.faults import ScriptError
from mailtwist.sieve.parser import parse
from mailtwist.sieve.syntax import Tag

HERE = Path(__file__).parent
CARRIED_OUT = (
    "cases.py",
    "test_run.py",
    "test_delivery.py",
    "test_events.py",
    "test_arguments.py",
)


def texts():
    """The strings in tests that run scripts; in those that are made up of others a
    name stands for these."""
    for name in CARRIED_OUT:
        for node in ast.walk(ast.parse((HERE / name).read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value
            elif isinstance(node, ast.JoinedStr):
                yield "".join(
                    str(one.value) if isinstance(one, ast.Constant) else "x"
                    for one in node.values
                )


def used():
    """(command or test, tag) of all scripts, and with "" as a tag."""
    found = set()
    for text in texts():
        for script in (text, f"if {text} {{}}", f"if true {{ {text} }}"):
            try:
                walk(parse(script.encode()), found)
            except (ScriptError, UnicodeError):
                continue
            break
    return found


def walk(nodes, found):
    for node in nodes:
        tags = {one.name for one in node.arguments if isinstance(one, Tag)}
        found |= {(node.name, tag) for tag in tags | {""}}
        walk(node.tests, found)
        walk(getattr(node, "block", None) or (), found)


class CoveredTests(SynchronousTestCase):
    def setUp(self):
        self.used = used()

    def test_every_command_and_test_is_carried_out_somewhere(self):
        missing = {name for name in SIGNATURES if (name, "") not in self.used}
        self.assertEqual(missing - {"require"}, set())

    def test_every_tag_of_each_is(self):
        wanted = {(name, tag) for name, tags in TAGS.items() for tag in tags}
        common = {"is", "contains", "matches", "comparator", "count", "value", "regex"}
        common |= {"list"}  # with whatever test: one place compares for all
        missing = {pair for pair in wanted - self.used if pair[1] not in common}
        self.assertEqual(missing, set())
        self.assertEqual(common - {tag for _, tag in self.used}, set())
