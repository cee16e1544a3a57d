"""An IMAP client that changes a mailbox until the server dies, and knows what must be.

It keeps what every answered command made of the account, and the one command that was
not answered.  `checked()` compares with what a restarted server shows: the answered
ones happened exactly, the last one as a whole or not at all, and no UID moved.
"""

from __future__ import annotations

import collections
import imaplib
import random
import re
import ssl
import threading

from attrs import define, field

from tests.integration.daemon import PASSWORD

BOXES = ("INBOX", "There")
FLAGS = ("\\Seen", "\\Flagged", "\\Answered", "work", "later")
LARGE_OCTETS = 400_000
MOST = 30  # messages in INBOX; above, they are expunged
BROKEN = (OSError, imaplib.IMAP4.abort, EOFError)


@define
class Doubt:
    """What the command that nobody answered may have done."""

    gone: set[tuple[str, int]] = field(factory=set)
    come: list[tuple[str, str, frozenset[str]]] = field(factory=list)
    flags: dict[tuple[str, int], frozenset[str]] = field(factory=dict)
    whole: bool = True  # all of it or nothing; False: each message for itself


class Worker(threading.Thread):
    """One life of the server, seen by one client."""

    def __init__(self, client):
        super().__init__(daemon=True)
        self.client, self.failure = client, None

    def run(self):
        try:
            self.client.work()
        except BROKEN:
            return  # the daemon was killed
        except BaseException as failure:  # for the test's thread
            self.failure = failure


