"""The spool against a dictionary: whatever comes in any order, they agree."""

import os
import tempfile
from collections import Counter

from attrs import evolve
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.address import Address
from mailtwist.delivery.model import Envelope, RemoteRecipient
from mailtwist.errors import MailError
from mailtwist.queue.admin import Filter, QueueAdmin

from .rooms import ANN, World


class SpoolMachine(RuleBasedStateMachine):
    """No manager runs: only what is asked happens."""

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(prefix="mailtwist-test-")
        self.world = World(os.path.join(self.folder.name, "queue"))
        self.world.result(self.world.manager.stop(0.0))
        self.admin = QueueAdmin(self.world.folder, self.world.clock.seconds)
        self.messages = {}  # id: {number: (due, attempts)}
        self.held = set()
        self.names = Counter()

    def teardown(self):
        self.admin.close()
        self.world.close()
        self.folder.cleanup()

    @property
    def now_s(self):
        return self.world.clock.seconds()

    def chosen(self, data):
        return data.draw(st.sampled_from(sorted(self.messages)))

    @rule(count=st.integers(1, 4))
    def put(self, count):
        self.names["m"] += 1
        name = f"m{self.names['m']}"
        to = [f"u{number}@d{number % 2}.test" for number in range(count)]
        self.world.queue(*to, name=name)
        self.messages[name] = dict.fromkeys(range(1, count + 1), (self.now_s, 0))

    @precondition(lambda self: self.messages)
    @rule(data=st.data())
    def put_again(self, data):
        name = self.chosen(data)
        some = (RemoteRecipient(Address("z", "z.test")),)
        sink = self.world.spool.begin(Envelope(name, "s", ANN, some))
        (fault,) = self.world.result(sink.commit())
        assert isinstance(fault, MailError)

    @precondition(lambda self: self.messages)
    @rule(data=st.data(), wait_s=st.integers(1, 100), report=st.booleans())
    def settle(self, data, wait_s, report):
        name = self.chosen(data)
        there = self.world.waiting(name)
        done = data.draw(st.sets(st.sampled_from([r.number for r in there])))
        rest = [r for r in there if r.number not in done]
        later = [
            evolve(r, attempts=r.attempts + 1, due_s=self.now_s + wait_s)
            for r in rest
            if data.draw(st.booleans())
        ]
        reports = []
        if report:
            self.names["r"] += 1
            number = f"r{self.names['r']}"
            some = (RemoteRecipient(ANN),)
            reports = [(Envelope(number, "s", None, some), b"report")]
            self.messages[number] = {1: (self.now_s, 0)}
        self.world.result(self.world.spool.settle(name, sorted(done), later, reports))
        left = self.messages[name]
        for number in done:
            del left[number]
        for recipient in later:
            left[recipient.number] = (recipient.due_s, recipient.attempts)
        if not left:
            self.forget(name)

    def forget(self, name):
        del self.messages[name]
        self.held.discard(name)

    @precondition(lambda self: self.messages)
    @rule(data=st.data(), what=st.sampled_from(["hold", "release", "remove", "flush"]))
    def by_hand(self, data, what):
        name = self.chosen(data)
        assert getattr(self.admin, what)(Filter(queue_ids=(name,))) == 1
        if what == "hold":
            self.held.add(name)
        elif what == "release":
            self.held.discard(name)
        elif what == "remove":
            self.forget(name)
        else:
            left = self.messages[name]
            self.messages[name] = {n: (self.now_s, a) for n, (_, a) in left.items()}

    @rule(seconds=st.integers(1, 60))
    def time_passes(self, seconds):
        self.world.clock.advance(seconds)

    @rule()
    def crash(self):
        self.admin.close()
        self.world.close()
        self.world.open_spool()
        self.admin = QueueAdmin(self.world.folder, self.world.clock.seconds)

    @invariant()
    def they_agree(self):
        found = {}
        for entry in self.admin.listed():
            name = entry.message.queue_id
            assert entry.message.held == (name in self.held)
            found[name] = {r.number: (r.due_s, r.attempts) for r in entry.recipients}
        assert found == self.messages
        due = {}
        loading = self.world.spool.due(self.now_s, 1000)
        for message, recipients in self.world.result(loading):
            due[message.queue_id] = {r.number for r in recipients}
        wanted = {}
        for name, left in self.messages.items():
            numbers = {n for n, (due_s, _) in left.items() if due_s <= self.now_s}
            if numbers and name not in self.held:
                wanted[name] = numbers
        assert due == wanted


class SpoolModelTests(SynchronousTestCase):
    def test_whatever_is_done_the_spool_and_a_dictionary_agree(self):
        run_state_machine_as_test(
            SpoolMachine,
            settings=settings(max_examples=30, stateful_step_count=30, deadline=None),
        )
