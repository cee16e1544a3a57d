"""Any sequence of what clients, other programs and crashes do to an mbox account leaves
what a model of it has."""

import os
import re
import shutil
import tempfile

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.address import Address
from mailtwist.config.model import Delivery
from mailtwist.delivery.model import Envelope, LocalRecipient
from mailtwist.directory.model import Account
from mailtwist.mailbox.model import INBOX, FlagAction, FlagChange, Range
from mailtwist.mime import mbox

from .inline import InlineLocalStore

LINE = b"From carol Wed Nov  4 20:39:03 2026\n"
LITTLE_TRACE = Delivery(delivered_to=False, delivery_date=False)
PATHS = [INBOX, ("Lists",), ("Lists", "py")]
FLAGS = st.frozensets(
    st.sampled_from(["\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "work", "$Junk"])
)
HEADERS = st.sampled_from(
    [
        b"",
        b"Subject: a\r\n",
        b"Status: RO\r\nX-UID: 1\r\n",
        b"Lines: 3\r\nA: b\r\n c\r\n",
    ]
)
BODIES = st.sampled_from(
    [
        b"",
        b"one\r\n",
        b"From here\r\n>From there\r\n",
        b"no end",
        b"\r\n\r\n",
        b"\0\xff\r\r\n",
        LINE.replace(b"\n", b"\r\n") + b"\r\n",
        b"x" * 3000 + b"\r\n",
    ]
)
OTHER = st.sampled_from(
    [b"A: b\n\nc\n", b"A: b\n\n>From c\n", b"\nd\n", b"Status: O\n\ne\n"]
)


class Account_(RuleBasedStateMachine):
    """`self.model` has the messages of each mailbox, (octets, flags) by UID."""

    def __init__(self):
        super().__init__()
        self.home = tempfile.mkdtemp()
        self.account = Account("ann@x.test", self.home, mailbox="mbox:mail:INBOX=box")
        self.model = {path: {} for path in PATHS}
        self.next = dict.fromkeys(PATHS, 1)
        self.number = 0
        self.open()

    def open(self):
        self.store = InlineLocalStore(delivery=LITTLE_TRACE)
        self.tree = self.store.mailboxes(self.account)
        self.now = self.store.now

    @initialize()
    def folders(self):
        self.now(self.tree.create(("Lists", "py")))
        self.validity = {
            path: self.now(self.tree.status(path)).uid_validity for path in PATHS
        }

    def teardown(self):
        self.now(self.store.close())
        shutil.rmtree(self.home)

    def file(self, path):
        return self.now(self.tree.files.thread(self.tree.files.place.folder_of, path))

    def new(self, path, octets, flags=frozenset()):
        self.model[path][self.next[path]] = octets, frozenset(flags)
        self.next[path] += 1

    def unique(self, octets):
        self.number += 1
        return b"X-Number: %d\r\n" % self.number + octets

    def within(self, path, work):
        mailbox = self.now(self.tree.open(path))
        try:
            return self.now(work(mailbox))
        finally:
            self.now(mailbox.close())

    # -- clients ---------------------------------------------------------------------

    @rule(path=st.sampled_from(PATHS), header=HEADERS, body=BODIES, flags=FLAGS)
    def append(self, path, header, body, flags):
        octets = self.unique(header + b"\r\n" + body)
        octets = re.sub(rb"(?<!\r)\n", b"\r\n", octets)
        upload = self.tree.upload()
        upload.write(octets)
        self.now(self.tree.append(path, [(upload, flags, 1_700_000_000)]))
        self.new(path, octets, flags)

    @rule(header=HEADERS, body=BODIES)
    def deliver(self, header, body):
        octets = self.unique(header + b"\r\n" + body)
        to = LocalRecipient(Address.parse(self.account.name), self.account)
        envelope = Envelope("m", "s", Address.parse("bob@x.test"), (to,))
        sink = self.store.delivery().begin(envelope)
        sink.write(octets)
        self.assert_equal(self.now(sink.commit()), [None])
        self.new(INBOX, b"Return-Path: <bob@x.test>\r\n" + octets)

    @rule(
        path=st.sampled_from(PATHS),
        choice=st.integers(0, 5),
        action=st.sampled_from(list(FlagAction)),
        flags=FLAGS,
    )
    def store_flags(self, path, choice, action, flags):
        uids = self.some(path, choice)
        change = FlagChange(action, flags)
        self.within(path, lambda mailbox: mailbox.store_flags(uids, change))
        for uid in uids:
            octets, old = self.model[path][uid]
            new = {
                FlagAction.ADD: old | flags,
                FlagAction.REMOVE: old - flags,
                FlagAction.REPLACE: flags,
            }[action]
            self.model[path][uid] = octets, new

    @rule(path=st.sampled_from(PATHS))
    def expunge(self, path):
        self.within(path, lambda mailbox: mailbox.expunge())
        for uid, (_, flags) in list(self.model[path].items()):
            if "\\Deleted" in flags:
                del self.model[path][uid]

    @rule(
        source=st.sampled_from(PATHS),
        into=st.sampled_from(PATHS),
        choice=st.integers(0, 5),
        moves=st.booleans(),
    )
    def transfer(self, source, into, choice, moves):
        uids = self.some(source, choice)
        if moves:
            self.within(source, lambda mailbox: mailbox.move(uids, into))
        else:
            self.within(source, lambda mailbox: mailbox.copy(uids, into))
        messages = [self.model[source][uid] for uid in uids]
        for uid in uids if moves else ():
            del self.model[source][uid]
        for octets, flags in messages:
            self.new(into, octets, flags)

    def some(self, path, choice):
        uids = sorted(self.model[path])
        return uids[choice % 3 :: choice % 2 + 1]

    # -- others ----------------------------------------------------------------------

    @rule(path=st.sampled_from(PATHS), stored=OTHER, blank=st.booleans())
    def another_program_appends(self, path, stored, blank):
        self.number += 1
        stored = b"X-Number: %d\n" % self.number + stored
        before = self.read(path)
        with open(self.file(path), "ab") as file:
            if before and not before.endswith(b"\n\n"):
                file.write(b"\n")
            file.write(LINE + stored + b"\n" * blank)
        seen = stored.replace(b"Status: O\n", b"")
        self.new(path, seen.replace(b"\n", b"\r\n"))

    @rule(path=st.sampled_from(PATHS), choice=st.integers(0, 20), turned=st.booleans())
    def another_program_changes_flags(self, path, choice, turned):
        """As mutt: marks at the end of the header, and perhaps in another order."""
        self.look(path)
        messages = self.messages(path)
        if not messages:
            return
        at = choice % len(messages)
        line, stored = messages[at]
        head, blank, body = stored.partition(b"\n\n")
        head = re.sub(rb"^(X-)?Status: [^\n]*(\n|\Z)", b"", head, flags=re.M)
        head = (
            head.removesuffix(b"\n") + b"\nStatus: RO\nX-Status: F\nContent-Length: 1"
        )
        messages[at] = line, head + blank + body
        number = re.search(rb"X-Number: (\d+)", stored)[1]
        if turned:
            messages.reverse()
        with open(self.file(path), "wb") as file:
            file.writelines(part for message in messages for part in message)
        marks = {"\\Seen", "\\Flagged"}
        same = {
            uid
            for uid, (octets, _) in self.model[path].items()
            if b"X-Number: %s\r\n" % number in octets
        }
        if len(same) > 1:  # copies in one mailbox: which one it was says its UID
            same = {int(re.search(rb"X-UID: (\d+)", stored)[1])}
        (uid,) = same
        octets, old = self.model[path][uid]
        kept = {flag for flag in old if flag[0] != "\\"}
        self.model[path][uid] = octets, frozenset(kept | marks)

    def messages(self, path):
        octets = self.read(path)
        starts = mbox.Starts().take(octets)
        stops = [*(start for start, _ in starts), len(octets)][1:]
        return [
            (octets[start:text], octets[text:stop].removesuffix(b"\n") + b"\n")
            for (start, text), stop in zip(starts, stops, strict=True)
        ]

    def read(self, path):
        with open(self.file(path), "rb") as file:
            return file.read()

    def look(self, path):
        """Have UIDs and all in the file."""

        async def nothing(mailbox):
            return None

        self.within(path, nothing)

    @rule()
    def restart(self):
        self.now(self.store.close())
        self.open()

    @rule()
    def the_state_is_lost(self):
        for path in PATHS:
            self.look(path)
        self.now(self.store.close())
        for name in os.listdir(self.home):
            if name.startswith("state.sqlite"):
                os.unlink(f"{self.home}/{name}")
        self.open()
        for path in PATHS:
            if self.next[path] == 1:  # no client was told of any UID
                status = self.now(self.tree.status(path))
                self.validity[path] = status.uid_validity

    # -- the model -------------------------------------------------------------------

    @invariant()
    def all_is_there(self):
        for path, messages in self.model.items():
            if not hasattr(self, "validity"):
                return
            mailbox = self.now(self.tree.open(path, read_only=True))
            rows = self.now(mailbox.rows())
            octets = self.now(mailbox.octets([Range(uid) for uid in rows.uids]))
            found = dict(
                zip(rows.uids, zip(octets, rows.flags, strict=True), strict=True)
            )
            self.assert_equal(found, messages)
            self.assert_equal(rows.octets, [len(each) for each in octets])
            self.assert_equal(mailbox.uid_validity, self.validity[path])
            self.now(mailbox.close())

    @staticmethod
    def assert_equal(found, wanted):
        if found != wanted:
            raise AssertionError(f"{found!r} is not {wanted!r}")


class StatefulTests(SynchronousTestCase):
    def test_any_sequence_leaves_what_the_model_has(self):
        test = Account_.TestCase("runTest")
        test.settings = settings(max_examples=12, stateful_step_count=20, deadline=None)
        test.runTest()
