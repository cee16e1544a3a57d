"""Tests for mailtwist.log.setup."""

import io
import json
import os
import socket
from pathlib import Path

from twisted.logger import Logger, LogLevel
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.config.model import Log
from mailtwist.log.setup import LineObserver, as_json, for_people, observer


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

    def test_a_syslog_that_is_away_stops_nothing_and_is_found_again(self):
        path = os.path.relpath(self.mktemp())
        tell = observer(Log(to=f"syslog:{path}"))
        tell(event(x="lost"))
        server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(server.close)
        server.bind(path)
        tell(event(x="heard"))
        self.assertIn(b"heard", server.recv(999))

    def test_lines_are_flushed_as_they_come(self):
        stream = io.StringIO()
        LineObserver(stream, for_people)(event(x="now"))
        self.assertIn("now", stream.getvalue())
