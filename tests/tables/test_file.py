"""Text files and SQLite databases as tables, with real files and threads."""

import os
import sqlite3
from pathlib import Path

from attrs import evolve
from twisted.internet import defer, reactor
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface.verify import verifyObject

from mailtwist.config.model import Config
from mailtwist.config.routing import TABLE_KINDS, Alias, Table
from mailtwist.errors import ConfigError, LookupFailed
from mailtwist.interfaces import ITable
from mailtwist.tables import file as file_tables
from mailtwist.tables.asked import AskedTable, SourceDown
from mailtwist.tables.build import HELD, KINDS, Tables, kind_lines, mistakes, text_files


class Furniture:
    """A folder with a file in it, and a table of it."""

    def setUp(self):
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.path = self.folder / "table"
        self.tables = None

    async def tearDown(self):
        if self.tables is not None:
            await self.tables.close()

    def table(self, kind="file", text=None, **options):
        if text is not None:
            self.write(text)
        table = Table(name="t", kind=kind, source=str(self.path), **options)
        self.tables = Tables(reactor, Config(table=(table,)))
        made = self.tables.by_name["t"]
        verifyObject(ITable, made)
        return made

    def write(self, text, old=True):
        self.path.write_text(text)
        if old:  # as if it had been written a while ago
            seen = self.path.stat()
            written_ns = seen.st_mtime_ns - 10**9
            os.utime(self.path, ns=(written_ns, written_ns))

    def later(self, table):
        """As if the next look at the file was due."""
        table._file._looked_at = float("-inf")


class FileTests(Furniture, TestCase):
    async def test_each_kind_of_file(self):
        for kind, text, key, value in [
            ("file", "ann@example.test x", "ANN@example.test", "x"),
            ("aliases", "ann: x, y", "ann", "x, y"),
            ("regexp", "/^a(.*)@/ b$1", "ann@example.test", "bnn"),
        ]:
            table = self.table(kind, text)
            self.assertEqual(await table.find(key), value, kind)
            self.assertIsNone(await table.find("bob@example.test"), kind)
            self.assertEqual(table.whole_keys, kind == "regexp")
            await self.tables.close()

    async def test_a_change_counts_without_a_rebuild(self):
        table = self.table(text="ann one")
        self.assertEqual(await table.find("ann"), "one")
        for text, value in [("ann two", "two"), ("bob x", None), ("ann six", "six")]:
            self.write(text)
            os.utime(self.path)  # now
            self.later(table)
            self.assertEqual(await table.find("ann"), value)

    async def test_a_file_that_was_replaced_is_seen(self):
        table = self.table(text="ann one")
        await table.find("ann")
        other = self.folder / "other"
        other.write_text("ann two")
        seen = self.path.stat()
        os.utime(other, ns=(seen.st_atime_ns, seen.st_mtime_ns))
        other.rename(self.path)
        self.later(table)
        self.assertEqual(await table.find("ann"), "two")

    async def test_a_file_just_written_is_looked_at_again(self):
        table = self.table()
        self.write("ann one", old=False)
        self.assertEqual(await table.find("ann"), "one")
        seen = self.path.stat()
        self.path.write_text("ann two")  # the same length, and the same time:
        os.utime(self.path, ns=(seen.st_atime_ns, seen.st_mtime_ns))
        self.later(table)
        self.assertEqual(await table.find("ann"), "two")

    async def test_an_unchanged_file_is_not_read_again(self):
        table = self.table(text="ann one")
        await table.find("ann")
        self.path.chmod(0o000)
        self.patch(file_tables, "read", lambda path: self.fail("read again"))
        self.later(table)
        self.assertEqual(await table.find("ann"), "one")

    async def test_what_cannot_be_read_is_never_unknown(self):
        for why in ("missing", "a folder", "written by everybody"):
            table = self.table()
            if why == "a folder":
                self.path.mkdir()
            elif why == "written by everybody":
                self.path.rmdir()
                self.write("ann x")
                self.path.chmod(0o666)
            with self.assertRaises(LookupFailed):
                await table.find("ann")
            await self.tables.close()

    async def test_a_file_that_comes_back_is_read_at_the_next_look(self):
        table = self.table()
        events = []
        globalLogPublisher.addObserver(events.append)
        self.addCleanup(globalLogPublisher.removeObserver, events.append)
        for _ in range(3):
            self.later(table)
            with self.assertRaises(LookupFailed):
                await table.find("ann")
        self.write("ann x")
        with self.assertRaises(LookupFailed):
            await table.find("ann")
        self.later(table)
        self.assertEqual(await table.find("ann"), "x")
        told = [e["log_format"] for e in events if e["log_level"].name != "debug"]
        self.assertEqual(
            [text for text in told if "{path}" in text],
            ["{path} cannot be read: {why}", "{path} can be read again"],
        )

    async def test_a_bad_line_leaves_the_others_and_makes_misses_temporary(self):
        table = self.table(text="ann x\nbroken\n")
        self.assertEqual(await table.find("ann"), "x")
        with self.assertRaises(LookupFailed):
            await table.find("bob")
        self.assertEqual(
            list(mistakes(str(self.path), HELD["file"])),
            [(True, f'{self.path}:2: expected "key value"')],
        )

    async def test_many_askers_share_one_reading(self):
        table = self.table(text="\n".join(f"user{n} x{n}" for n in range(5000)))
        asked = [
            defer.Deferred.fromCoroutine(table.find(f"user{n}")) for n in range(10)
        ]
        asked[3].cancel()
        with self.assertRaises(defer.CancelledError):
            await asked[3]
        self.assertEqual(
            [await one for one in asked[4:]], [f"x{n}" for n in range(4, 10)]
        )

    async def test_after_close_look_ups_fail_for_now(self):
        table = self.table(text="ann x")
        await self.tables.close()
        with self.assertRaises(LookupFailed):
            await table.find("ann")


