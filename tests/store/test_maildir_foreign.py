"""Other programs use the Maildir too: deliver, rename, remove, make folders."""

import os

from attrs import evolve
from twisted.trial.unittest import TestCase

from mailtwist.errors import MailboxExists, NoSuchMailbox
from mailtwist.mailbox.model import INBOX, Column, FlagAction, FlagChange, Range
from mailtwist.store.maildir import subscriptions

from .contract import MESSAGE, StoreWords, add
from .on_disk import OnDisk

LF = b"Subject: foreign\n\nOne\nTwo\n"
CRLF = LF.replace(b"\n", b"\r\n")


class ElsewhereTests(OnDisk, StoreWords, TestCase):
    def account_of(self, name, limit=None, messages=None):
        made = super().account_of(name, limit, messages)
        return evolve(made, mailbox=f"{self.root}/elsewhere/{name}/")

    async def test_a_Maildir_is_opened_where_it_is_and_the_home_is_made(self):
        for part in ("cur", "new", "tmp"):
            os.makedirs(f"{self.root}/elsewhere/{self.name}/{part}")
        self.assertFalse(os.path.exists(self.home(self.name)))
        mailbox = await self.open()
        self.assertEqual((await mailbox.rows()).uids, [])
        self.assertIn("state.sqlite", os.listdir(self.home(self.name)))


class DeliveryTests(OnDisk, StoreWords, TestCase):
    def setUp(self):
        super().setUp()
        self.make_maildir()

    async def test_a_file_in_new_gets_the_next_UID_and_CRLF(self):
        await self.put()
        mailbox = await self.open()
        seen = (await mailbox.changes(0)).highest_modseq
        self.write(LF, "new", "1700000001.M5P6.other")
        changes = await mailbox.changes(seen)
        self.assertEqual(changes.rows.uids, [2])
        self.assertEqual(changes.rows.octets, [len(CRLF)])
        self.assertEqual(await mailbox.octets([Range(2)]), [CRLF])
        self.assertEqual(await mailbox.octets([Range(2, 3, 20)]), [CRLF[3:23]])
        self.assertEqual(os.listdir(self.maildir("new")), [])
        self.assertIn("1700000001.M5P6.other:2,", os.listdir(self.maildir("cur")))

    async def test_those_that_came_first_have_the_lower_UIDs(self):
        names = ["999999999.b.x", "1700000001.M5P6.x", "1700000001.M12P6.x", "zzz"]
        for number, name in enumerate(names):
            self.write(b"%d\r\n" % number, "new", name)
        mailbox = await self.open()
        uids = (await mailbox.rows()).uids
        octets = await mailbox.octets([Range(uid) for uid in uids])
        self.assertEqual(octets, [b"3\r\n", b"0\r\n", b"1\r\n", b"2\r\n"])

    async def test_sizes_in_a_name_that_are_wrong_are_not_believed(self):
        self.write(LF, "cur", "1700000001.M1P1.x,S=1,W=1:2,S")
        mailbox = await self.open()
        self.assertEqual((await mailbox.rows()).octets, [len(CRLF)])
        self.assertEqual(await mailbox.octets([Range(1)]), [CRLF])

    async def test_what_is_no_message_is_left_alone(self):
        os.mkdir(self.maildir("new", "folder"))
        os.mkdir(self.maildir("cur", "folder:2,"))
        os.symlink("/etc/passwd", self.maildir("new", "link"))
        os.symlink("/etc/passwd", self.maildir("cur", "link:2,"))
        os.mkfifo(self.maildir("cur", "fifo:2,"))
        self.write(b"dot", "cur", ".nfs0001")
        self.write(b"dot", "new", ".part")
        self.assertEqual((await self.tree.status(INBOX)).messages, 0)
        self.assertEqual(len(os.listdir(self.maildir("cur"))), 4)
        self.assertEqual(len(os.listdir(self.maildir("new"))), 3)

    async def test_names_that_are_no_text_are_messages_all_the_same(self):
        for number, name in enumerate((b"\xff\xfe", b"a\nb:2,S", b"\x01:2,\x02")):
            path = os.path.join(os.fsencode(self.maildir("cur")), name)
            with open(path, "wb") as file:
                file.write(b"%d\r\n" % number)
        mailbox = await self.open()
        octets = await mailbox.octets([Range(uid) for uid in (1, 2, 3)])
        self.assertEqual(sorted(octets), [b"0\r\n", b"1\r\n", b"2\r\n"])
        await self.restart()
        self.assertEqual((await self.tree.status(INBOX)).messages, 3)

    async def test_one_base_in_new_and_cur_are_two_messages(self):
        self.write(b"one\r\n", "cur", "1700000001.x:2,S")
        self.write(b"two\r\n", "new", "1700000001.x")
        mailbox = await self.open()
        uids = (await mailbox.rows()).uids
        octets = await mailbox.octets([Range(uid) for uid in uids])
        self.assertEqual(sorted(octets), [b"one\r\n", b"two\r\n"])

    async def test_sessions_that_watch_are_told(self):
        self.store = self.another_store(poll_s=0.1)
        self.tree = self.mailboxes(self.account)
        one, two = await self.open(), await self.open()
        told = []
        one.watch(told.append)
        two.watch(told.append)
        self.write(LF, "new", "1700000001.M5P6.other")
        await self.until(lambda: len(told) == 2, "both to be told")
        self.assertEqual((await one.rows()).uids, [1])


