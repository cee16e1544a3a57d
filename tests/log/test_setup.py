"""Tests for mailtwist.log.setup."""

import contextlib
import io
import json
import os
import socket
from pathlib import Path

from twisted.logger import Logger, LogLevel
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.config.model import Log
from mailtwist.errors import ConfigError
from mailtwist.log.setup import (
    MOST_WAITING,
    LineObserver,
    as_json,
    for_people,
    observer,
)


def event(text="{x}", level=LogLevel.info, **fields):
    return {
        "log_format": text,
        "log_level": level,
        "log_time": 1_700_000_000.25,
        "log_namespace": "mailtwist",
        **fields,
    }


class RenderTests(SynchronousTestCase):
    def test_what_a_client_sent_cannot_start_a_line(self):
        line = for_people(event(x="a\r\n2026 forged \x1b[2J"))
        self.assertEqual(line.count("\n"), 1)
        self.assertIn("a\\x0d\\n2026 forged \\x1b[2J", line)

    def test_people_see_time_level_and_text(self):
        line = for_people(event("hello {x}", LogLevel.warn, x="you"))
        self.assertRegex(line, r"^20\d\d-.* warn: hello you\n$")

    def test_json_has_the_fields_beside_the_text(self):
        row = json.loads(as_json(event("{session} in", session="s1", peer=object())))
        self.assertEqual((row["text"], row["session"]), ("s1 in", "s1"))
        self.assertEqual(row["level"], "info")
        self.assertNotIn("peer", row)

    def test_a_traceback_is_one_line(self):
        try:
            raise ValueError("bad")
        except ValueError:
            fault = event("oops", LogLevel.critical, log_failure=Failure())
        self.assertEqual(for_people(fault).count("\n"), 1)
        self.assertIn("ValueError: bad", for_people(fault))


class ObserverTests(SynchronousTestCase):
    def test_below_the_level_nothing_is_told(self):
        path = self.mktemp()
        log = Logger("x", observer=observer(Log(to=path, level="warn")))
        log.info("no")
        log.warn("yes")
        self.assertRegex(Path(path).read_text(), r"^\S+ warn: yes\n$")

    def test_a_file_moved_away_is_made_anew(self):
        path = Path(self.mktemp())
        tell = observer(Log(to=str(path)))
        tell(event(x="one"))
        os.rename(path, f"{path}.1")
        tell({**event(x="two"), "log_time": 1_700_000_001.5})
        self.assertIn("one", Path(f"{path}.1").read_text())
        self.assertIn("two", path.read_text())
        self.assertEqual(path.stat().st_mode & 0o007, 0)

    def test_while_no_file_can_be_made_the_old_one_is_written(self):
        folder = Path(self.mktemp())
        folder.mkdir()
        tell = observer(Log(to=str(folder / "log")))
        tell(event(x="one"))
        os.rename(folder, moved := Path(f"{folder}.1"))
        tell({**event(x="two"), "log_time": 1_700_000_001.5})
        self.assertIn("two", (moved / "log").read_text())
        folder.mkdir()
        tell({**event(x="three"), "log_time": 1_700_000_002.5})
        self.assertIn("three", (folder / "log").read_text())

    def test_a_file_that_cannot_be_written_is_told_with_its_option(self):
        fault = self.assertRaises(ConfigError, observer, Log(to="/nowhere/x.log"))
        self.assertEqual(
            str(fault),
            'log.to = "/nowhere/x.log": cannot be written: No such file or directory',
        )

    def test_syslog_gets_facility_mail_and_the_severity(self):
        folder = Path(self.mktemp())
        folder.mkdir()
        server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(server.close)
        here = os.getcwd()
        os.chdir(folder)
        self.addCleanup(os.chdir, here)
        server.bind("log")
        tell = observer(Log(to="syslog:log"))
        for level, severity in [
            (LogLevel.info, 6),
            (LogLevel.warn, 4),
            (LogLevel.error, 3),
        ]:
            tell(event("hi", level))
            self.assertEqual(
                server.recv(999),
                f"<{16 + severity}>mailtwist[{os.getpid()}]: hi".encode(),
            )

    def syslog(self, path):
        server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(server.close)
        server.bind(path)
        server.setblocking(False)
        return server

    def test_a_syslog_that_is_away_stops_nothing_and_hears_of_it_later(self):
        path = os.path.relpath(self.mktemp())
        tell = observer(Log(to=f"syslog:{path}"))
        for number in range(MOST_WAITING + 5):
            tell(event(x=f"number {number}"))
        server = self.syslog(path)
        tell(event(x="now"))
        self.assertTrue(server.recv(999).endswith(b" number 6"))

    def test_lines_for_a_busy_syslog_wait_in_their_order(self):
        path = os.path.relpath(self.mktemp())
        tell = observer(Log(to=f"syslog:{path}"))
        server = self.syslog(path)
        for number in range(200):  # more than a socket takes unread
            tell(event(x=number))
        heard, number = [], 200
        while len(heard) < 200:
            with contextlib.suppress(BlockingIOError):
                while True:
                    heard.append(int(server.recv(999).rpartition(b" ")[2]))
            tell(event(x=number))
            number += 1
        self.assertEqual(heard, list(range(len(heard))))

    def test_a_huge_line_does_not_hold_up_others(self):
        path = os.path.relpath(self.mktemp())
        tell = observer(Log(to=f"syslog:{path}"))
        server = self.syslog(path)
        tell(event(x="x" * 1_000_000))
        tell(event(x="next"))
        self.assertEqual(len(server.recv(99999)), 8192)
        self.assertIn(b"next", server.recv(999))

    def test_lines_are_flushed_as_they_come(self):
        stream = io.StringIO()
        LineObserver(stream, for_people)(event(x="now"))
        self.assertIn("now", stream.getvalue())