class SqliteTests(Furniture, TestCase):
    def database(self, path=None):
        connection = sqlite3.connect(path or self.path)
        connection.execute("CREATE TABLE alias (name TEXT, goto TEXT)")
        connection.executemany(
            "INSERT INTO alias VALUES (?, ?)",
            [("ann@example.test", "x"), ("two", "a"), ("two", "b"), ("nul", None)],
        )
        connection.commit()
        connection.close()

    def sqlite(self, query="SELECT goto FROM alias WHERE name='%s'", **options):
        return self.table("sqlite", query=query, cache_s=0.0, unknown_cache_s=0.0)

    async def test_keys_are_bound(self):
        self.database()
        table = self.sqlite()
        for key, value in [
            ("ann@example.test", "x"),
            ("two", "a,b"),
            ("nul", None),
            ("nobody", None),
            ("' OR '1'='1", None),
            ("x'; DROP TABLE alias; --", None),
            ("%", None),
        ]:
            self.assertEqual(await table.find(key), value, key)
        self.assertEqual(await table.find("two"), "a,b")

    async def test_a_database_that_is_missing_or_broken_is_never_unknown(self):
        table = self.sqlite()
        with self.assertRaises(LookupFailed):
            await table.find("ann@example.test")
        self.assertFalse(self.path.exists())  # nothing was made by looking
        self.path.write_bytes(b"no database" * 100)
        with self.assertRaises(LookupFailed):
            await table.find("ann@example.test")
        self.path.unlink()
        self.database()
        self.assertEqual(await table.find("ann@example.test"), "x")

    async def test_another_database_in_its_place_is_opened(self):
        self.database()
        table = self.sqlite()
        await table.find("two")
        other = self.folder / "other"
        self.database(other)
        connection = sqlite3.connect(other)
        connection.execute("UPDATE alias SET goto = 'new'")
        connection.commit()
        connection.close()
        other.rename(self.path)
        self.assertEqual(await table.find("ann@example.test"), "new")

    async def test_it_is_opened_for_reading_only(self):
        self.database()
        table = self.sqlite("DELETE FROM alias WHERE name='%s' RETURNING goto")
        with self.assertRaises(LookupFailed):
            await table.find("ann@example.test")


