"""A full-text index of one account's messages: deletable at any time.

`search.sqlite` holds trigrams of normalized text in FTS5 tables without positions (half
the size of the text, a fifth of what positions take), so they tell which messages *may*
have a string, and the text itself in blocks (`text_blocks`), which tell which have it.
A string that many messages may have is looked for in all blocks at once.
What commands made of attachments is kept too, as nothing else has it.

A table without its text cannot take a message out.  So there are generations of
tables: what was expunged stays in its generation until that holds more dead than half
its messages; then the generation is dropped and what lives of it is indexed anew.

Several objects, in several processes, may use one file (`derived`).
"""

from __future__ import annotations

import os
import sqlite3
import zlib
from collections.abc import Iterable, Sequence

from ..mailbox.model import TextFigures, TextHits, TextPlace
from ..mailbox.search_index import LEAST
from ..mailbox.search_needle import Needle
from ..mailbox.search_text import MessageText
from . import sqlite, text_blocks
from .derived import DerivedFile

VERSION = 3  # of the texts and tables; what another version wrote is dropped
FULL = 16_384  # messages of a generation
FEW_DEAD = 64  # messages for which no generation is dropped
MOST_TRIGRAMS = 32  # of a needle that are asked for
COMMON = 16  # one in so many messages may have it: reading all blocks is quicker
PAGE_OCTETS = 8192

# Without positions and sizes, and the letters as they come: `normal` made them.
_FTS = (
    "CREATE VIRTUAL TABLE {name} USING fts5(text, content='', detail=none,"
    " columnsize=0, tokenize='trigram case_sensitive 1')"
)
_PLACES = {
    TextPlace.HEADER: ("headers",),
    TextPlace.BODY: ("bodies",),
    TextPlace.TEXT: ("headers", "bodies"),
    TextPlace.EXTRACT: ("extracts",),
}
_FIELDS: dict[TextPlace, tuple[str, ...]] = {  # of MessageText; that answer exactly
    TextPlace.BODY: ("body",),
    TextPlace.TEXT: ("header", "body"),
}
_TABLES = ("headers", "bodies", "extracts")  # of a generation