class FlagTests(OnDisk, StoreWords, TestCase):
    def renamed(self, flags):
        """Another program gives the only message these letters."""
        (name,) = os.listdir(self.maildir("cur"))
        base = name.partition(":")[0]
        new = f"{base}:2,{flags}"
        os.rename(self.maildir("cur", name), self.maildir("cur", new))

    async def test_letters_that_another_program_sets_are_flags(self):
        await self.put(flags={"\\Flagged"})
        mailbox = await self.open()
        seen = (await mailbox.changes(0)).highest_modseq
        self.renamed("RS")
        changes = await mailbox.changes(seen)
        self.assertEqual(changes.rows.flags, [{"\\Answered", "\\Seen"}])
        self.assertGreater(changes.rows.modseqs[0], seen)
        self.assertEqual(changes.vanished, [])

    async def test_flags_set_on_a_message_that_was_just_renamed(self):
        await self.put()
        mailbox = await self.open()
        self.renamed("F")
        stored = await mailbox.store_flags([1], add("\\Seen"))
        self.assertEqual(stored.rows.flags, [{"\\Seen", "\\Flagged"}])

    async def test_letters_that_mean_nothing_here_stay(self):
        await self.put()
        self.renamed("FSqZ")
        mailbox = await self.open()
        await mailbox.store_flags([1], add("\\Draft", "mine"))
        (name,) = os.listdir(self.maildir("cur"))
        self.assertEqual(name.partition(":")[2], "2,DFSZaq")

    async def test_octets_of_a_message_that_is_renamed_meanwhile(self):
        await self.put()
        mailbox = await self.open()
        self.renamed("FS")
        self.assertEqual(await mailbox.octets([Range(1)]), [MESSAGE])
        self.renamed("F")
        found = await mailbox.rendered([1], (Column.ENVELOPE,))
        self.assertIn(b'"lunch"', found[0][0])


class RemovedTests(OnDisk, StoreWords, TestCase):
    async def test_a_file_that_vanishes_is_expunged(self):
        for _ in range(3):
            await self.put()
        mailbox = await self.open()
        seen = (await mailbox.changes(0)).highest_modseq
        name = sorted(os.listdir(self.maildir("cur")))[1]
        os.unlink(self.maildir("cur", name))
        self.assertEqual((await mailbox.octets([Range(2), Range(3)]))[0], None)
        changes = await mailbox.changes(seen)
        self.assertEqual(changes.vanished, [2])
        self.assertEqual((await mailbox.rows()).uids, [1, 3])
        await self.restart()
        self.assertEqual((await (await self.open()).changes(seen)).vanished, [2])
        self.assertEqual(await self.put(), 4)

    async def test_what_vanished_cannot_be_copied_and_nothing_is(self):
        await self.put()
        await self.put()
        await self.tree.create(("There",))
        mailbox = await self.open()
        name = sorted(os.listdir(self.maildir("cur")))[0]
        os.unlink(self.maildir("cur", name))
        copied = await mailbox.copy([1, 2], ("There",))
        self.assertEqual(copied.source_uids, [2])
        self.assertEqual((await self.tree.status(("There",))).messages, 1)

    async def test_a_folder_that_vanishes_is_gone_for_all(self):
        await self.tree.create(("There",))
        mailbox = await self.open(("There",))
        await self.put(("There",))
        os.rename(self.maildir(".There"), self.maildir("elsewhere"))
        await self.faulty(NoSuchMailbox, mailbox.status())
        self.assertEqual(await self.names(), [INBOX])