class Pool:
    """Runs at once."""

    def run(self, work, *arguments):
        return defer.maybeDeferred(work, *arguments)


class AskedTests(SynchronousTestCase):
    def setUp(self):
        self.clock, self.asked, self.values = Clock(), [], {"ann": "x"}
        config = Table(name="t", kind="sqlite", source="x", query="%s")
        config = evolve(config, cache_s=30.0, unknown_cache_s=5.0)
        self.table = AskedTable(self.clock, config, Pool(), lambda: self.ask)

    def ask(self, key):
        self.asked.append(key)
        value = self.values.get(key)
        if isinstance(value, Exception):
            raise value
        return value

    def find(self, key):
        return defer.Deferred.fromCoroutine(self.table.find(key))

    def test_answers_are_kept_for_a_while(self):
        for after_s, key, asked, why in [
            (0, "ann", 1, "the first time"),
            (29, "ANN", 1, "still kept"),
            (2, "ann", 2, "too old"),
            (0, "bob", 3, "unknown"),
            (4, "bob", 3, "that is kept too"),
            (2, "bob", 4, "for a shorter time"),
        ]:
            self.clock.advance(after_s)
            found = self.successResultOf(self.find(key))
            self.assertEqual(found, "x" if key.lower() == "ann" else None)
            self.assertEqual(len(self.asked), asked, why)

    def test_a_fault_is_not_kept(self):
        self.values["ann"] = SourceDown("gone")
        self.failureResultOf(self.find("ann"), LookupFailed)
        self.failureResultOf(self.find("ann"), LookupFailed)
        self.values["ann"] = "y"
        self.assertEqual(self.successResultOf(self.find("ann")), "y")

    def test_a_mistake_of_ours_is_temporary_and_logged(self):
        self.values["ann"] = ZeroDivisionError()
        self.failureResultOf(self.find("ann"), LookupFailed)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class BuildTests(SynchronousTestCase):
    def test_every_kind_is_told(self):
        self.assertEqual(tuple(KINDS), TABLE_KINDS)
        self.assertEqual(len(list(kind_lines())), len(TABLE_KINDS))

    def test_what_cannot_be_used_is_told_at_once(self):
        secret = Path(self.mktemp()).absolute()
        secret.write_text('host = "x"')
        secret.chmod(0o600)
        readable = Path(self.mktemp()).absolute()
        readable.write_text('user = "x"\ndatabase = "x"')
        readable.chmod(0o644)
        for options, told in [
            ({"kind": "inline", "entries": ("one",)}, "'one' is not allowed"),
            ({"kind": "sqlite", "source": "/x", "query": "SELECT 1"}, "has no %s"),
            ({"kind": "sqlite", "source": "/x", "query": "SELECT %x"}, "%x is no code"),
            ({"kind": "mysql", "source": "/nowhere"}, "cannot be read"),
            ({"kind": "mysql", "source": str(secret)}, "user is missing"),
            ({"kind": "mysql", "source": str(readable)}, "chmod 600"),
            ({"kind": "ldap", "source": str(secret)}, "servers is missing"),
        ]:
            config = Config(table=(Table(name="t", **options),))
            fault = self.assertRaises(ConfigError, Tables, Clock(), config)
            self.assertIn(told, str(fault))

    def test_files_of_aliases_are_tables(self):
        tables = Tables(Clock(), Config(alias=Alias(files=("/etc/a", "/etc/b"))))
        self.assertEqual([one.name for one in tables.alias_files], ["/etc/a", "/etc/b"])
        files = list(text_files(Config(alias=Alias(files=("/etc/a",)))))
        self.assertEqual(files, [("/etc/a", HELD["aliases"])])