class Client:
    """One account's only client; `work` until the connection breaks, then `checked`."""

    def __init__(self, port, user, number):
        self.port, self.user, self.number = port, user, number
        self.chance = random.Random(number)
        self.boxes = {box: {} for box in BOXES}  # {UID: (name, flags)}
        self.highest = dict.fromkeys(BOXES, 0)
        self.validity: dict[str, int] = {}
        self.sent: dict[str, bytes] = {}
        self.doubt: Doubt | None = None
        self.answered: collections.Counter[str] = collections.Counter()

    def connected(self):
        imap = imaplib.IMAP4("127.0.0.1", self.port, timeout=30)
        imap.starttls(ssl._create_unverified_context())
        imap.login(self.user, PASSWORD)
        return imap

    # -- changing -------------------------------------------------------------------

    def work(self):
        imap = self.connected()
        imap.create("There")  # NO if it is there already
        self.well(*imap.select("INBOX"))
        while True:
            actions = [self.append, self.append, self.copy, self.move, self.store]
            if len(self.boxes["INBOX"]) > MOST:
                actions = [self.move, self.expunge]
            if len(self.boxes["There"]) > MOST:
                actions = [self.empty]
            self.chance.choice(actions)(imap)

    @staticmethod
    def well(answer, data):
        if answer != "OK":
            raise AssertionError(f"{answer} {data}")

    def begun(self, doubt, *command):
        """Send a command that makes true what `doubt` says, and wait for its OK."""
        self.doubt = doubt
        method, *arguments = command
        self.well(*method(*arguments))
        self.answered[method.__name__ if method.__name__ != "uid" else command[1]] += 1
        for box, uid in doubt.gone:
            del self.boxes[box][uid]
        for (box, uid), flags in doubt.flags.items():
            self.boxes[box][uid] = self.boxes[box][uid][0], flags
        self.doubt = None

    def some(self):
        uids = sorted(self.boxes["INBOX"])
        return self.chance.sample(uids, min(len(uids), self.chance.randint(1, 3)))

    def append(self, imap):
        name = f"{self.number}-{len(self.sent)}"
        size = LARGE_OCTETS if self.chance.random() < 0.1 else 1000
        octets = b"Subject: %s\r\n\r\n" % name.encode() + b"x" * size + b"\r\nend\r\n"
        self.sent[name] = octets
        flags = frozenset(self.chance.sample(FLAGS, 2))
        doubt = Doubt(come=[("INBOX", name, flags)])
        self.begun(doubt, imap.append, "INBOX", f"({' '.join(flags)})", None, octets)
        (code,) = imap.response("APPENDUID")[1]
        self.arrived("INBOX", [int(code.split()[1])], [(name, flags)])

    def copy(self, imap):
        self.transfer(imap, "COPY")

    def move(self, imap):
        self.transfer(imap, "MOVE")

    def transfer(self, imap, command):
        uids = self.some()
        if not uids:
            return
        entries = {uid: self.boxes["INBOX"][uid] for uid in uids}
        doubt = Doubt(come=[("There", *entry) for entry in entries.values()])
        if command == "MOVE":
            doubt.gone = {("INBOX", uid) for uid in uids}
        self.begun(doubt, imap.uid, command, ",".join(map(str, uids)), "There")
        (code,) = imap.response("COPYUID")[1]
        _, old, new = code.split()
        sources, targets = numbers(old), numbers(new)
        if sorted(sources) != sorted(uids):
            raise AssertionError(f"{command} {uids}: {code}")
        self.arrived("There", targets, [entries[uid] for uid in sources])

    def arrived(self, box, uids, entries):
        if len(uids) != len(entries) or min(uids) <= self.highest[box]:
            raise AssertionError(f"{uids} for {entries} after {self.highest[box]}")
        self.highest[box] = max(uids)
        self.boxes[box].update(zip(uids, entries, strict=True))

    def store(self, imap):
        uids = self.some()
        flags = frozenset(self.chance.sample(FLAGS, self.chance.randint(0, 3)))
        if uids:
            self.store_flags(imap, "INBOX", uids, flags)

    def store_flags(self, imap, box, uids, flags):
        doubt = Doubt(flags={(box, uid): flags for uid in uids}, whole=False)
        uids = ",".join(map(str, uids))
        self.begun(
            doubt, imap.uid, "STORE", uids, "FLAGS.SILENT", f"({' '.join(flags)})"
        )

    def expunge(self, imap, box="INBOX"):
        uids = sorted(self.boxes[box])[::2]
        self.store_flags(imap, box, uids, frozenset(["\\Deleted"]))
        doubt = Doubt(gone={(box, uid) for uid in uids}, whole=False)
        self.begun(doubt, imap.uid, "EXPUNGE", ",".join(map(str, uids)))

    def empty(self, imap):
        self.well(*imap.select("There"))
        self.expunge(imap, "There")
        self.well(*imap.select("INBOX"))

    # -- checking -------------------------------------------------------------------

    def checked(self):
        """Raises AssertionError if the server does not show what it has to."""
        imap = self.connected()
        seen = {box: self.seen(imap, box) for box in BOXES}
        imap.logout()
        doubt = self.doubt or Doubt()
        gone, come = set(), []
        for box, entries in seen.items():
            expected = self.boxes[box]
            gone |= {(box, uid) for uid in expected.keys() - entries.keys()}
            for uid, (name, flags) in entries.items():
                if uid not in expected:
                    self.true(uid > self.highest[box], box, uid)
                    come.append((box, name, flags))
                    continue
                may_be = {expected[uid][1], doubt.flags.get((box, uid), flags)}
                if (box, uid) not in doubt.flags:
                    may_be = {expected[uid][1]}
                self.true(name == expected[uid][0], box, uid, name)
                self.true(flags in may_be, box, uid, flags, may_be)
        self.true(gone <= doubt.gone, "lost", gone - doubt.gone)
        if doubt.whole and (gone or come):
            self.true(gone == doubt.gone, "half gone", gone, doubt)
            self.true(sorted(come, key=str) == sorted(doubt.come, key=str), come, doubt)
        self.true(doubt.whole or not come, "came from nowhere", come)
        self.boxes, self.doubt = seen, None
        for box in BOXES:
            self.highest[box] = max(self.highest[box], *seen[box], 0)

    def true(self, condition, *what):
        if not condition:
            raise AssertionError(f"{self.user}: {what}")

    def seen(self, imap, box):
        """{UID: (name, flags)}; every message is whole."""
        if imap.select(box, readonly=True)[0] != "OK":
            self.true(not self.boxes[box], "folder is gone", box)
            return {}
        (validity,) = imap.response("UIDVALIDITY")[1]
        self.true(self.validity.setdefault(box, validity) == validity, "UIDVALIDITY")
        found = {}
        answer, data = imap.uid("FETCH", "1:*", "(FLAGS BODY.PEEK[])")
        self.well(answer, data)
        for item in data:
            if not isinstance(item, tuple):
                continue
            uid = int(re.search(rb"UID (\d+)", item[0])[1])
            flags = re.search(rb"FLAGS \(([^)]*)\)", item[0])[1].decode().split()
            name = re.match(rb"Subject: (\S+)", item[1])[1].decode()
            self.true(item[1] == self.sent[name], "not whole", box, uid)
            found[uid] = name, frozenset(flags) - {"\\Recent"}
        return found


def numbers(sequence_set: bytes) -> list[int]:
    """The numbers of `1:3,5`, in order."""
    found: list[int] = []
    for part in sequence_set.decode().split(","):
        first, _, last = part.partition(":")
        found += range(int(first), int(last or first) + 1)
    return found
