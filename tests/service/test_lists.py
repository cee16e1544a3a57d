from pathlib import Path

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.address import Address
from mailtwist.config.listing import ListOfConfig
from mailtwist.config.load import loads
from mailtwist.errors import ConfigError, MailError
from mailtwist.lists import statements
from mailtwist.lists.model import MODERATOR, OWNER
from mailtwist.service.lists import configure, local_list, new_token

DEV = Address("dev", "lists.test")
OLA = Address("ola", "lists.test")
WANTED = ListOfConfig(
    address="Dev@lists.test",
    owners=("ola@lists.test",),
    moderators=("mo@a.test",),
    prefix="[dev]",
)


class ConfigureTests(SynchronousTestCase):
    def setUp(self):
        self.db = statements.connect(self.mktemp())
        self.addCleanup(self.db.close)

    def named(self):
        return statements.named(self.db, DEV)

    def test_a_list_of_the_file_is_made_with_its_people(self):
        configure(self.db, (WANTED,))
        made = self.named()
        self.assertTrue(made.configured)
        self.assertEqual(made.options.prefix, "[dev]")
        people = [
            statements.people(self.db, made.number, r) for r in (OWNER, MODERATOR)
        ]
        self.assertEqual(people, [[OLA], [Address("mo", "a.test")]])

    def test_it_changes_with_the_file_and_keeps_what_is_on_it(self):
        configure(self.db, (WANTED,))
        before = self.named()
        statements.give_role(self.db, before.number, OWNER, Address("x", "a.test"))
        configure(self.db, (evolve(WANTED, prefix=""),))
        after = self.named()
        self.assertEqual((after.number, after.options.prefix), (before.number, ""))
        self.assertEqual(after.secret, before.secret)
        self.assertEqual(len(statements.people(self.db, after.number, OWNER)), 2)

    def test_a_list_that_the_file_does_not_name_any_more_is_free(self):
        configure(self.db, (WANTED,))
        configure(self.db, ())
        self.assertFalse(self.named().configured)
        self.assertEqual(self.named().options.prefix, "[dev]")

    def test_one_that_a_command_made_is_taken_over(self):
        statements.add(self.db, DEV, evolve(self.options(), footer="x"), 0.0)
        configure(self.db, (WANTED,))
        self.assertEqual(self.named().options.footer, "")

    def options(self):
        return statements.options_of("{}")


class FileTests(SynchronousTestCase):
    def faults(self, text):
        with self.assertRaises(ConfigError) as raised:
            loads(text.encode(), Path("x.toml"))
        return str(raised.exception)

    def test_what_cannot_be_is_told(self):
        domain = '[[domain]]\nname = "a.test"\n'
        for lines, told in (
            ('address = "dev@b.test"', "b.test is no [[domain]]"),
            ('address = "dev-request@a.test"', "without a last part like -request"),
            ('address = "dev@a.test"\none_click = true', "needs lists.url"),
            ('address = "dev@a.test"\nposting = "all"', '"moderators"'),
            ('address = "dev@a.test"\nowners = ["x"]', "addresses like"),
        ):
            found = self.faults(f"{domain}[[mailing_list]]\n{lines}\n")
            self.assertIn(told, found, lines)

    def test_a_list_is_given_once(self):
        text = '[[domain]]\nname = "a.test"\n' + 2 * (
            '[[mailing_list]]\naddress = "dev@a.test"\n'
        )
        self.assertIn("is given twice", self.faults(text))


class OptionTests(SynchronousTestCase):
    def test_options_come_back_and_what_is_not_known_is_left_out(self):
        options = statements.options_of('{"prefix": "[x]", "gone": 1, "posting": "?"}')
        self.assertEqual((options.prefix, options.posting), ("[x]", "members"))
        self.assertEqual(statements.options_text(options), '{"prefix": "[x]"}')

    def test_a_list_is_of_no_domain_that_stands_for_another(self):
        text = b'[[domain]]\nname = "a.test"\n[[domain]]\nname = "b.test"\n'
        config = loads(text + b'alias_of = "a.test"\n', Path("x.toml"))
        self.assertEqual(local_list(config, "Dev@a.test"), Address("dev", "a.test"))
        for wrong in ("dev@b.test", "dev", "dev-owner@a.test"):
            with self.assertRaises(MailError):
                local_list(config, wrong)

    def test_tokens_are_never_the_same(self):
        self.assertEqual(len({new_token() for _ in range(1000)}), 1000)
