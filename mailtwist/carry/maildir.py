"""A Maildir++ of another program, as Dovecot, Courier and this server write them.

Keywords have the letters that `mailtwist-uidlist` and `dovecot-keywords` give them, or
are in Courier's files.  What is new gets a letter in `dovecot-keywords`, as long as
there is one.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence

from attrs import evolve

from ..errors import MailError
from ..flags import FORWARDED, LETTERS, RECENT, SYSTEM, Flags
from ..mailbox.model import INBOX, Path
from ..store.maildir import (
    content,
    courier_acl,
    durable,
    folders,
    predecessors,
    subscriptions,
    uidlist,
)
from ..store.maildir.names import (
    KEYWORD_LETTERS,
    MaildirName,
    UniqueNames,
    flags_of,
    letters_for,
)
from ..store.maildir.scan import by_age
from .beside import Beside
from .drafts import Drafts
from .files import FileEnd
from .lines import for_file
from .model import Folder, Item, Letter, Listed

READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


class MaildirEnd(FileEnd):
    """`path` is made as a target if it is missing."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._names = UniqueNames()
        self._where: dict[Path, dict[str, str]] = {}  # file by key, within the folder

    def folders(self) -> list[Folder]:
        subscribed = subscriptions.found(self.path)
        return [
            Folder(
                path,
                subscribed=path in subscribed,
                rights=courier_acl.rights_in(folder, ""),
            )
            for path, folder in sorted(
                folders.listed(self.path).items(), key=lambda one: folder_order(one[0])
            )
            if path != INBOX or os.path.isdir(f"{self.path}/cur")
        ]

    def make(self, folder: Folder) -> None:
        made = folders.make(self.path, folder.path)
        if uidlist.is_here(made):
            raise MailError(f"{made} belongs to an account of this server")
        if folder.subscribed and folder.path not in subscriptions.found(self.path):
            name = os.path.basename(made).removeprefix(".")
            name = "INBOX" if folder.path == INBOX else name
            subscriptions.add(self.path, name)

    # -- what is there --------------------------------------------------------

    def listed(self, path: Path) -> Listed:
        folder = self._folder(path)
        keywords, beside = _keywords(folder), Beside(folder)
        courier = predecessors.without_letter(folder)
        items, where = {}, {}
        for part, name in self._entries(folder):
            file = f"{part}/{name}"
            try:
                seen = os.lstat(f"{folder}/{file}")
            except FileNotFoundError:
                continue
            if not stat.S_ISREG(seen.st_mode):
                continue
            parts = MaildirName.parse(name)
            key, octets = parts.base, parts.crlf_octets
            if key in where:  # a second file of that name is a message too
                key = name
            where[key] = file
            flags = beside.flags(key) | frozenset(courier.get(key, "").split())
            if part == "cur":
                flags |= flags_of(parts.letters, keywords)
            items[key] = Item(key, flags, int(seen.st_mtime), octets)
        self._where[path] = where
        return Listed("", [items[key] for key in by_age(items)])

    @staticmethod
    def _entries(folder: str) -> Iterator[tuple[str, str]]:
        for part in ("cur", "new"):
            try:
                names = os.listdir(f"{folder}/{part}")
            except FileNotFoundError:
                continue
            yield from ((part, name) for name in names if name[0] != ".")

    def _folder(self, path: Path) -> str:
        found = folders.listed(self.path).get(path)
        if found is None:
            raise MailError(f"There is no folder {'/'.join(path)!a}")
        return found

    def read(self, path: Path, keys: Sequence[str]) -> list[bytes | None]:
        folder = self._folder(path)
        return [self._read(folder, path, key) for key in keys]

    def _read(self, folder: str, path: Path, key: str) -> bytes | None:
        for _ in range(2):
            file = self._where.get(path, {}).get(key)
            octets = None if file is None else plain_file(f"{folder}/{file}")
            if octets is not None:
                return content.with_crlf(octets)
            self.listed(path)  # renamed meanwhile
        return None

    # -- what changes ---------------------------------------------------------

    def add(self, path: Path, letters: Sequence[Letter]) -> list[str]:
        folder = self._folder(path)
        letter_of = self._letters(folder, [letter.flags for letter in letters])
        where = self._where.setdefault(path, {})
        with Drafts() as drafts:
            made = [self._draft(folder, one, letter_of, drafts) for one in letters]
            drafts.sync()
            more = [(base_of(name), extra) for _, name, extra in made if extra]
            if more:
                Beside(folder).put(more)
            for draft, name, _ in made:
                os.rename(draft, f"{folder}/cur/{name}")
                where[base_of(name)] = f"cur/{name}"
        durable.sync_directory(f"{folder}/cur")
        return [base_of(name) for _, name, _ in made]

    def _draft(
        self, folder: str, letter: Letter, letter_of: dict[str, str], drafts: Drafts
    ) -> tuple[str, str, Flags]:
        """(file in tmp/, name that it gets, flags that the name has no place for)."""
        octets = for_file(letter.octets)
        base = self._names.base(len(octets), len(letter.octets))
        path = os.path.join(folder, "tmp", base.partition(",")[0])
        drafts.write(path, octets, letter.internal_date)
        info = letters_for(letter.flags, letter_of)
        return path, f"{base}:2,{info}", over(letter.flags, letter_of)

    def _letters(self, folder: str, wanted: Sequence[Flags]) -> dict[str, str]:
        """Letters by folded keyword, with those that `wanted` adds, durably."""
        held = _keywords(folder)
        letter_of = {name.lower(): letter for letter, name in held.items()}
        fresh = {
            flag
            for flags in set(wanted)
            for flag in flags
            if flag not in _LETTERED and flag.lower() not in letter_of
        }
        free = [letter for letter in KEYWORD_LETTERS if letter not in held]
        added = dict(zip(free, sorted(fresh), strict=False))
        if added:
            predecessors.write_letters(folder, held | added)
            letter_of |= {name.lower(): letter for letter, name in added.items()}
        return letter_of

    def set_flags(self, path: Path, changes: Sequence[tuple[str, Flags]]) -> None:
        folder = self._folder(path)
        there = {item.key: item for item in self.listed(path).items}
        changes = [(key, flags) for key, flags in changes if key in there]
        letter_of = self._letters(folder, [flags for _, flags in changes])
        named = frozenset(_keywords(folder)) | frozenset(LETTERS)
        where = self._where[path]
        Beside(folder).put(
            [(key, over(flags, letter_of)) for key, flags in changes], there
        )
        for key, flags in changes:
            name = MaildirName.parse(os.path.basename(where[key]))
            strange = "".join(one for one in name.letters if one not in named)
            letters = "".join(sorted(letters_for(flags, letter_of) + strange))
            file = f"cur/{evolve(name, letters=letters).format()}"
            os.rename(f"{folder}/{where[key]}", f"{folder}/{file}")
            where[key] = file
        durable.sync_directory(f"{folder}/cur")

    def remove(self, path: Path, keys: Sequence[str]) -> None:
        folder = self._folder(path)
        self.listed(path)
        where = self._where[path]
        for key in keys:
            if key in where:
                os.unlink(f"{folder}/{where.pop(key)}")
        durable.sync_directory(f"{folder}/cur")
        Beside(folder).put([], where)


# Dovecot has no P, so $Forwarded gets a letter beside it if there is one.
_LETTERED = frozenset((*SYSTEM, RECENT))
_NAMED = _LETTERED | {FORWARDED}


def _keywords(folder: str) -> dict[str, str]:
    """By letter."""
    ours = uidlist.read(folder)
    return predecessors.letters(folder) | ({} if ours is None else ours.keywords)


def base_of(name: str) -> str:
    return MaildirName.parse(name).base


def over(flags: Flags, letter_of: dict[str, str]) -> Flags:
    """Keywords that have no letter."""
    return frozenset(
        flag for flag in flags if flag not in _NAMED and flag.lower() not in letter_of
    )


def folder_order(path: Path) -> tuple[bool, Path]:
    return path[:1] != ("INBOX",), path


def plain_file(path: str) -> bytes | None:
    """The octets of a plain file; None if there is none.  Raises OSError."""
    try:
        descriptor = os.open(path, READ)
    except FileNotFoundError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        return file.read()
