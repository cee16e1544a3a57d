import os
from pathlib import Path

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from mailtwist.delivery.lists import MOST_FORWARD_OCTETS, ListFiles
from mailtwist.directory.model import Account
from mailtwist.errors import LookupFailed
from mailtwist.interfaces import IListFiles


def at_once(work, *arguments):
    return maybeDeferred(work, *arguments)


class ListsTests(SynchronousTestCase):
    def setUp(self):
        self.home = Path(self.mktemp()).absolute()
        self.home.mkdir()
        self.home.chmod(0o755)
        self.account = Account("ann@example.test", str(self.home))
        self.lists = ListFiles(at_once, "+")
        self.path = self.home / ".forward"

    def write(self, text, path=None, mode=0o644):
        path = path or self.path
        path.write_text(text)
        path.chmod(mode)
        return path

    def forward(self, detail=""):
        return self.successResultOf(
            Deferred.fromCoroutine(self.lists.forward(self.account, detail))
        )

    def include(self, path):
        return Deferred.fromCoroutine(self.lists.include(str(path)))

    def test_it_is_what_the_router_asks(self):
        verifyObject(IListFiles, self.lists)

    def test_no_file_waits_for_no_thread(self):
        lists = ListFiles(lambda *work: self.fail("a thread was asked"), "+")
        looked = Deferred.fromCoroutine(lists.forward(self.account, "x"))
        self.assertIsNone(self.successResultOf(looked))

    def test_a_file_is_a_list(self):
        self.write("# mine\nbob@else.test\n\\ann,\n")
        self.assertEqual(self.forward(), (str(self.path), "bob@else.test, \\ann"))

    def test_a_detail_has_its_own_file(self):
        self.write("all@else.test")
        special = self.write("work@else.test", self.home / ".forward+work")
        for detail, expected in [
            ("work", (str(special), "work@else.test")),
            ("WORK", (str(special), "work@else.test")),
            ("play", (str(self.path), "all@else.test")),
            ("../.forward+work", (str(self.path), "all@else.test")),
            ("x" * 300, (str(self.path), "all@else.test")),
            ("\0", (str(self.path), "all@else.test")),
        ]:
            self.assertEqual(self.forward(detail), expected, detail)

    def test_what_may_not_be_trusted_is_not_followed(self):
        def link():
            self.path.symlink_to(self.write("x@else.test", self.home / "target"))

        for make, why in [
            (link, "a link"),
            (lambda: os.mkfifo(self.path), "a pipe"),
            (lambda: self.path.mkdir(), "a folder"),
            (lambda: self.write("x@else.test", mode=0o666), "all may write it"),
            (lambda: self.write("x@else.test", mode=0o664), "the group may write it"),
            (lambda: self.write("x," * MOST_FORWARD_OCTETS), "too large"),
        ]:
            make()
            self.assertIsNone(self.forward(), why)
            self.path.rmdir() if why == "a folder" else self.path.unlink()

    def test_somebody_else_s_file_is_not_followed(self):
        if os.geteuid() != 0:  # nobody else can give files away
            self.assertNotEqual(os.geteuid(), 0)
            return
        self.write("x@else.test")
        os.chown(self.path, 12345, 12345)
        self.assertIsNone(self.forward())
        os.chown(self.home, 12345, 12345)  # now it is the home's owner's
        self.assertEqual(self.forward(), (str(self.path), "x@else.test"))

    def test_what_may_pass_is_temporary(self):
        self.write("x@else.test")

        def broken(*arguments):
            raise OSError(5, "Input/output error")

        self.patch(os, "read", broken)
        looked = Deferred.fromCoroutine(self.lists.forward(self.account, ""))
        self.failureResultOf(looked, LookupFailed)

    def test_included_lists(self):
        path = self.write("# staff\nann\nbob,\n", self.home / "staff")
        self.assertEqual(self.successResultOf(self.include(path)), "ann, bob")
        link = self.home / "link"
        link.symlink_to(path)
        self.assertEqual(self.successResultOf(self.include(link)), "ann, bob")

    def test_included_lists_that_may_not_be_trusted_wait(self):
        folder = self.home / "open"
        folder.mkdir()
        inside = self.write("ann", folder / "list")
        folder.chmod(0o777)
        written = self.write("ann", self.home / "written", 0o646)
        for path, why in [
            (self.home / "missing", "no file"),
            (self.home, "a folder"),
            (written, "all may write it"),
            (inside, "all may write its folder"),
            ("relative", "no absolute path"),
        ]:
            with self.subTest(why):
                self.failureResultOf(self.include(path), LookupFailed)
