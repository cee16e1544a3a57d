"""Links of a Maildir to sharable ones."""

import os
import shutil
import time
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from mailtwist.store.maildir import linked, making

TALK = ("Talk",)


class LinkedTests(SynchronousTestCase):
    def setUp(self):
        self.root = os.path.abspath(self.mktemp())
        os.mkdir(self.root)
        self.maildir, self.shared = f"{self.root}/Maildir", f"{self.root}/shared"
        making.make(self.maildir)
        making.make(self.shared, sharable=True)
        self.folder("Talk", writes=True)
        making.link(self.maildir, "News", self.shared)
        self.home = f"{self.root}/state"

    def folder(self, name, **shares):
        making.make_folder(self.shared, name, making.Shares(**shares))

    def write(self, name, octets=b"Subject: x\r\n\r\n", folder="Talk", part="new"):
        path = f"{self.shared}/.{folder}/{part}/{name}"
        with open(path, "wb") as file:
            file.write(octets)
        return path

    def follow(self):
        """Which folders of the one link may be written to."""
        (found,) = linked.followed(self.maildir, self.home)
        self.assertEqual((found.name, found.home), ("News", f"{self.home}/linked/News"))
        return found.folders

    def copied(self, folder="Talk"):
        root = f"{self.home}/linked/News/Maildir/.{folder}"
        return {
            name: Path(root, part, name).read_bytes()
            for part in ("new", "cur")
            for name in os.listdir(f"{root}/{part}")
        }

    def test_folders_are_shown_and_their_messages_copied(self):
        self.folder("Read.Only")
        self.write("1.a", b"one", part="cur")
        self.write("2.b:2,S", b"two", part="cur")
        self.write("3.c", b"three", "Read.Only")
        os.chmod(f"{self.shared}/.Read.Only/new", 0o500)
        folders = self.follow()
        self.assertEqual(set(folders), {TALK, ("Read", "Only")})
        self.assertTrue(folders[TALK])
        self.assertEqual(self.copied(), {"1.a": b"one", "2.b": b"two"})
        self.assertEqual(self.copied("Read.Only"), {"3.c": b"three"})

    def test_what_goes_there_goes_here(self):
        kept, gone = self.write("1.a"), self.write("2.b")
        self.follow()
        here = f"{self.home}/linked/News/Maildir/.Talk"
        os.rename(f"{here}/new/2.b", f"{here}/cur/2.b:2,FS")
        os.unlink(gone)
        os.rename(kept, f"{self.shared}/.Talk/cur/1.a:2,S")
        self.follow()
        self.assertEqual(list(self.copied()), ["1.a"])

    def test_what_is_put_here_is_put_there(self):
        self.write("1.a")
        self.follow()
        here = f"{self.home}/linked/News/Maildir/.Talk/cur"
        with open(f"{here}/9.z:2,S", "wb") as file:
            file.write(b"mine")
        for _ in range(2):
            self.follow()
            self.assertEqual(
                sorted(os.listdir(f"{self.shared}/.Talk/new")), ["1.a", "9.z"]
            )
        os.unlink(f"{self.shared}/.Talk/new/9.z")
        self.follow()
        self.assertEqual(list(self.copied()), ["1.a"])

    def quiet(self):
        """Nothing has happened in the copy for a while."""
        for part in ("new", "cur"):
            then = time.time() - 10 * linked.DOUBT_S
            os.utime(f"{self.home}/linked/News/Maildir/.Talk/{part}", (then, then))

    def test_what_is_expunged_here_goes_there_once_that_is_sure(self):
        gone, kept = self.write("1.a"), self.write("2.b")
        self.follow()
        here = f"{self.home}/linked/News/Maildir/.Talk"
        os.unlink(f"{here}/new/1.a")
        self.follow()
        self.assertTrue(os.path.exists(gone), "a listing may have missed it")
        self.assertEqual(list(self.copied()), ["2.b"], "but it does not come back")
        self.quiet()
        self.follow()
        self.assertFalse(os.path.exists(gone))
        self.assertTrue(os.path.exists(kept))

    def test_what_the_system_does_not_let_be_removed_comes_back(self):
        self.write("1.a")
        self.follow()

        def refuse(name, **options):
            if options:
                raise PermissionError(1, "Operation not permitted")
            real(name)

        real = os.unlink
        real(f"{self.home}/linked/News/Maildir/.Talk/new/1.a")
        self.patch(os, "unlink", refuse)
        self.quiet()
        self.follow()
        self.assertEqual(list(self.copied()), ["1.a"])

    def test_a_copy_that_was_lost_takes_nothing_away(self):
        kept = self.write("1.a")
        self.follow()
        shutil.rmtree(f"{self.home}/linked")
        self.follow()
        self.quiet()
        self.follow()
        self.assertTrue(os.path.exists(kept))
        self.assertEqual(list(self.copied()), ["1.a"])

    def test_what_could_not_be_put_there_stays_here(self):
        self.follow()
        here = f"{self.home}/linked/News/Maildir/.Talk/cur"
        with open(f"{here}/9.z:2,S", "wb") as file:
            file.write(b"mine")
        os.mkdir(f"{self.shared}/.Talk/tmp/9.z")
        for _ in range(2):
            self.follow()
            self.assertEqual(self.copied(), {"9.z:2,S": b"mine"})

    def test_symbolic_links_below_the_linked_path_are_not_followed(self):
        secret = f"{self.root}/secret"
        with open(secret, "wb") as file:
            file.write(b"not for you")
        making.make(f"{self.root}/other")
        making.make_folder(f"{self.root}/other", "Private")
        for target, name in (
            (secret, ".Talk/new/1.a"),
            ("../../../secret", ".Talk/cur/2.b:2,"),
            (f"{self.root}/other/.Private", ".Folder"),
            (f"{self.root}/other", ".Whole"),
        ):
            os.symlink(target, f"{self.shared}/{name}")
        self.folder("Half")
        os.rmdir(f"{self.shared}/.Half/cur")
        os.symlink(f"{self.root}/other/.Private/cur", f"{self.shared}/.Half/cur")
        os.mkfifo(f"{self.shared}/.Talk/cur/3.c")
        self.assertEqual(set(self.follow()), {TALK})
        self.assertEqual(self.copied(), {})

    def test_lines_that_are_no_links_are_left_out(self):
        lines = [
            *("../x\t/etc", "a/b\t/etc", ".\t/etc", "..\t/etc", "x", "x\t", "x\tetc"),
            *("INBOX\t/etc", "\t/etc", "x\0y\t/etc", "y\t/a\0b", "*\t/etc", "\xff\t/x"),
            *("good\t/srv/mail ", "good\t/second"),
        ]
        with open(f"{self.maildir}/shared-maildirs", "wb") as file:
            file.write("\n".join(lines).encode("latin-1"))
        found = linked.links(self.maildir)
        found.pop("\ufffd", None)
        self.assertEqual(found, {"good": "/srv/mail"})
        os.unlink(f"{self.maildir}/shared-maildirs")
        os.symlink("/etc/passwd", f"{self.maildir}/shared-maildirs")
        self.assertEqual(linked.links(self.maildir), {})

    def test_a_link_that_leads_nowhere_is_left_out_until_it_does(self):
        os.rename(self.shared, f"{self.root}/away")
        self.assertEqual(linked.followed(self.maildir, self.home), [])
        os.rename(f"{self.root}/away", self.shared)
        self.assertEqual(set(self.follow()), {TALK})

    def test_a_look_that_finds_the_same_stamps_lists_nothing(self):
        self.write("1.a")
        self.follow()
        here = f"{self.home}/linked/News/Maildir/.Talk"
        for folder in (f"{self.shared}/.Talk", here):
            for part in ("cur", "new"):
                os.utime(f"{folder}/{part}", (1000, 1000))
        self.patch(linked, "_bases", lambda *parts: 1 / 0)
        self.follow()
        self.write("2.b")
        self.assertRaises(ZeroDivisionError, self.follow)