class TextIndex(DerivedFile):
    """`search.sqlite` of one account."""

    version = VERSION
    layout = (f"page_size={PAGE_OCTETS}", "auto_vacuum=INCREMENTAL")
    synchronous = "NORMAL"

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._inode = 0
        self._numbers: dict[str, int] = {}  # of mailboxes
        self._covered: dict[int, list[int]] = {}  # ... ranges of UIDs
        self._version = -1  # of the data that `_covered` was read from

    def forget_read(self) -> None:
        self._numbers.clear()
        self._covered.clear()

    # -- what is asked --------------------------------------------------------

    def hits(self, mailbox: str, needle: str, place: TextPlace) -> TextHits | None:
        """See IIndexedMailbox; None if there is no index, or none that works."""
        if not os.path.exists(self.path):
            return None
        return self.guarded(lambda db: self._hits(db, mailbox, needle, place), None)

    def covered(self, mailbox: str) -> list[int]:
        """The UIDs that were put in, whole or in part: low, high, low, high..."""

        def covered(db: sqlite3.Connection) -> list[int]:
            self._refresh(db)
            number = self._number(db, mailbox)
            return [] if number is None else _ranges(db, number, whole=False)

        return self.guarded(covered, [])

    def mailboxes(self) -> list[str]:
        """Those with messages here."""
        select = "SELECT name FROM mailboxes"
        return self.guarded(lambda db: [one for (one,) in db.execute(select)], [])

    def extracts(self, mailbox: str, uids: Sequence[int]) -> list[str | None]:
        """See IIndexedMailbox.text_extracts."""

        def extracts(db: sqlite3.Connection) -> list[str | None]:
            self._refresh(db)
            number = self._number(db, mailbox)
            if number is None:
                return nothing
            return [_extract(db, (number << 32) + uid) for uid in uids]

        nothing: list[str | None] = [None] * len(uids)
        if not os.path.exists(self.path):
            return nothing
        return self.guarded(extracts, nothing)

    def figures(self) -> TextFigures:
        def figures(db: sqlite3.Connection) -> TextFigures:
            live, names, held = db.execute(
                "SELECT (SELECT count(*) FROM documents),"
                " (SELECT count(*) FROM mailboxes),"
                " (SELECT coalesce(sum(documents), 0) FROM generations)"
            ).fetchone()
            return TextFigures(names, live, 0, held - live, self.octets())

        return self.guarded(figures, TextFigures())

    def octets(self) -> int:
        try:
            return os.path.getsize(self.path)
        except FileNotFoundError:
            return 0

    def lacking(self, mailbox: str, texts: Sequence[MessageText]) -> list[int]:
        """UIDs of those that are here as whole messages, but not with their text or
        not found by some of their trigrams."""

        def lacking(db: sqlite3.Connection) -> list[int]:
            self._refresh(db)
            number = self._number(db, mailbox)
            first = 0 if number is None else number << 32
            return [one.uid for one in texts if not _finds(db, first + one.uid, one)]

        return self.guarded(lacking, [one.uid for one in texts])

    # -- what changes it ------------------------------------------------------

    def put(self, mailbox: str, texts: Sequence[MessageText]) -> bool:
        """Index messages in one transaction; True if that was possible."""

        def put(db: sqlite3.Connection) -> bool:
            number = self._new_number(db, mailbox)
            first = number << 32
            generation = _generation(db)
            fresh = [one for one in texts if _add(db, first, generation, one)]
            text_blocks.put(db, number, generation, fresh)
            for table in _TABLES:
                rows = [(first + one.uid, _encodable(one, table)) for one in fresh]
                db.executemany(
                    f"INSERT INTO {table}_{generation} (rowid, text)"  # noqa: S608
                    " VALUES (?, ?)",
                    [row for row in rows if row[1] or table != "extracts"],
                )
            db.executemany(
                "INSERT INTO extracted (key, text) VALUES (?, ?)",
                [
                    (
                        first + one.uid,
                        zlib.compress(_encodable(one, "extracts").encode()),
                    )
                    for one in fresh
                    if one.extract
                ],
            )
            db.execute(
                "UPDATE generations SET documents = documents + ? WHERE number = ?",
                (len(fresh), generation),
            )
            return True

        done = self.guarded(lambda db: sqlite.whole(db, put), False)
        self.forget_read()
        return done

    def forget(self, mailbox: str, uids: Iterable[int] | None = None) -> None:
        """Messages, or the whole mailbox, are gone; what is half dead is dropped."""
        gone = None if uids is None else set(uids)

        def forget(db: sqlite3.Connection) -> None:
            self._refresh(db)
            number = self._number(db, mailbox)
            if number is None:
                return
            first = number << 32
            if gone is None:
                db.execute(
                    "DELETE FROM documents WHERE key BETWEEN ? AND ?",
                    (first, first + 0xFFFF_FFFF),
                )
                db.execute("DELETE FROM mailboxes WHERE number = ?", (number,))
                text_blocks.forget_mailbox(db, number)
            else:
                db.executemany(
                    "DELETE FROM documents WHERE key = ?",
                    [(first + uid,) for uid in gone],
                )
                text_blocks.forget(db, number, gone)
            _drop_dead(db)

        def run(db: sqlite3.Connection) -> None:
            sqlite.whole(db, forget)
            db.executescript("PRAGMA incremental_vacuum")  # `execute` frees one page

        if os.path.exists(self.path):
            self.guarded(run, None)
            self.forget_read()

    def clear(self) -> None:
        """Forget everything, to begin anew."""

        def clear(db: sqlite3.Connection) -> None:
            sqlite.whole(db, self.make_anew)
            db.executescript("PRAGMA incremental_vacuum")  # `execute` frees one page

        self.guarded(clear, None)
        self.forget_read()

    # -- how ------------------------------------------------------------------

    def _hits(
        self, db: sqlite3.Connection, mailbox: str, needle: str, place: TextPlace
    ) -> TextHits | None:
        db.execute("BEGIN")  # all of one moment
        try:
            self._refresh(db)
            number = self._number(db, mailbox)
            if number is None:
                return TextHits([], [])
            covered = self._covered.get(number)
            if covered is None:
                covered = self._covered[number] = _ranges(db, number, whole=True)
            if place in _FIELDS:
                uids = _having(db, number, needle, place)
            else:
                uids = sorted(_matching(db, number << 32, needle, place) or ())
        finally:
            if db.in_transaction:
                db.execute("COMMIT")
        return TextHits(uids, covered)

    def _refresh(self, db: sqlite3.Connection) -> None:
        """Forget what was read before somebody changed the file."""
        version = db.execute("PRAGMA data_version").fetchone()[0]
        if version != self._version:
            self.forget_read()
            self._version = version

    def _number(self, db: sqlite3.Connection, mailbox: str) -> int | None:
        number = self._numbers.get(mailbox)
        if number is None:
            found = db.execute(
                "SELECT number FROM mailboxes WHERE name = ?", (mailbox,)
            ).fetchone()
            if found is None:
                return None
            number = self._numbers[mailbox] = int(found[0])
        return number

    def _new_number(self, db: sqlite3.Connection, mailbox: str) -> int:
        db.execute("INSERT OR IGNORE INTO mailboxes (name) VALUES (?)", (mailbox,))
        self._numbers.pop(mailbox, None)
        number = self._number(db, mailbox)
        if number is None:
            raise sqlite3.DatabaseError("a row that was put in is not there")
        return number

    def database(self) -> sqlite3.Connection:
        """The file that is there now: another process may have removed it."""
        if self.is_open:
            try:
                if os.stat(self.path).st_ino == self._inode:
                    return super().database()
            except FileNotFoundError:
                pass
            self.close()
        opened = super().database()
        self._inode = os.stat(self.path).st_ino
        return opened

    def make(self, db: sqlite3.Connection) -> None:
        for statement in (
            "CREATE TABLE mailboxes (number INTEGER PRIMARY KEY AUTOINCREMENT,"
            " name TEXT UNIQUE NOT NULL)",
            # AUTOINCREMENT: what a dropped one held must not show up in its successor.
            "CREATE TABLE generations (number INTEGER PRIMARY KEY AUTOINCREMENT,"
            " documents INTEGER NOT NULL)",
            "CREATE TABLE documents (key INTEGER PRIMARY KEY,"
            " generation INTEGER NOT NULL, whole INTEGER NOT NULL)",
            "CREATE INDEX documents_of ON documents (generation)",
            *text_blocks.MAKE,
            "CREATE TABLE extracted (key INTEGER PRIMARY KEY, text BLOB NOT NULL)",
            "CREATE TRIGGER forget_extracted AFTER DELETE ON documents"
            " BEGIN DELETE FROM extracted WHERE key = old.key; END",
        ):
            db.execute(statement)


