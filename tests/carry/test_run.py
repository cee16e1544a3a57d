"""Tests for mailtwist.carry.run: bringing one end up to date with another."""

import shutil
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import execute
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.carry import run
from mailtwist.carry.eml import EmlEnd
from mailtwist.carry.files import FileEnd
from mailtwist.carry.journal import Journal
from mailtwist.carry.maildir import MaildirEnd
from mailtwist.carry.mbox import MboxEnd
from mailtwist.carry.model import Folder, Item, Letter
from mailtwist.errors import MailError
from mailtwist.imap4.client import ServerGone
from mailtwist.mailbox.model import INBOX

from .ends import Direct, account_end, carry, fill, held, now

ONE = b"Subject: one\r\n\r\nfirst\r\n"
TWO = b"Subject: two\r\n\r\nsecond\r\n"
SENT = ("Sent",)
FORMS = (MaildirEnd, EmlEnd, MboxEnd)

octets = st.lists(
    st.sampled_from([b"a", b"\r", b"\r\n", b"\0", b"\xff", b"From ", b">", b"."])
).map(b"".join)
flags = st.frozensets(
    st.sampled_from(
        ["\\Seen", "\\Deleted", "\\Draft", "$Forwarded", "work"]
        + [f"k{number}" for number in range(30)]
    ),
    max_size=8,
)
names = st.text(
    st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1
).filter(lambda name: name.upper() != "INBOX" and len(name.encode()) < 60)
paths = st.one_of(st.just(INBOX), st.lists(names, min_size=1, max_size=2).map(tuple))
messages = st.lists(st.tuples(paths, octets, flags, st.integers(0, 2**31)), max_size=6)


class World(SynchronousTestCase):
    def folder(self):
        path = Path(self.mktemp()).absolute()
        path.mkdir(parents=True)
        self.addCleanup(shutil.rmtree, path, True)
        return path


class RoundTripTests(World):
    def test_there_and_back_is_the_same(self):
        @settings(max_examples=12, deadline=None)
        @given(messages=messages)
        def check(messages):
            for form in FORMS:
                here, back, folder = account_end(), account_end(), self.folder()
                fill(here, *messages)
                files = Direct(form(str(folder / "out")))
                carry(here, files, folder)
                carry(Direct(form(str(folder / "out"))), back, folder)
                wanted = held(here)
                got = held(back)
                for path, some in wanted.items():
                    # Files have no order but that of their dates.
                    self.assertEqual(
                        sorted(got.get(path, []), key=_key),
                        sorted(some, key=_key),
                        (form, path),
                    )
                shutil.rmtree(folder)

        check()

    def test_subscriptions_come_along(self):
        here, back, folder = account_end(), account_end(), self.folder()
        now(here.make(Folder(SENT, subscribed=True)))
        files = Direct(MaildirEnd(str(folder / "out")))
        carry(here, files, folder)
        carry(files, back, folder)
        subscribed = {one.path: one.subscribed for one in now(back.folders())}
        self.assertEqual(subscribed, {INBOX: False, SENT: True})

    def test_special_uses_come_along_and_each_has_one_mailbox(self):
        here, there, folder = account_end(), account_end("bob"), self.folder()
        now(here.make(Folder(SENT, frozenset({"\\Sent"}))))
        now(there.make(Folder(("Gesendet",), frozenset({"\\Sent"}))))
        carry(here, there, folder)
        uses = {one.path: one.special_uses for one in now(there.folders())}
        self.assertEqual(uses[SENT], frozenset())
        self.assertEqual(uses[("Gesendet",)], {"\\Sent"})


def _key(message):
    octets, flags, date = message
    return octets, sorted(flags), date


