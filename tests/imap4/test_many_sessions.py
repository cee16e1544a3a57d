"""Many sessions change two mailboxes, and every answer is that of a reference."""

import os
import shutil

from twisted.trial.unittest import SynchronousTestCase

from mailtwist.directory.model import Account
from tests.store.inline import InlineStore

from .room import Room, small
from .simulation import Simulation

SEEDS = 50  # simulations over the store in memory
STEPS = 120  # commands of each
ON_DISK = 6  # simulations over Maildirs


class Client:
    """A client of a room as a simulation wants it."""

    def __init__(self, room):
        self.inside = room.login()
        self.ask, self.close = self.inside.ask, lambda: self.inside.ask("LOGOUT")

    def idle(self):
        self.inside.send(b"i IDLE\r\n")
        self.early = self.inside.hear()
        self.early.remove(b"+ idling")

    def heard(self, enough):
        early, self.early = self.early, []
        return early + self.inside.hear()

    def done(self):
        self.inside.send(b"DONE\r\n")
        *lines, answer = self.heard(None)
        if not answer.startswith(b"i OK"):
            raise AssertionError(answer)
        return lines


class ManySessionsTests(SynchronousTestCase):
    def run_in(self, room, seed, members):
        Simulation(lambda: Client(room), seed=seed, members=members).run(STEPS)

    def test_the_store_in_memory(self):
        for seed in range(SEEDS):
            self.run_in(Room(config=small(errors=1000)), seed, 2 + seed % 5)

    def test_fifty_sessions(self):
        self.run_in(Room(config=small(errors=1000)), 1, 50)

    def test_maildirs(self):
        for seed in range(ON_DISK):
            home = os.path.abspath(self.mktemp())
            store = InlineStore()
            room = Room(
                config=small(errors=1000),
                account=Account("ann@example.test", home),
                clock=store.clock,
            )
            room.accounts.store = store
            self.run_in(room, seed, 2 + seed % 5)
            store.now(store.close())
            shutil.rmtree(home)