def trigrams(needle: str) -> list[str]:
    """Those to ask for: all, or of a long needle some from everywhere in it."""
    found = list(dict.fromkeys(needle[at : at + 3] for at in range(len(needle) - 2)))
    if len(found) > MOST_TRIGRAMS:
        step = len(found) / MOST_TRIGRAMS
        found = [found[int(at * step)] for at in range(MOST_TRIGRAMS)]
    return found


def _having(
    db: sqlite3.Connection, mailbox: int, needle: str, place: TextPlace
) -> list[int]:
    """UIDs, ascending, of those that have the needle."""
    fields = _FIELDS[place]
    if not Needle(needle).plain:  # as `search_body.in_shown`
        fields += ("shown",)
    among: set[int] | None = None
    if len(needle) >= LEAST:
        among = _matching(db, mailbox << 32, needle, place, one_in=COMMON)
        if among is not None and not among:
            return []
    return sorted(text_blocks.having(db, mailbox, fields, needle, among))


def _matching(
    db: sqlite3.Connection,
    first: int,
    needle: str,
    place: TextPlace,
    one_in: int | None = None,
) -> set[int] | None:
    """UIDs of those that may have the needle, and of messages that are gone; None if
    it is more than one in so many messages of a generation."""
    words = " AND ".join('"' + one.replace('"', '""') + '"' for one in trigrams(needle))
    generations = db.execute("SELECT number, documents FROM generations").fetchall()
    found: set[int] = set()
    for number, documents in generations:
        most = -1 if one_in is None else documents // one_in + 1
        for table in _PLACES[place]:
            name = f"{table}_{number}"
            rows = db.execute(
                f"SELECT rowid - ? FROM {name} WHERE {name} MATCH ?"  # noqa: S608
                " AND rowid BETWEEN ? AND ? LIMIT ?",
                (first, words, first, first + 0xFFFF_FFFF, most),
            ).fetchall()
            if len(rows) == most:
                return None
            found.update(uid for (uid,) in rows)
    return found