# (folder, path, who makes it)
FOLDERS = [
    (".Sent", ("Sent",), "everybody"),
    (".Lists.python", ("Lists", "python"), "everybody"),
    (".Entw&APw-rfe", ("Entwürfe",), "modified UTF-7, Dovecot and Courier"),
    (".&U,BTFw-.&ZeVnLIqe-", ("台北", "日本語"), "a comma in the base64"),
    (".AT&-T", ("AT&T",), "an ampersand"),
    (".&AC4-hidden", (".hidden",), "Courier's form of a dot"),
    (".a&AC8-b", ("a/b",), "a slash, which no file system has"),
    (".INBOX.old", ("INBOX", "old"), "Courier with its prefix"),
    (".Büro.Größe", ("Büro", "Größe"), "UTF-8, Courier 5 and Dovecot if asked to"),
    (".100%", ("100%",), "a percent sign"),
    (".~tilde", ("~tilde",), "a tilde"),
    (". blank ", (" blank ",), "blanks"),
]
ODD = [
    (".Entwu\u0308rfe", "UTF-8 as no client asks for it: not composed"),
    (".inbox.Größe", "UTF-8 below a name that nobody may use"),
    (".caf\udce9", "Latin-1"),
    (".a..b", "an empty part"),
    (".&AGE-", "base64 that was not needed"),
    (".&bad", "no UTF-7"),
]


class FolderTests(OnDisk, StoreWords, TestCase):
    def setUp(self):
        super().setUp()
        self.make_maildir()

    def folders(self):
        names = os.listdir(self.maildir())
        return sorted(name for name in names if name[0] == ".")

    async def test_folders_of_other_programs_are_ours_unchanged(self):
        for folder, _, _ in FOLDERS:
            self.make_maildir(folder)
            self.write(MESSAGE, folder, "cur", f"17000000.{len(folder)}.x:2,S")
        before = self.folders()
        self.assertLessEqual({path for _, path, _ in FOLDERS}, set(await self.names()))
        for folder, path, who in FOLDERS:
            self.assertEqual((await self.tree.status(path)).messages, 1, who)
            mailbox = await self.open(path)
            await mailbox.store_flags([1], add("\\Flagged"))
            await self.put(path)
            names = os.listdir(self.maildir(folder, "cur"))
            self.assertEqual(len(names), 2, who)
        self.assertEqual(self.folders(), before)

    async def test_folders_that_nobody_would_name_so_can_be_read_and_renamed(self):
        for number, (folder, _) in enumerate(ODD):
            self.make_maildir(folder)
            self.write(b"%d\r\n" % number, folder, "cur", "1700000001.x:2,")
        before = self.folders()
        found = [path for path in await self.names() if path != INBOX]
        self.assertEqual(len(found), len(ODD))
        octets = []
        for path in found:
            mailbox = await self.open(path)
            octets += await mailbox.octets([Range(1)])
        self.assertEqual(sorted(octets), [b"%d\r\n" % n for n in range(len(ODD))])
        self.assertEqual(self.folders(), before)
        for number, path in enumerate(found):
            await self.tree.rename(path, (f"plain{number}",))
        self.assertEqual(self.folders(), [f".plain{n}" for n in range(len(ODD))])

    async def test_a_Maildir_in_UTF_8_gets_more_of_it(self):
        self.make_maildir(".Entwürfe")
        for path in (("Büro", "heute"), ("a/ö",), ("R&D",)):
            await self.tree.create(path)
            await self.put(path)
        await self.tree.rename(("Büro",), ("Größe",))
        self.assertEqual(await self.put(("Größe", "heute")), 2)
        await self.faulty(MailboxExists, self.tree.create(("Entwürfe",)))
        expected = [".Entwürfe", ".Größe", ".Größe.heute", ".R&-D", ".a&AC8-&APY-"]
        self.assertEqual(self.folders(), sorted(expected))
        await self.tree.delete(("Größe", "heute"))
        await self.tree.delete(("Größe",))
        await self.tree.delete(("Entwürfe",))
        await self.tree.create(("Größe",))
        self.assertEqual(self.folders(), [".Gr&APYA3w-e", ".R&-D", ".a&AC8-&APY-"])

    async def test_one_name_in_both_forms_is_two_mailboxes(self):
        for number, folder in enumerate([".Entw&APw-rfe", ".Entwürfe"]):
            self.make_maildir(folder)
            self.write(b"%d\r\n" % number, folder, "cur", "1700000001.x:2,")
        for path, octets in [
            (("Entwürfe",), b"0\r\n"),
            (("\ufffdEntwürfe",), b"1\r\n"),
        ]:
            self.assertIn(path, await self.names())
            mailbox = await self.open(path)
            self.assertEqual(await mailbox.octets([Range(1)]), [octets])
        await self.tree.delete(("Entwürfe",))
        await self.restart()
        self.assertEqual(await self.names(), [INBOX, ("Entwürfe",)])
        await self.faulty(NoSuchMailbox, self.open(("\ufffdEntwürfe",)))
        mailbox = await self.open(("Entwürfe",))
        self.assertEqual(await mailbox.octets([Range(1)]), [b"1\r\n"])

    async def test_a_folder_without_new_and_tmp_is_completed(self):
        os.makedirs(self.maildir(".Old", "cur"))
        self.write(MESSAGE, ".Old", "cur", "1700000001.x:2,")
        await self.put(("Old",))
        self.assertEqual((await self.tree.status(("Old",))).messages, 2)

    async def test_a_folder_made_and_removed_by_others_while_we_run(self):
        self.assertEqual(await self.names(), [INBOX])
        self.make_maildir(".Later")
        self.assertEqual(await self.names(), [INBOX, ("Later",)])
        self.assertEqual(await self.put(("Later",)), 1)


