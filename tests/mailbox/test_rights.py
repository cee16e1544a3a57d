"""Rights add up, negative ones win, and an owner keeps the last."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.errors import NotPermitted
from mailtwist.mailbox.rights import (
    ALL,
    MOST_IDENTIFIERS,
    OWNERS,
    Action,
    RightsChange,
    change,
    encoded,
    granted,
    parsed,
)

some = st.frozensets(st.sampled_from(sorted(ALL)))


class RightsTests(SynchronousTestCase):
    @given(some)
    def test_letters_say_the_rights_but_for_half_of_an_obsolete_one(self, rights):
        letters = encoded(rights)
        self.assertEqual(frozenset(letters) - frozenset("cd"), rights)
        self.assertEqual("d" in letters, bool(rights & {"t", "e"}))
        self.assertEqual("c" in letters, bool(rights & {"k", "x"}))
        self.assertEqual(parsed("".join(rights)), rights)
        self.assertEqual(
            encoded(parsed(encoded(parsed(letters)))), encoded(parsed(letters))
        )

    def test_what_somebody_may(self):
        for entries, names, wanted, why in [
            ({"bob": "lr"}, {"bob"}, "lr", "himself"),
            ({"bob": "lr"}, {"ann"}, "", "somebody else"),
            ({"anyone": "l", "bob": "r"}, {"bob"}, "lr", "all add up"),
            ({"$team": "w", "bob": "r"}, {"bob", "$team"}, "rw", "by a group"),
            ({"bob": "lrw", "-bob": "w"}, {"bob"}, "lr", "taken from him"),
            ({"bob": "lrw", "-$team": "w"}, {"bob", "$team"}, "lr", "from a group"),
            ({"bob": "lrw", "-anyone": "w"}, {"bob"}, "lr", "from everybody"),
            ({"-bob": "w"}, {"bob"}, "", "nothing to take from"),
        ]:
            held = {name: frozenset(letters) for name, letters in entries.items()}
            self.assertEqual(granted(held, names), frozenset(wanted), why)

    def test_an_owner_keeps_what_gives_the_rest_back(self):
        held = {"-ann": ALL}
        self.assertEqual(granted(held, {"ann"}, owner=True), OWNERS)
        change(held, "ann", RightsChange(Action.REPLACE, frozenset()), "ann")
        self.assertEqual(held["ann"], OWNERS)

    @given(some, some, st.sampled_from(Action))
    def test_one_without_rights_leaves_the_list(self, before, rights, action):
        held = {"bob": before} if before else {}
        wanted = RightsChange(action, rights)
        after = wanted.applied(before)
        change(held, "bob", wanted, "ann")
        self.assertEqual(held, {"bob": after} if after else {})

    def test_a_list_has_an_end(self):
        held = {f"n{at}": ALL for at in range(MOST_IDENTIFIERS)}
        wanted = RightsChange(Action.REPLACE, ALL)
        self.assertRaises(NotPermitted, change, held, "bob", wanted, "ann")
        change(held, "n1", RightsChange(Action.REMOVE, ALL), "ann")
        change(held, "bob", wanted, "ann")
        self.assertEqual(held["bob"], ALL)