def _finds(db: sqlite3.Connection, key: int, one: MessageText) -> bool:
    """True also for one that is not here, or not wholly."""
    row = db.execute(
        "SELECT generation FROM documents WHERE key = ? AND whole", (key,)
    ).fetchone()
    if row is None:
        return True
    if not text_blocks.holds(db, key >> 32, one):
        return False
    for table in ("headers", "bodies"):
        name, text = f"{table}_{row[0]}", _encodable(one, table)
        words = [text[at : at + 3] for at in (0, len(text) // 2, max(0, len(text) - 3))]
        whole = [word for word in words if len(word) == 3 and "\0" not in word]
        if not whole:
            continue
        asked = " AND ".join('"' + word.replace('"', '""') + '"' for word in whole)
        found = db.execute(
            f"SELECT 1 FROM {name} WHERE {name} MATCH ? AND rowid = ?",  # noqa: S608
            (asked, key),
        ).fetchone()
        if found is None:
            return False
    return True


def _extract(db: sqlite3.Connection, key: int) -> str | None:
    row = db.execute("SELECT text FROM extracted WHERE key = ?", (key,)).fetchone()
    if row is None:
        return None
    try:
        return zlib.decompress(row[0]).decode()
    except (zlib.error, ValueError) as fault:
        raise sqlite3.DatabaseError(f"an extract is damaged: {fault}") from fault


def _ranges(db: sqlite3.Connection, number: int, *, whole: bool) -> list[int]:
    first = number << 32
    rows = db.execute(
        "SELECT key - ? FROM documents WHERE key BETWEEN ? AND ? AND whole >= ?"
        " ORDER BY key",
        (first, first, first + 0xFFFF_FFFF, whole),
    )
    ranges: list[int] = []
    last = -1
    for (uid,) in rows.fetchall():
        if uid != last + 1 or not ranges:
            if ranges:
                ranges.append(last)
            ranges.append(uid)
        last = uid
    if ranges:
        ranges.append(last)
    return ranges


def _add(db: sqlite3.Connection, first: int, generation: int, one: MessageText) -> bool:
    """False for a message that is there already."""
    done = db.execute(
        "INSERT OR IGNORE INTO documents (key, generation, whole) VALUES (?, ?, ?)",
        (first + one.uid, generation, one.whole),
    )
    return done.rowcount == 1


def _encodable(one: MessageText, table: str) -> str:
    """SQLite takes UTF-8; a lone surrogate, which some codecs give, is none."""
    texts = {"headers": one.header, "bodies": one.texts, "extracts": one.extract}
    text = texts[table]
    return text.encode("utf-8", "replace").decode("utf-8")


def _generation(db: sqlite3.Connection) -> int:
    """The number of the one that takes messages now."""
    found = db.execute(
        "SELECT number, documents FROM generations ORDER BY number DESC LIMIT 1"
    ).fetchone()
    if found is not None and found[1] < FULL:
        return int(found[0])
    made = db.execute("INSERT INTO generations (documents) VALUES (0)").lastrowid
    for table in _TABLES:
        db.execute(_FTS.format(name=f"{table}_{made}"))
    return int(made or 0)


def _drop_dead(db: sqlite3.Connection) -> None:
    """Drop generations with more dead than half, with the rows of what lives."""
    counted = db.execute(
        "SELECT number, documents, (SELECT count(*) FROM documents"
        " WHERE generation = number) FROM generations"
    ).fetchall()
    for number, documents, live in counted:
        dead = documents - live
        if dead and (not live or (dead > FEW_DEAD and dead * 2 > documents)):
            db.execute("DELETE FROM documents WHERE generation = ?", (number,))
            db.execute("DELETE FROM generations WHERE number = ?", (number,))
            text_blocks.forget_generation(db, number)
            for table in _TABLES:
                db.execute(f"DROP TABLE {table}_{number}")
