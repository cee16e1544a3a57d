"""Flags compare without case and have one spelling each."""

from twisted.trial.unittest import SynchronousTestCase

from mailtwist import flags


class FlagTests(SynchronousTestCase):
    def test_system_flags_have_one_spelling(self):
        for written, wanted in [
            ("\\SEEN", flags.SEEN),
            ("\\seen", flags.SEEN),
            ("\\recent", flags.RECENT),
            ("$forwarded", flags.FORWARDED),
        ]:
            self.assertEqual(flags.canonical(written), wanted)

    def test_a_keyword_stays_as_written(self):
        self.assertEqual(flags.canonical("ToDo"), "ToDo")

    def test_letters_stand_in_ascii_order_and_are_their_own_flag(self):
        self.assertEqual(list(flags.LETTERS), sorted(flags.LETTERS))
        self.assertEqual(len(set(flags.LETTERS.values())), len(flags.LETTERS))
        self.assertNotIn(flags.RECENT, flags.LETTERS.values())

    def test_every_system_flag_has_a_letter(self):
        self.assertLessEqual(set(flags.SYSTEM), set(flags.LETTERS.values()))
