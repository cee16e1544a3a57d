"""From two to fifty sessions of the running daemon on the same mailboxes."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from functools import partial

from tests.bench.mail import PLAIN
from tests.imap4.member import Member
from tests.imap4.simulation import FLAGS, MESSAGE, Simulation
from tests.integration.daemon import DaemonTestCase
from tests.integration.side_by_side import Raw

PATIENCE_S = 5.0  # until an idle session must have been told
ROUNDS = 25  # commands of each session in a storm


class Client(Raw):
    """A client as a simulation wants it."""

    ask = Raw.answered

    def idle(self) -> None:
        self.socket.sendall(b"i IDLE\r\n")
        self.early = []
        while (line := self._line()) != b"+ idling":
            self.early.append(line)

    def heard(self, enough: Callable[[], bool]) -> Iterator[bytes]:
        """Lines as they come, until the one who hears them has heard enough."""
        early, self.early = self.early, []
        yield from early
        self.socket.settimeout(PATIENCE_S)
        while not enough():
            yield self._line()

    def done(self) -> list[bytes]:
        self.socket.settimeout(60)
        self.socket.sendall(b"DONE\r\n")
        lines, self.early = self.early, []
        while not (line := self._line()).startswith(b"i OK"):
            lines.append(line)
        return lines


class ManySessionsTests(DaemonTestCase):
    extra = PLAIN

    def connect(self, user: str) -> Client:
        client = Client(self.daemon.port("imap"), user)
        self.addCleanup(client.close)
        return client

    def test_every_answer_is_that_of_the_reference(self) -> None:
        for seed, members, steps in ((1, 2, 150), (2, 7, 150), (3, 50, 250)):
            connect = partial(self.connect, self.user())
            Simulation(connect, seed=seed, members=members).run(steps)

    def test_a_storm_of_fifty_sessions_at_once_ends_in_one_truth(self) -> None:
        user = self.user()
        watcher = self.member(user, 0)
        for number in range(20):
            self.append(watcher, f"first{number}")
        members = [self.member(user, seed) for seed in range(50)]
        faults: list[BaseException] = []
        storms = [
            threading.Thread(target=self.storm, args=(member, seed, faults))
            for seed, member in enumerate(members)
        ]
        for storm in storms:
            storm.start()
        for storm in storms:
            storm.join()
        self.assertEqual(faults, [])
        watcher.ask("NOOP")
        watcher.ask("FETCH 1:* (UID FLAGS MODSEQ)")
        truth = {told.uid: (told.flags, told.modseq) for told in watcher.fetched}
        self.assertGreater(len(truth), 0)
        for member in members:
            member.ask("NOOP")
            self.assertEqual(len(member.uids), len(truth))
            there = list(zip(member.uids, truth, strict=True))
            self.assertTrue(all(known in (None, uid) for known, uid in there), there)
            for uid, flags in member.flags.items():
                self.assertEqual(flags, truth[uid][0], uid)

    def member(self, user: str, seed: int) -> Member:
        member = Member(self.connect(user), condstore=True, qresync=seed % 2 == 1)
        member.ask("ENABLE " + ("QRESYNC" if member.qresync else "CONDSTORE"))
        member.enter("INBOX", read_only=False)
        member.ask("SELECT INBOX")
        return member

    def append(self, member: Member, subject: str) -> None:
        octets = MESSAGE % (subject.encode(), subject.encode())
        member.ask(f"APPEND INBOX {{{len(octets)}+}}\r\n", octets)

    def storm(self, member: Member, seed: int, faults: list[BaseException]) -> None:
        chance = random.Random(seed)
        try:
            for number in range(ROUNDS):
                if member.uids:
                    member.ask("FETCH 1:* (UID FLAGS)")
                known = [uid for _, uid in member.known()]
                some = ",".join(map(str, chance.sample(known, min(3, len(known)))))
                flag = chance.choice(FLAGS)
                acts = ["NOOP", "SEARCH UNSEEN", "EXPUNGE"]
                if some:
                    acts += [f"UID STORE {some} +FLAGS ({flag})"] * 3
                    acts.append(f"UID MOVE {some} INBOX")
                    acts += [f"UID EXPUNGE {some}", f"UID FETCH {some} BODY.PEEK[]"]
                if len(known) < 40 and chance.random() < 0.4:
                    self.append(member, f"m{seed}x{number}")
                else:
                    member.ask(chance.choice(acts))
        except BaseException as fault:
            faults.append(fault)
