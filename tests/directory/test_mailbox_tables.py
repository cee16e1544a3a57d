from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from mailtwist.address import Address
from mailtwist.directory.mailbox_tables import Directories, MailboxTables, parts_of
from mailtwist.directory.model import Account
from mailtwist.directory.table_owners import Owners, StaticTable
from mailtwist.errors import LookupFailed
from mailtwist.interfaces import IDirectory
from mailtwist.tables.inline import InlineTable

BASE = "/var/vmail"
BOXES = InlineTable(
    "boxes",
    [
        "ann@example.test example.test/ann/",
        "Bob@example.test /example.test//bob/Maildir/",
        "out@example.test ../../etc/",
        "mbox@example.test example.test/mbox",
        "none@example.test /",
        "file@example.test example.test/.forward",
    ],
)
DOMAINS = InlineTable("domains", ["example.test anything", "b\u00fccher.test x"])


class MailboxTablesTests(SynchronousTestCase):
    directory = MailboxTables(BASE, [BOXES], [DOMAINS])

    def ask(self, coroutine):
        return Deferred.fromCoroutine(coroutine)

    def test_it_is_a_directory(self):
        verifyObject(IDirectory, self.directory)
        verifyObject(IDirectory, Directories([]))

    def test_addresses_have_maildirs_below_the_base(self):
        for address, name, maildir in [
            ("ann@example.test", "ann@example.test", "/var/vmail/example.test/ann"),
            ("ANN@example.test", "ann@example.test", "/var/vmail/example.test/ann"),
            (
                "bob@example.test",
                "bob@example.test",
                "/var/vmail/example.test/bob/Maildir",
            ),
        ]:
            asked = self.ask(self.directory.account_for(Address.parse(address)))
            account = self.successResultOf(asked)
            self.assertEqual(account, Account(name, maildir, mailbox=f"{maildir}/"))
            asked = self.ask(self.directory.account(name))
            self.assertEqual(self.successResultOf(asked), account)

    def test_who_is_not_there_is_nobody(self):
        for asked in (
            self.directory.account_for(Address.parse("no@example.test")),
            self.directory.account_for(Address("ann")),
            self.directory.account("not an address"),
            self.directory.first_account(),
        ):
            self.assertIsNone(self.successResultOf(self.ask(asked)))

    def test_a_path_without_a_slash_at_its_end_is_an_mbox(self):
        asked = self.ask(self.directory.account("MBOX@example.test"))
        account = self.successResultOf(asked)
        path = "/var/vmail/example.test/mbox"
        self.assertEqual((account.mailbox_path, account.is_mbox), (path, True))
        beside = "/var/vmail/example.test/.mbox.mailtwist"
        self.assertEqual(
            (account.home, account.folders_path), (beside, f"{beside}/mail")
        )

    def test_their_owners_are_those_of_tables(self):
        for uid, owner in ((5000, (5000, 6000)), (99, None)):
            owners = Owners([StaticTable(uid)], [StaticTable(6000)], 100)
            directory = MailboxTables(BASE, [BOXES], [DOMAINS], owners)
            asked = self.ask(directory.account("ann@example.test"))
            if owner is None:
                self.failureResultOf(asked, LookupFailed)
            else:
                account = self.successResultOf(asked)
                self.assertEqual((account.uid, account.gid), owner)
                self.assertEqual(account.home, BASE)
                path = "/var/vmail/example.test/ann/"
                self.assertEqual(account.mailbox_path, path)
            asked = self.ask(directory.account("nobody@example.test"))
            self.assertIsNone(self.successResultOf(asked))

    def test_a_value_that_is_no_path_below_the_base_waits(self):
        for user in ("out", "none", "file"):
            asked = self.directory.account_for(Address(user, "example.test"))
            self.failureResultOf(self.ask(asked), LookupFailed)

    def test_domains_are_keys(self):
        for domain, ours in [
            ("example.test", True),
            ("b\u00fccher.test", True),
            ("else.test", False),
        ]:
            asked = self.ask(self.directory.has_domain(domain))
            self.assertEqual(self.successResultOf(asked), ours)

    @given(st.text(st.sampled_from("ab./\0\\")))
    def test_no_value_leaves_the_base(self, value):
        try:
            parts = parts_of(value)
        except ValueError:
            return
        self.assertTrue(parts)
        for part in parts:
            self.assertNotIn(part, ("", ".", ".."))
            self.assertNotIn("/", part)
            self.assertNotIn("\0", part)

    def test_several_directories_are_asked_in_order(self):
        first = MailboxTables(
            "/first", [InlineTable("f", ["ann@example.test ann/"])], []
        )
        both = Directories([first, self.directory])
        for user, home in [
            ("ann", "/first/ann"),
            ("bob", "/var/vmail/example.test/bob/Maildir"),
        ]:
            address = Address(user, "example.test")
            for asked in (both.account_for(address), both.account(str(address))):
                self.assertEqual(self.successResultOf(self.ask(asked)).home, home)
        self.assertTrue(self.successResultOf(self.ask(both.has_domain("example.test"))))
        self.assertFalse(self.successResultOf(self.ask(both.has_domain("x.test"))))
        self.assertIsNone(self.successResultOf(self.ask(both.first_account())))
        self.assertIsNone(
            self.successResultOf(self.ask(both.account("no@example.test")))
        )