class SubscriptionTests(OnDisk, StoreWords, TestCase):
    """What other servers wrote down is there from the first look on."""

    async def subscribed(self, name, octets):
        self.make_maildir()
        self.make_maildir(".Lists.python")
        self.write(octets, name)
        await self.put()  # before anybody lists
        found = [info.path for info in await self.tree.listed() if info.subscribed]
        await self.tree.unsubscribe(("Lists", "python"))
        await self.restart()
        left = [info.path for info in await self.tree.listed() if info.subscribed]
        self.assertEqual(left, [p for p in found if p != ("Lists", "python")])
        return found

    async def test_Dovecot(self):
        octets = b"V\t2\n\nINBOX\nLists\tpython\nEntw&APw-rfe\ngone\n"
        self.assertEqual(
            await self.subscribed("subscriptions", octets),
            [INBOX, ("Entwürfe",), ("Lists", "python"), ("gone",)],
        )

    async def test_Dovecot_before_2_3(self):
        octets = b"INBOX\nLists.python\nEntw&APw-rfe\n"
        self.assertEqual(
            await self.subscribed("subscriptions", octets),
            [INBOX, ("Entwürfe",), ("Lists", "python")],
        )

    async def test_Courier(self):
        octets = b"INBOX\nINBOX.Lists.python\nINBOX.Entw&APw-rfe\n"
        self.assertEqual(
            await self.subscribed("courierimapsubscribed", octets),
            [INBOX, ("Entwürfe",), ("Lists", "python")],
        )

    async def test_Courier_5(self):
        octets = "INBOX\nINBOX.Lists.python\nINBOX.Entwürfe\n".encode()
        self.assertEqual(
            await self.subscribed("courierimapsubscribed", octets),
            [INBOX, ("Entwürfe",), ("Lists", "python")],
        )

    def test_what_is_no_name_is_left_out(self):
        self.make_maildir()
        for octets in (b"", b"Sent", b"\xff\xfe\n", b"..\n/etc/passwd\n\0\n.\n\t\n"):
            self.write(octets, subscriptions.DOVECOT)
            self.assertEqual(subscriptions.found(self.maildir()), set(), octets)
        self.write(b"\xff\nV\nSent\n", subscriptions.DOVECOT)
        self.assertEqual(subscriptions.found(self.maildir()), {("V",), ("Sent",)})


class DovecotTests(OnDisk, StoreWords, TestCase):
    async def test_UIDs_and_keywords_that_Dovecot_gave_are_kept(self):
        for folder in ("", ".Sent"):
            self.make_maildir(folder)
            names = ["1700000002.M2P1.h,S=26,W=30", "1700000001.M1P1.h,S=26,W=30"]
            self.write(LF, folder, "cur", f"{names[0]}:2,Sa")
            self.write(LF, folder, "cur", f"{names[1]}:2,b")
            self.write(
                b"3 V1600000000 N42 Gd7901400d87b4d5c\n"
                b"17 :%s:2,S\n23 W30 :%s\n30 :gone.x:2,S\n"
                % (names[0].encode(), names[1].encode()),
                folder,
                "dovecot-uidlist",
            )
            self.write(b"0 $Forwarded\n1 work\n", folder, "dovecot-keywords")
            self.write(LF, folder, "new", "1700000003.M3P1.h")
        for path in (INBOX, ("Sent",)):
            mailbox = await self.open(path)
            self.assertEqual(mailbox.uid_validity, 1600000000)
            rows = await mailbox.rows()
            self.assertEqual(rows.uids, [17, 23, 42])
            flags = [{"\\Seen", "$Forwarded"}, {"work"}, set()]
            self.assertEqual(rows.flags, flags)
            self.assertEqual(rows.octets, [len(CRLF)] * 3)
        self.assertEqual(await self.put(), 43)
        await self.restart(lambda: self.damage("state.sqlite", "deleted"))
        self.assertEqual((await (await self.open()).rows()).uids, [17, 23, 42, 43])


