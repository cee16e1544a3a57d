"""Options that are lists can be given in a file, as the pages show them."""

import re
from pathlib import Path

import attrs
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.config.load import loads
from mailtwist.config.model import Config

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"```toml\n(.*?)```", re.S)
KINDS = {"texts", "networks", "of"}  # how a list is read


def options(kind, at=""):
    """(place, option) of every option below a section."""
    for option in attrs.fields(kind):
        yield f"{at}{option.name}", option
        inner = option.metadata.get("of")
        if inner is not None:
            yield from options(inner, f"{at}{option.name}.")


class ListTests(SynchronousTestCase):
    def test_each_says_how_it_is_read(self):
        wrong = [
            place
            for place, option in options(Config)
            if str(option.type).startswith(("tuple", "<class 'tuple"))
            and not KINDS & option.metadata.keys()
        ]
        self.assertEqual(wrong, [])

    def test_what_the_page_on_sieve_shows_can_be_loaded(self):
        base = '[server]\nhostname = "mx.test"\n[[domain]]\nname = "example.test"\n'
        blocks = BLOCK.findall((DOCS / "sieve.md").read_text())
        self.assertGreaterEqual(len(blocks), 3)
        friends = (
            '[[table]]\nname = "friends"\nkind = "inline"\nentries = ["a@b.test x"]\n'
        )
        for text in blocks:
            loaded = loads((base + text + friends).encode(), Path("/etc/x.toml"))
            self.assertIsInstance(loaded, Config)
        (server,) = [text for text in blocks if "[sieve]" in text]
        sieve = loads((base + server + friends).encode(), Path("/etc/x.toml")).sieve
        self.assertEqual(sieve.before, ("/etc/sieve/before.sieve",))
        self.assertEqual(sieve.without, ("editheader",))
