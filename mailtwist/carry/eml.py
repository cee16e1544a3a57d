"""A folder tree with a file for each message, as mail programs save and drag them.

INBOX is the folder `INBOX`, and so are files that lie in the tree's root.  A part of a
mailbox name is a folder's name, with `%XX` for what no file name may have.  The time
stamp of a file is the message's internal date, and its flags are in `mailtwist-flags`
beside it.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import time
from collections.abc import Iterator, Sequence
from urllib.parse import unquote

from ..errors import MailError
from ..flags import Flags
from ..mailbox.model import INBOX, Path
from ..store.maildir import content, durable
from .beside import Beside
from .drafts import Drafts
from .files import FileEnd
from .maildir import folder_order, plain_file
from .model import Folder, Item, Letter, Listed

SUFFIX = ".eml"
MOST_NAME = 255  # octets of a file's name
MOST_DEPTH = 64

_ESCAPED = re.compile(r"[%/\x00-\x1f\x7f]|\A\.")


class EmlEnd(FileEnd):
    """Keys are file names within the tree."""

    def folders(self) -> list[Folder]:
        paths = {path for path, _ in self._walk()}
        return [Folder(path) for path in sorted(paths, key=folder_order)]

    def _walk(self) -> Iterator[tuple[Path, str]]:
        """(mailbox, folder within the tree) of every folder."""
        if not os.path.isdir(self.path):
            return
        yield INBOX, ""
        waiting: list[tuple[Path, str]] = [((), "")]
        while waiting:
            path, folder = waiting.pop()
            with os.scandir(os.path.join(self.path, folder)) as entries:
                names = sorted(
                    entry.name
                    for entry in entries
                    if entry.name[0] != "." and entry.is_dir(follow_symlinks=False)
                )
            for name in names:
                below = (*path, unquote(name, errors="surrogateescape"))
                if len(below) == 1 and below[0].upper() == "INBOX":
                    below = INBOX
                place = os.path.join(folder, name)
                if len(below) < MOST_DEPTH:
                    waiting.append((below, place))
                yield below, place

    def make(self, folder: Folder) -> None:
        durable.make_directories([self._folder(folder.path)])

    def _folder(self, path: Path) -> str:
        return os.path.join(self.path, *map(file_name, path))

    # -- what is there --------------------------------------------------------

    def listed(self, path: Path) -> Listed:
        items = []
        for place in [folder for one, folder in self._walk() if one == path]:
            beside = Beside(os.path.join(self.path, place))
            for name in self._files(place):
                try:
                    seen = os.lstat(os.path.join(self.path, place, name))
                except FileNotFoundError:
                    continue
                if stat.S_ISREG(seen.st_mode):
                    key, date = os.path.join(place, name), int(seen.st_mtime)
                    items.append(Item(key, beside.flags(name), date))
        items.sort(key=lambda item: (item.internal_date, item.key))
        return Listed("", items)

    def _files(self, place: str) -> list[str]:
        names = os.listdir(os.path.join(self.path, place))
        return [n for n in names if n[0] != "." and n.lower().endswith(SUFFIX)]

    def read(self, path: Path, keys: Sequence[str]) -> list[bytes | None]:
        found = [plain_file(os.path.join(self.path, key)) for key in keys]
        return [None if one is None else content.with_crlf(one) for one in found]

    # -- what changes ---------------------------------------------------------

    def add(self, path: Path, letters: Sequence[Letter]) -> list[str]:
        folder = self._folder(path)
        durable.make_directories([folder])
        made: list[tuple[str, str]] = []
        with Drafts() as drafts:
            for letter in letters:
                draft = f"{folder}/.mailtwist-{os.urandom(8).hex()}"
                drafts.write(draft, letter.octets, letter.internal_date)
                made.append((draft, self._name(folder, letter, made)))
            drafts.sync()
            pairs = zip(made, letters, strict=True)
            Beside(folder).put([(name, letter.flags) for (_, name), letter in pairs])
            for draft, name in made:
                os.rename(draft, f"{folder}/{name}")
        durable.sync_directory(folder)
        return [os.path.relpath(f"{folder}/{name}", self.path) for _, name in made]

    @staticmethod
    def _name(folder: str, letter: Letter, made: Sequence[tuple[str, str]]) -> str:
        day = time.strftime("%Y%m%d-%H%M%S", time.gmtime(letter.internal_date))
        first = f"{day}-{hashlib.sha256(letter.octets).hexdigest()[:12]}"
        taken = {name for _, name in made}
        name, number = first + SUFFIX, 1
        while name in taken or os.path.lexists(f"{folder}/{name}"):
            number += 1
            name = f"{first}-{number}{SUFFIX}"
        return name

    def set_flags(self, path: Path, changes: Sequence[tuple[str, Flags]]) -> None:
        by_folder: dict[str, list[tuple[str, Flags]]] = {}
        for key, flags in changes:
            place, name = os.path.split(key)
            by_folder.setdefault(place, []).append((name, flags))
        for place, some in by_folder.items():
            Beside(os.path.join(self.path, place)).put(some, self._files(place))

    def remove(self, path: Path, keys: Sequence[str]) -> None:
        for key in keys:
            os.unlink(os.path.join(self.path, key))
        for place in {os.path.dirname(key) for key in keys}:
            Beside(os.path.join(self.path, place)).put([], self._files(place))
            durable.sync_directory(os.path.join(self.path, place))


def file_name(part: str) -> str:
    """A part of a mailbox name as a file name; raises MailError."""
    name = _ESCAPED.sub(lambda found: f"%{ord(found[0]):02X}", part)
    if len(os.fsencode(name)) > MOST_NAME:
        raise MailError("The name of a folder is too long for the file system")
    return name
