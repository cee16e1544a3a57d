"""Many sessions on two mailboxes, beside a reference that is a few dictionaries.

    Simulation(connect, seed=1, members=3).run(100)

`connect()` gives a logged-in client: `ask(octets)` answers lines with the tagged one
last, without its tag; `idle()`, `heard()` and `done()` are for IDLE.  Each step one
member, chosen by the seed, says one command; its whole answer is compared with the
reference.  An observer then looks at both mailboxes: what a step changed must have a
higher MODSEQ, what it did not change its own, and idle members must have been told.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from attrs import define, field

from .member import Member, Wrong, numbers

BOXES = ("INBOX", "Other")
FLAGS = ("\\Seen", "\\Flagged", "\\Deleted", "work")
MOST = 14  # messages of a mailbox; above, fewer come
MESSAGE = b"Subject: %b\r\n\r\nbody of %b\r\n"


@define
class Message:
    subject: str
    flags: frozenset[str]
    modseq: int = 0  # as the observer saw it last


@define
class Box:
    """The truth about one mailbox."""

    messages: dict[int, Message] = field(factory=dict)
    uid_next: int = 1
    highest: int = 0  # MODSEQ that the observer saw
    touched: set[int] = field(factory=set)  # changed in this step
    hot: set[int] = field(factory=set)  # changed in the last step that changed some

    def add(self, subject: str, flags: frozenset[str]) -> int:
        uid = self.uid_next
        self.uid_next += 1
        self.messages[uid] = Message(subject, flags)
        self.touched.add(uid)
        return uid

    def deleted(self) -> list[int]:
        return [u for u, m in self.messages.items() if "\\Deleted" in m.flags]

    def remove(self, uids: list[int]) -> None:
        for uid in uids:
            self.messages.pop(uid, None)

    def flags(self, uid: int, flags: frozenset[str]) -> None:
        message = self.messages[uid]
        if message.flags != flags:
            message.flags = flags
            self.touched.add(uid)


class Simulation:
    def __init__(
        self, connect: Callable[[], object], *, seed: int, members: int
    ) -> None:
        self.chance = random.Random(seed)
        self.connect, self.seed = connect, seed
        self.boxes = {name: Box() for name in BOXES}
        self.said: list[str] = []  # for the one who reads a failure
        self.count = 0
        self.observers: dict[str, Member] = {}
        for name in BOXES:
            observer = Member(connect(), condstore=True)
            observer.ask("CREATE Other")
            observer.enter(name, read_only=True)
            observer.ask(f"EXAMINE {name} (CONDSTORE)")
            self.observers[name] = observer
        self.members = [self.newcomer() for _ in range(members)]

    def newcomer(self) -> Member:
        member = Member(self.connect())
        kind = self.chance.randrange(3)
        if kind:
            member.condstore = True
            member.qresync = kind == 2
            member.ask("ENABLE " + ("CONDSTORE", "QRESYNC")[kind - 1])
        return member

    def run(self, steps: int) -> None:
        try:
            for _ in range(steps):
                self.step()
            for member in self.members:
                if member.idle:
                    self.done(member)
                if member.box is not None:
                    self.noop(member)
        except Exception as fault:
            last = "\n".join(self.said[-30:])
            raise Wrong(f"seed {self.seed}: {fault!r} after\n{last}") from fault

    def step(self) -> None:
        at = self.chance.randrange(len(self.members))
        member = self.members[at]
        self.said.append(f"{at}: ")
        if member.idle:
            self.done(member)
        elif member.box is None:
            self.select(member)
        else:
            box = self.boxes[member.box]
            acts = [self.fetch, self.fetch, self.noop, self.search, self.search]
            acts += [self.append, self.idle, self.leave, self.again]
            if len(box.messages) > MOST:
                acts = [self.expunge, self.mark, self.move, self.fetch]
            elif len(box.messages) < 3:
                acts += [self.append] * 6
            if not member.read_only:
                acts += [self.store] * 15 + [self.expunge, self.uid_expunge, self.move]
                acts += [self.copy, self.mark]
            elif len(box.messages) > MOST:
                acts = [self.leave]
            self.chance.choice(acts)(member)
        self.look()

    def ask(self, member: Member, command: str, octets: bytes = b"") -> bytes:
        self.said[-1] += command
        answer = member.ask(command, octets)
        self.said[-1] += f" -> {answer.decode()}"
        self.check_fetched(member)
        return answer

    def check(self, condition: object, *what: object) -> None:
        if not condition:
            raise Wrong(*what)

    # -- what members do ------------------------------------------------------------

    def append(self, member: Member) -> None:
        name = self.chance.choice(BOXES)
        self.count += 1
        subject, flags = f"m{self.count}", self.some_flags()
        octets = MESSAGE % (subject.encode(), subject.encode())
        uid = self.boxes[name].add(subject, flags)
        command = f"APPEND {name} ({' '.join(flags)}) {{{len(octets)}+}}\r\n"
        answer = self.ask(member, command, octets)
        self.check(answer.startswith(b"OK [APPENDUID "), answer)
        self.check(answer.split()[3] == b"%d]" % uid, answer, uid)

    def select(self, member: Member) -> None:
        name = self.chance.choice(BOXES)
        kept = member.kept.get(name)
        verb = "EXAMINE" if self.chance.random() < 0.15 else "SELECT"
        member.enter(name, verb == "EXAMINE")
        if not member.qresync or kept is None or self.chance.random() < 0.2:
            more = " (CONDSTORE)" if member.condstore else ""
            self.ask(member, f"{verb} {name}{more}")
            self.check(
                len(member.uids) == len(self.boxes[name].messages), "EXISTS of SELECT"
            )
            if member.uids:
                items = "UID FLAGS MODSEQ" if member.condstore else "UID FLAGS"
                self.said.append("  ")
                self.ask(member, f"FETCH 1:* ({items})")
                self.check(all(member.uids), "all were asked for", member.uids)
            return
        member.flags = dict(kept.flags)
        known = ""
        if kept.flags and self.chance.random() < 0.3:
            known = " " + ",".join(map(str, sorted(kept.flags)))
        self.ask(
            member, f"{verb} {name} (QRESYNC ({kept.validity} {kept.highest}{known}))"
        )
        truth = self.boxes[name].messages
        if known:  # what is new was not asked for
            now = {u: m.flags for u, m in truth.items() if u in kept.flags}
            self.check(member.flags == now, "resync of some", member.flags, now)
            return
        now = {uid: message.flags for uid, message in truth.items()}
        self.check(member.flags == now, "resync", member.flags, now)
        member.uids = sorted(now)

    def leave(self, member: Member) -> None:
        self.noop(member)
        self.look()
        self.said.append("  ")
        verb = self.chance.choice(["CLOSE", "UNSELECT"])
        name, writes = member.box, not member.read_only
        member.leave()
        if verb == "CLOSE" and writes and name is not None:
            box = self.boxes[name]
            box.remove(box.deleted())
        self.ask(member, verb)

    def again(self, member: Member) -> None:
        """The connection is lost; the same client comes back."""
        self.noop(member)
        self.look()
        self.said.append("  LOGOUT")
        member.leave()
        kept = member.kept
        member.client.close()
        self.members[self.members.index(member)] = newcomer = self.newcomer()
        newcomer.kept = kept

    def noop(self, member: Member) -> None:
        self.ask(member, "NOOP")
        self.up_to_date(member)

    def idle(self, member: Member) -> None:
        self.said[-1] += "IDLE"
        member.client.idle()
        member.idle = True

    def done(self, member: Member) -> None:
        self.said[-1] += "DONE"
        for line in member.client.done():
            member.hear(line)
        member.idle = False
        self.up_to_date(member)

    def fetch(self, member: Member) -> None:
        if not member.uids:
            self.noop(member)
            return
        items = ["UID", "FLAGS"]
        if member.condstore:
            items.append("MODSEQ")
        seen = self.chance.random() < 0.15
        items.append("BODY[]" if seen else "BODY.PEEK[HEADER.FIELDS (SUBJECT)]")
        if self.chance.random() < 0.4:
            targets = [uid for _, uid in member.known()]
            prefix, which = "", "1:*"
            if None in member.uids and seen:
                items[-1] = "BODY.PEEK[]"
                seen = False
        else:
            prefix, which, targets = self.some(member)
            if not targets:
                return
        there = [uid for uid in targets if uid in self.boxes[member.box].messages]
        if seen and not member.read_only:
            self.change(member, there, lambda flags: flags | {"\\Seen"})
        self.ask(member, f"{prefix}FETCH {which} ({' '.join(items)})")
        answered = {told.uid for told in member.fetched if told.subject}
        self.check(set(there) <= answered, "not fetched", there, answered)

    def search(self, member: Member) -> None:
        flag = self.chance.choice(FLAGS)
        key = flag[1:].upper() if flag[0] == "\\" else f"KEYWORD {flag}"
        wanted = self.chance.random() < 0.5
        prefix = self.chance.choice(["", "UID "])
        before = list(member.uids)
        self.ask(member, f"{prefix}SEARCH {'' if wanted else 'NOT '}{key}")
        truth = self.boxes[member.box].messages
        self.check(member.found is not None, "no SEARCH")
        for number, uid in enumerate(before, 1):
            if uid is not None:
                right = uid in truth and (flag in truth[uid].flags) is wanted
                named = uid if prefix else number
                self.check((named in member.found) is right, "SEARCH", uid)

    def store(self, member: Member) -> None:
        self.change_flags(member, self.chance.choice(["+", "-", ""]), self.some_flags())

    def mark(self, member: Member) -> None:
        self.change_flags(member, "+", frozenset(["\\Deleted"]))

    def change_flags(self, member: Member, sign: str, named: frozenset[str]) -> None:
        prefix, which, targets = self.some(member)
        if not targets:
            return
        truth = self.boxes[member.box].messages
        silent = self.chance.random() < 0.4
        since = ""
        refused: list[int] = []
        if member.condstore and member.modseqs and self.chance.random() < 0.4:
            least = self.chance.choice(sorted(member.modseqs.values()))
            since = f" (UNCHANGEDSINCE {least})"
            refused = [u for u in targets if u in truth and truth[u].modseq > least]
        apply = {
            "+": lambda flags: flags | named,
            "-": lambda flags: flags - named,
            "": lambda flags: named,
        }[sign]
        done = [uid for uid in targets if uid in truth and uid not in refused]
        self.change(member, done, apply)
        if silent:  # the client knows what it did, to what it knew
            for uid in done:
                if uid in member.flags:
                    member.flags[uid] = apply(member.flags[uid])
                    member.modseqs.pop(uid, None)
        named_flags = " ".join(sorted(named))
        how = f"{sign}FLAGS{'.SILENT' if silent else ''}"
        answer = self.ask(member, f"{prefix}STORE {which}{since} {how} ({named_flags})")
        if refused:
            self.check(b"[MODIFIED " in answer, answer, refused)
            told = numbers(answer.split()[2].rstrip(b"]"))
            if not prefix:
                told = [member.uids[number - 1] for number in told]
            self.check(sorted(told) == sorted(refused), told, refused)
        else:
            self.check(b"MODIFIED" not in answer, answer)

    def expunge(self, member: Member) -> None:
        if member.read_only:
            return
        box = self.boxes[member.box]
        box.remove(box.deleted())
        self.ask(member, "EXPUNGE")

    def uid_expunge(self, member: Member) -> None:
        _, which, targets = self.some(member, uid=True)
        box = self.boxes[member.box]
        if targets:
            box.remove([uid for uid in box.deleted() if uid in targets])
            self.ask(member, f"UID EXPUNGE {which}")

    def copy(self, member: Member) -> None:
        self.transfer(member, "COPY")

    def move(self, member: Member) -> None:
        if not member.read_only:
            self.transfer(member, "MOVE")

    def transfer(self, member: Member, verb: str) -> None:
        prefix, which, targets = self.some(member)
        if not targets:
            return
        name = self.chance.choice(BOXES)
        source, target = self.boxes[member.box], self.boxes[name]
        there = [uid for uid in targets if uid in source.messages]
        pairs = [(source.messages[u].subject, source.messages[u].flags) for u in there]
        made = [target.add(*pair) for pair in pairs]
        if verb == "MOVE":
            source.remove(there)
        lines: list[bytes] = []
        hear = member.hear

        def heard(line: bytes, command: str = "") -> None:
            lines.append(line)
            hear(line, command)

        self.said[-1] += f"{prefix}{verb} {which} {name}"
        *untagged, answer = member.client.ask(f"{prefix}{verb} {which} {name}".encode())
        for line in untagged:
            heard(line, verb)
        code = next((one for one in (*lines, answer) if b"[COPYUID " in one), None)
        if not there:
            self.check(code is None, code)
            return
        self.check(code is not None, answer)
        words = code[code.index(b"[COPYUID ") :].rstrip(b"]").split()
        told = numbers(words[2]), numbers(words[3].rstrip(b"]"))
        self.check(told == (there, made), told, there, made)

    # -- words ----------------------------------------------------------------------

    def some_flags(self) -> frozenset[str]:
        return frozenset(self.chance.sample(FLAGS, self.chance.randint(0, 2)))

    def some(self, member: Member, *, uid: bool = False) -> tuple[str, str, list[int]]:
        """("UID " or "", a set, its UIDs in order): messages that the client knows."""
        known = member.known()
        if not known:
            return "", "", []
        hot = [one for one in known if one[1] in self.boxes[member.box].hot]
        if hot and self.chance.random() < 0.6:
            known = hot  # what another changed a moment ago
        count = self.chance.randint(1, min(4, len(known)))
        picked = sorted(self.chance.sample(known, count))
        uids = [one for _, one in picked]
        if uid or self.chance.random() < 0.5:
            return "UID ", ",".join(map(str, uids)), uids
        return "", ",".join(str(number) for number, _ in picked), uids

    def change(
        self,
        member: Member,
        uids: list[int],
        apply: Callable[[frozenset[str]], frozenset[str]],
    ) -> None:
        box = self.boxes[member.box]
        for uid in uids:
            box.flags(uid, apply(box.messages[uid].flags))

    # -- what must be true ----------------------------------------------------------

    def check_fetched(self, member: Member) -> None:
        """What FETCH responses say is true now."""
        if member.box is None:
            return
        truth = self.boxes[member.box].messages
        for told in member.fetched:
            if told.uid is None or told.uid not in truth:
                continue  # another expunged it, which may not be told yet
            message = truth[told.uid]
            if told.flags is not None:
                self.check(told.flags == message.flags, told, message)
            if told.subject is not None:
                self.check(told.subject == message.subject, told, message)

    def up_to_date(self, member: Member) -> None:
        """After a NOOP: all that the client knows is so, and it knows of each."""
        if member.box is None:
            return
        truth = self.boxes[member.box].messages
        self.check(len(member.uids) == len(truth), "count", member.uids, list(truth))
        for known, uid in zip(member.uids, truth, strict=True):
            self.check(known in (None, uid), "numbers", member.uids, list(truth))
        for uid, flags in member.flags.items():
            if uid in member.uids:
                self.check(flags == truth[uid].flags, "flags", uid, flags, truth[uid])
        if member.condstore:
            for uid, modseq in member.modseqs.items():
                if truth[uid].modseq and uid not in self.boxes[member.box].touched:
                    self.check(modseq == truth[uid].modseq, "MODSEQ", uid, modseq)

    def look(self) -> None:
        """The observer's look after a step; idle members know what it did."""
        for name, box in self.boxes.items():
            observer = self.observers[name]
            observer.ask("NOOP")
            observer.ask("UID FETCH 1:* (FLAGS MODSEQ)")
            seen = {told.uid: told for told in observer.fetched if told.modseq}
            self.check(list(seen) == list(box.messages), name, list(seen), box)
            highest = box.highest
            for uid, message in box.messages.items():
                told = seen[uid]
                self.check(told.flags == message.flags, name, told, message)
                if uid in box.touched:
                    self.check(told.modseq > box.highest, name, "MODSEQ", told, box)
                else:
                    self.check(told.modseq == message.modseq, name, told, message)
                message.modseq = told.modseq
                highest = max(highest, told.modseq)
            box.hot = box.touched or box.hot
            box.highest, box.touched = highest, set()
        for member in self.members:
            if member.idle:
                self.told_in_idle(member)

    def told_in_idle(self, member: Member) -> None:
        for line in member.client.heard(lambda: self.is_up_to_date(member)):
            member.hear(line)
        self.up_to_date(member)

    def is_up_to_date(self, member: Member) -> bool:
        try:
            self.up_to_date(member)
        except Wrong:
            return False
        return True
