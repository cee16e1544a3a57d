"""Users of the machine as accounts; who is there is patched in, NSS itself is real in
the last tests."""

import contextlib
import errno
import grp
import os
import pwd

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase, TestCase

from mailtwist.address import Address
from mailtwist.config.source import Source
from mailtwist.directory import system, system_groups, system_users
from mailtwist.directory.system_groups import groups_of
from mailtwist.directory.system_users import User, system_user
from mailtwist.errors import SourceDown
from tests.auth.rooms import configured

ANN = User("ann", 1001, 1002, "/home/ann")


class DirectoryTests(TestCase):
    def directory(self, answer=ANN, **options):
        """Whoever is asked for, NSS answers so."""
        self.asked = []

        def known(name):
            self.asked.append(name)
            if isinstance(answer, Exception):
                raise answer
            return answer

        self.patch(system, "system_user", known)
        self.patch(system, "groups_of", lambda name, gid: frozenset({name, str(gid)}))
        config = configured(self.mktemp())
        made = system.SystemDirectory(reactor, config, Source(kind="system", **options))
        self.addCleanup(lambda: Deferred.fromCoroutine(made.close()))
        return made

    async def test_home_uid_and_gid_are_the_systems(self):
        account = await self.directory().account("ann@example.test")
        self.assertEqual(account.home, "/home/ann")
        self.assertEqual((account.uid, account.gid), (1001, 1002))
        self.assertEqual(account.mailbox_path, "/home/ann/Maildir/")

    async def test_groups_are_the_systems(self):
        account = await self.directory().account("ann@example.test")
        self.assertEqual(account.groups, {"ann", "1002"})

    async def test_a_user_has_one_account_in_all_domains_and_sends_from_all(self):
        directory = self.directory()
        account = await directory.account_for(Address("ann", "b\u00fccher.test"))
        self.assertEqual(account, await directory.account("ann@example.test"))
        self.assertEqual(account.name, "ann@example.test")
        self.assertEqual(account.send_as, {"ann@b\u00fccher.test"})

    async def test_the_mailbox_may_lie_elsewhere(self):
        spool = self.directory(mailbox="/var/mail/%u")
        account = await spool.account("ann@example.test")
        self.assertEqual(account.mailbox_path, "/var/mail/ann")
        home = self.directory(mailbox="mail/inbox")
        account = await home.account("ann@example.test")
        self.assertEqual(account.mailbox_path, "/home/ann/mail/inbox")

    async def test_users_below_the_least_uid_are_no_accounts(self):
        self.assertIsNone(
            await self.directory(least_uid=1002).account("ann@example.test")
        )
        root = User("root", 0, 0, "/root")
        self.assertIsNone(await self.directory(root).account("root@example.test"))

    async def test_other_domains_are_not_asked_for(self):
        directory = self.directory(domains=("b\u00fccher.test",))
        self.assertIsNone(await directory.account("ann@example.test"))
        self.assertIsNone(await directory.account_for(Address("ann", "else.test")))
        self.assertEqual(self.asked, [])

    async def test_an_nss_that_cannot_say_is_down_and_not_nobody(self):
        directory = self.directory(OSError(errno.ECONNREFUSED, "refused"))
        with self.assertRaises(SourceDown):
            await directory.account_for(Address("ann", "example.test"))


class SystemGroupsTests(SynchronousTestCase):
    def test_it_says_what_os_and_grp_say(self):
        for row in pwd.getpwall():
            if row.pw_uid >= 1000:
                continue
            expected = set()
            for gid in os.getgrouplist(row.pw_name, row.pw_gid):
                with contextlib.suppress(KeyError):
                    expected.add(grp.getgrgid(gid).gr_name)
            self.assertEqual(groups_of(row.pw_name, row.pw_gid), expected)

    def test_what_is_longer_than_the_space_is_read_again(self):
        self.patch(system_groups, "FIRST_OCTETS", 1)
        self.patch(system_groups, "FIRST_GROUPS", 0)
        self.assertEqual(groups_of("root", 0), {grp.getgrgid(0).gr_name})

    def test_a_group_without_a_name_is_left_out(self):
        self.assertEqual(groups_of("mt-nobody", 2**31 - 7), frozenset())


class SystemUserTests(SynchronousTestCase):
    def test_it_says_what_pwd_says(self):
        for row in pwd.getpwall():
            if row.pw_uid >= 1000:  # other tests make and remove such users
                continue
            self.assertEqual(
                system_user(row.pw_name),
                User(row.pw_name, row.pw_uid, row.pw_gid, row.pw_dir),
            )

    def test_a_row_that_is_longer_than_the_space_is_read_again(self):
        self.patch(system_users, "FIRST_OCTETS", 1)
        root = system_user("root")
        self.assertEqual((root.uid, root.home), (0, pwd.getpwnam("root").pw_dir))

    def test_names_that_cannot_be_are_nobodys(self):
        for name in ("", "root\0", "no such user", "\u00e9" * 300):
            self.assertIsNone(system_user(name))

    def test_only_some_errors_mean_that_there_is_none(self):
        row = system_users._Row()
        self.assertIsNone(system_users._user(row, False, errno.ENOENT))
        for number in (errno.EIO, errno.EAGAIN, errno.ECONNREFUSED, errno.EMFILE):
            fault = self.assertRaises(OSError, system_users._user, row, False, number)
            self.assertEqual(fault.strerror, os.strerror(number))