class AgainTests(World):
    """What a second run does."""

    form = MaildirEnd

    def setUp(self):
        self.data = self.folder()
        self.files = Direct(self.form(str(self.data / "mail")))
        self.here = account_end()
        self.keys = fill(
            self.files, (INBOX, ONE, {"\\Seen"}, 1000), (SENT, TWO, {"work"}, 2000)
        )

    def carry(self, **wishes):
        return carry(self.files, self.here, self.data, **wishes)

    def test_nothing_comes_twice(self):
        first = self.carry()
        self.assertEqual((first.carried, first.there, first.folders), (2, 0, 2))
        before = held(self.here)
        second = self.carry()
        self.assertEqual((second.carried, second.there), (0, 2))
        self.assertEqual(held(self.here), before)

    def test_only_what_is_new_comes(self):
        self.carry()
        fill(self.files, (INBOX, TWO, (), 3000))
        self.assertEqual(self.carry().carried, 1)
        self.assertEqual(
            held(self.here)[INBOX],
            [(ONE, {"\\Seen"}, 1000), (TWO, frozenset(), 3000)],
        )

    def test_flags_are_followed_and_those_of_the_target_stay(self):
        self.carry()
        ((_, flags),) = [
            (item.key, item.flags) for item in now(self.here.listed(INBOX)).items
        ]
        now(self.here.set_flags(INBOX, [("1", flags | {"mine"})]))
        now(self.files.set_flags(INBOX, [(self.keys[0], frozenset({"\\Flagged"}))]))
        self.assertEqual(self.carry().flags, 1)
        self.assertEqual(held(self.here)[INBOX][0][1], {"\\Flagged", "mine"})
        self.assertEqual(self.carry().flags, 0)

    def test_what_the_target_expunged_stays_away(self):
        self.carry()
        now(self.here.remove(INBOX, ["1"]))
        self.assertEqual(self.carry().carried, 0)
        self.assertEqual(held(self.here)[INBOX], [])

    def test_what_the_source_expunged_goes_only_if_wished(self):
        self.carry()
        fill(self.here, (INBOX, b"mine\r\n", (), 5))
        now(self.files.remove(INBOX, self.keys[:1]))
        self.assertEqual(held(self.files)[INBOX], [])
        self.carry()
        self.assertEqual(len(held(self.here)[INBOX]), 2)
        self.assertEqual(self.carry(expunge=True).expunged, 1)
        self.assertEqual(held(self.here)[INBOX], [(b"mine\r\n", frozenset(), 5)])

    def test_without_its_journal_nothing_comes_twice(self):
        fill(self.files, (INBOX, ONE, (), 1000))  # the same one twice
        self.carry()
        shutil.rmtree(self.data / "carry")
        figures = self.carry()
        self.assertEqual((figures.carried, figures.there), (0, 3))
        fill(self.files, (INBOX, ONE, (), 1000))
        shutil.rmtree(self.data / "carry")
        self.assertEqual(self.carry().carried, 1)

    def test_a_damaged_journal_is_begun_anew(self):
        self.carry()
        (journal,) = (self.data / "carry").glob("*.sqlite")
        journal.write_bytes(b"no database" * 500)
        self.assertEqual(self.carry().there, 2)

    def test_a_run_that_ends_anywhere_is_finished_by_the_next(self):
        """The target is asked once more each time before the run breaks off."""
        for most in range(40):
            here, data = account_end(), self.folder()
            calls = []
            broken = _Broken(here, most, calls)
            try:
                carry(self.files, broken, data)
            except Killed:
                carry(self.files, here, data)
                self.assertEqual(held(here), held(self.files))
            else:
                self.assertLess(len(calls), most + 1)
                return
        self.fail("it never ran through")

    def test_a_dry_run_changes_nothing(self):
        figures = self.carry(dry_run=True)
        self.assertEqual(figures.carried, 2)
        self.assertEqual(held(self.here), {INBOX: []})
        self.assertEqual(self.carry().carried, 2)

    def test_what_is_taken_goes_at_the_source(self):
        before = held(self.files)
        self.carry(take=True, only=("INBOX",))
        self.assertEqual(held(self.here), {INBOX: before[INBOX]})
        self.assertEqual(held(self.files), {INBOX: [], SENT: before[SENT]})

    def test_folders_are_chosen_and_put_under_another(self):
        self.carry(only=("S*",), into=("Old",))
        self.assertEqual(list(held(self.here)), [INBOX, ("Old",), ("Old", "Sent")])
        here = account_end("bob")
        carry(self.files, here, self.data, leave_out=("S*",))
        self.assertEqual(list(held(here)), [INBOX])


