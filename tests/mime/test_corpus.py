"""Messages nobody here wrote: Python's own odd ones, where its tests are installed, and
those of the folder that the environment variable MAILTWIST_CORPUS names."""

import email
import os
import sysconfig
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from mailtwist.mailbox.model import Column
from mailtwist.mime.index import index
from mailtwist.mime.parse import parse
from mailtwist.mime.part import Part

from .odd_messages import crlf
from .test_structure import read

FOLDERS = [
    *map(Path, filter(None, [os.environ.get("MAILTWIST_CORPUS")])),
    Path(sysconfig.get_path("stdlib")) / "test" / "test_email" / "data",
]

# Boundary lines with nothing between them are empty parts here; Python skips them.
NOT_AS_PYTHON = ("msg_37.txt",)


def messages():
    """(name, octets) of every message that is there, and one that always is."""
    yield "itself", b"Subject: x\r\n\r\nbody\r\n"
    for folder in FOLDERS:
        for path in sorted(folder.rglob("*")):
            if path.suffix in (".txt", ".eml") and "mbox" not in path.parts:
                yield path.name, crlf(path.read_bytes())


def leaves(part):
    if not part.children:
        return 1
    return sum(map(leaves, part.children))


class CorpusTests(SynchronousTestCase):
    def test_every_message_is_indexed(self):
        for name, octets in messages():
            columns = index(octets)
            self.assertEqual(len(read(columns[Column.ENVELOPE])[0]), 10, name)
            self.assertEqual(len(read(columns[Column.BODYSTRUCTURE])), 1, name)
            part = parse(octets)
            self.assertEqual(Part.decode(columns[Column.PARTS]), part, name)
            self.assertEqual(sum(part.body), len(octets), name)

    def test_python_finds_the_same_parts(self):
        for name, octets in messages():
            theirs = email.message_from_bytes(octets)
            if name in NOT_AS_PYTHON or any(part.defects for part in theirs.walk()):
                continue  # broken in a way that Python reads otherwise than we do
            if theirs.get_content_type() == "multipart/mixed":
                children = theirs.get_payload()
                self.assertEqual(len(parse(octets).children), len(children), name)
