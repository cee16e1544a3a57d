from twisted.trial.unittest import SynchronousTestCase

from mailtwist.address import Address
from mailtwist.cli.mailing_list import changed, list_options
from mailtwist.cli.mailing_list_people import Person, exported, people_in
from mailtwist.cli.mailing_list_posts import as_mbox
from mailtwist.config.listing import ListOptions
from mailtwist.config.model import Config
from mailtwist.errors import ConfigError, MailError
from mailtwist.lists.model import Member

ANN = Address("ann", "a.test")


class SettingTests(SynchronousTestCase):
    def test_values_are_read_as_in_the_file(self):
        after = changed(
            ListOptions(footer="x"),
            ["posting=anyone", "digest_s=2 d", "verp=false", "most_octets=2 MiB"]
            + ["footer="],
            Config(),
        )
        self.assertEqual((after.posting, after.digest_s), ("anyone", 172800.0))
        self.assertEqual((after.verp, after.most_octets), (False, 2 << 20))
        self.assertEqual(after.footer, "")

    def test_wrong_ones_are_told(self):
        for setting in ("posting=all", "nonsense=1", "posting", "one_click=true"):
            with self.assertRaises(ConfigError, msg=setting):
                changed(ListOptions(), [setting], Config())

    def test_every_option_has_a_help(self):
        for option in list_options().values():
            self.assertTrue(option.metadata["help"], option.name)


class ImportTests(SynchronousTestCase):
    def test_lines(self):
        text = '# people\nann@a.test\n"Bob B" <bob@b.test> digest\n\nx@b.test nomail\n'
        self.assertEqual(
            people_in(text),
            [
                Person(ANN),
                Person(Address("bob", "b.test"), "Bob B", "digest"),
                Person(Address("x", "b.test"), "", "nomail"),
            ],
        )

    def test_all_wrong_lines_are_told_and_none_is_taken(self):
        with self.assertRaises(MailError) as raised:
            people_in("ann@a.test\nnobody\nann@a.test sometimes\n")
        told = str(raised.exception)
        self.assertIn("nobody", told)
        self.assertIn("line 3", told)

    def test_an_export_is_an_import(self):
        for one in (Member(1, ANN), Member(2, ANN, "Ann A", "plain")):
            (found,) = people_in(exported(one))
            self.assertEqual((found.name, found.mode), (one.name, one.mode))


class MboxTests(SynchronousTestCase):
    def test_lines_like_separators_are_quoted(self):
        made = as_mbox(b"Subject: x\r\n\r\nFrom here\r\n", 0)
        self.assertTrue(made.startswith(b"From MAILER-DAEMON "))
        self.assertIn(b"\n>From here\n\n", made)