class AgainEmlTests(AgainTests):
    form = EmlEnd


class AgainMboxTests(AgainTests):
    form = MboxEnd


class Killed(BaseException):
    pass


class _Broken:
    """An end that breaks off after `most` calls that change it, done but not told."""

    def __init__(self, end, most, calls):
        self._end, self._most, self._calls, self.name = end, most, calls, end.name

    def __getattr__(self, method):
        work = getattr(self._end, method)

        async def ask(*arguments):
            result = await work(*arguments)
            self._calls.append(method)
            if len(self._calls) > self._most:
                raise Killed()
            return result

        return ask


class LostTests(World):
    """Connections that are lost on the way."""

    def carried(self, losses):
        """Carry 250 messages, with a loss in each of `losses` reads."""
        data, here = self.folder(), account_end()
        files = Direct(MaildirEnd(str(data / "mail")))
        fill(files, *[(INBOX, b"%d\r\n" % n, (), n) for n in range(250)])
        reads = []

        def before(method):
            if method == "read":
                reads.append(method)
                if len(reads) in losses:
                    raise ServerGone()

        files.before = before

        def begin():
            journal = Journal(str(data), files.name, here.name)
            return run.Carrier(files, here, journal, run.Wishes(), execute)

        figures = now(run.carried(begin, most=4))
        return figures, held(here)

    def test_the_work_goes_on(self):
        figures, there = self.carried({2, 4})
        self.assertEqual((figures.carried, figures.there), (250, 0))
        self.assertEqual(len(there[INBOX]), 250)

    def test_one_that_gives_nothing_is_given_up(self):
        self.assertRaises(ServerGone, self.carried, {1})


class RefusedTests(World):
    def test_one_that_is_refused_holds_up_no_other(self):
        data = self.folder()
        here, files = account_end(), Direct(MaildirEnd(str(data / "mail")))
        fill(files, (INBOX, ONE, (), 1), (INBOX, TWO, (), 2))
        add = here.add

        async def refusing(path, letters):
            if any(letter.octets == ONE for letter in letters):
                raise MailError("Too odd")
            return await add(path, letters)

        here.add = refusing
        figures = carry(files, here, data)
        self.assertEqual((figures.carried, len(figures.failed)), (1, 1))
        self.assertIn("Too odd", figures.failed[0])
        self.assertEqual(held(here)[INBOX], [(TWO, frozenset(), 2)])

    def test_one_that_cannot_be_read_holds_up_no_other(self):
        data = self.folder()
        here, files = account_end(), Direct(MaildirEnd(str(data / "mail")))
        (odd, _) = fill(files, (INBOX, ONE, (), 1), (INBOX, TWO, (), 2))
        read = files.end.read

        def refusing(path, keys):
            if odd in keys:
                raise MailError("Permission denied")
            return read(path, keys)

        files.end.read = refusing
        figures = carry(files, here, data)
        self.assertEqual((figures.carried, len(figures.failed)), (1, 1))
        self.assertIn("Permission denied", figures.failed[0])


class BatchTests(SynchronousTestCase):
    def test_batches_are_small_and_in_order(self):
        @given(st.lists(st.none() | st.integers(0, 20_000_000)))
        def check(sizes):
            items = [Item(str(n), frozenset(), 0, o) for n, o in enumerate(sizes)]
            parts = list(run.batches(items))
            self.assertEqual([one for some in parts for one in some], items)
            for some in parts:
                octets = sum(one.octets or 0 for one in some)
                self.assertTrue(len(some) == 1 or octets <= run.BATCH_OCTETS)
                self.assertLessEqual(len(some), run.BATCH)

        check()


class FileEndTests(SynchronousTestCase):
    def test_a_letter_does_not_print_its_octets(self):
        self.assertNotIn("secret", repr(Letter(b"secret")))

    def test_every_form_is_a_file_end(self):
        for form in FORMS:
            self.assertTrue(issubclass(form, FileEnd))