class CourierTests(OnDisk, StoreWords, TestCase):
    def setUp(self):
        super().setUp()
        self.make_maildir()
        self.names_ = [f"170000000{n}.M{n}P1.h,S=26" for n in range(5)]
        for name, letters in zip(self.names_, ["S", "", "", "F", ""], strict=True):
            self.write(LF, "cur", f"{name}:2,{letters}")
        numbered = zip((9, 7, 23, 12), self.names_, strict=False)
        lines = "".join(f"{uid} {name}\n" for uid, name in numbered)
        self.write(f"1 1600000000 42\n{lines}30 gone.x\n".encode(), "courierimapuiddb")
        os.mkdir(self.maildir("courierimapkeywords"))

    def keywords(self, name, text):
        self.write(text.encode(), "courierimapkeywords", name)

    async def flags(self):
        mailbox = await self.open()
        self.assertEqual(mailbox.uid_validity, 1600000000)
        rows = await mailbox.rows()
        return dict(zip(rows.uids, rows.flags, strict=True))

    async def test_UIDs_and_keywords_that_Courier_gave_are_kept(self):
        zero, one, two, *_ = self.names_
        self.keywords(
            ":list", f"work\n$forwarded\n\n{zero}:0 1\n{one}:1\n{two}:0\nx:1\n"
        )
        self.keywords(one, "later\nWORK\n")
        self.keywords(f".5.{one}", "never\n")
        self.keywords(f".5.{two}", "")
        self.keywords(f".4.{two}", "older\n")
        expected = {
            9: {"\\Seen", "work", "$Forwarded"},
            7: {"later", "work"},
            23: set(),
            12: {"\\Flagged"},
            42: set(),
        }
        self.assertEqual(await self.flags(), expected)
        self.assertEqual(await self.put(), 43)
        mailbox = await self.open()
        await mailbox.store_flags([9], FlagChange(FlagAction.REMOVE, {"WORK"}))
        expected[9] = {"\\Seen", "$Forwarded"}
        expected[43] = set()
        self.assertEqual(await self.flags(), expected)
        await mailbox.store_flags([9], FlagChange(FlagAction.REMOVE, {"$Forwarded"}))
        await self.restart()
        expected[9] = {"\\Seen"}
        self.assertEqual(await self.flags(), expected)

    async def test_a_list_that_is_none_costs_the_keywords_alone(self):
        zero, *_ = self.names_
        for text in (
            "",
            "work\n",
            f"\n{zero}:0\n",
            f"a b\n(\n\n{zero}:0 1 2 -1 x\n\n:",
        ):
            self.keywords(":list", text)
            self.assertEqual((await self.flags())[9], {"\\Seen"}, text)
            await self.restart(lambda: self.damage("state.sqlite", "deleted"))
            os.unlink(self.maildir("mailtwist-uidlist"))

    async def test_what_was_written_last_counts(self):
        name = self.names_[0].encode()
        self.write(b"3 V1500000000 N9\n5 :%s\n" % name, "dovecot-uidlist")
        os.utime(self.maildir("dovecot-uidlist"), (1, 1))
        self.assertEqual(set(await self.flags()), {7, 9, 12, 23, 42})

    async def test_a_file_that_is_none_is_passed_over(self):
        name = self.names_[0].encode()
        self.write(b"3 V1500000000 N9\n5 :%s\n" % name, "dovecot-uidlist")
        for octets in (b"", b"2 V1 N1\n", b"3 N9\n", b"\xff\n", b"1 x y\n"):
            self.write(octets, "courierimapuiddb")
            mailbox = await self.open()
            self.assertEqual(mailbox.uid_validity, 1500000000)
            self.assertEqual((await mailbox.rows()).uids[0], 5, octets)
            await self.restart(lambda: self.damage("state.sqlite", "deleted"))
            os.unlink(self.maildir("mailtwist-uidlist"))
