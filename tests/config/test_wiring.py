from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from mailtwist.config.load import loads
from mailtwist.errors import ConfigError

DOMAIN = '[[domain]]\nname = "a.test"\n'
TABLE = '[[table]]\nname = "t"\nkind = "inline"\n'
CLASS = '[[restriction_class]]\nname = "%s"\nchecks = ["%s"]\n'


class WiringTests(SynchronousTestCase):
    def test_what_options_get_wrong_together_is_told(self):
        for text, told in [
            ('[alias]\nvirtual = ["x"]', 'alias.virtual = "x" names no [[table]]'),
            (TABLE + '[mailboxes]\ntables = ["t"]', "needs mailboxes.folder"),
            (
                '[mailboxes]\nuids = ["x"]\ngids = ["static:5"]',
                'mailboxes.uids = "x" names no [[table]]',
            ),
            ('[mailboxes]\nuids = ["static:5"]', "mailboxes.gids need each other"),
            ('[mailboxes]\nuids = ["static:x"]', "`static:NUMBER`, or names of"),
            ('[mailboxes]\nuids = ["static:0"]', "`static:NUMBER`, or names of"),
            (TABLE + TABLE, "table t is given twice"),
            (TABLE + 'source = "x"', "source is not for inline"),
            ('[[table]]\nname = "t"\nkind = "file"', "source is missing"),
            (
                '[[table]]\nname = "t"\nkind = "sqlite"\nsource = "x"',
                "query is missing",
            ),
            (
                '[[table]]\nname = "t"\nkind = "file"\nsource = "x"\nentries = ["x y"]',
                "entries is for inline only",
            ),
            (
                '[restrictions]\nhelo = ["rejct"]',
                'restrictions.helo: "rejct" is no word',
            ),
            (
                '[restrictions]\nhelo = ["warn_if_reject check_helo_access x"]',
                'restrictions.helo = "x" names no [[table]]',
            ),
            (CLASS % ("a", "b"), 'restriction_class a: "b" is no word'),
            (CLASS % ("a", "reject") * 2, "restriction_class a is given twice"),
            (CLASS % ("Hold", "reject"), "Hold: that is a word already"),
            (CLASS % ("reject", "defer"), "reject: that is a word already"),
            (CLASS % ("a", "b") + CLASS % ("b", "a"), "a leads to itself"),
            ("[[route]]", "needs either action or table"),
            (
                TABLE + '[[route]]\naction = "smtp:"\ntable = "t"',
                "needs either action or table",
            ),
            ('[[route]]\naction = "smarthost:"', "needs a [[smarthost]]"),
            ('[[route]]\ntable = "x"', 'route[1].table = "x" names no [[table]]'),
            (
                '[[relay_domain]]\nname = "b.test"\nrecipients = ["x"]',
                'relay_domain[1].recipients = "x" names no [[table]]',
            ),
            (DOMAIN + '[[relay_domain]]\nname = "a.test"', "is a [[domain]] too"),
            (DOMAIN + 'alias_of = "x.test"', "alias_of names no [[domain]]"),
            (DOMAIN + '[srs]\ndomain = "x.test"', "x.test gets no bounces"),
            (
                DOMAIN + '[[domain]]\nname = "b.test"\nalias_of = "a.test"\n'
                '[srs]\ndomain = "b.test"',
                "srs.domain names an alias_of: give a.test",
            ),
            (DOMAIN + 'alias_of = "a.test"', "names a domain that is one itself"),
            ('[dns]\nservers = ["dns.test:53"]', "dns.servers: 'dns.test:53' is no"),
            (
                '[[tls_policy]]\ndestination = "a b"\ntls = "may"',
                "tls_policy[1].destination: 'a b' is no domain",
            ),
            ('[relay]\ntls = "dane"', 'relay.tls = "dane" needs dns.validating'),
            (
                '[[tls_policy]]\ndestination = "a.test"\ntls = "dane"',
                'tls_policy[1].tls = "dane" needs dns.validating',
            ),
        ]:
            fault = self.assertRaises(
                ConfigError, loads, text.encode(), Path("/x.toml")
            )
            self.assertIn(told, str(fault))

    def test_values_of_routes_are_checked(self):
        for text, key, allowed in [
            ('[[route]]\naction = "uucp:x"', "route[1].action", "`smtp:[host]:port`"),
            (
                '[[route]]\nmatch = "a b"\naction = "smtp:"',
                "route[1].match",
                "`user@domain`",
            ),
            (
                '[[route]]\nsender = "x.test"\naction = "smtp:"',
                "route[1].sender",
                "`@domain`",
            ),
            (
                '[[relay_domain]]\nname = "a@b.test"',
                "relay_domain[1].name",
                "`.domain`",
            ),
            ('[[table]]\nname = "t"\nkind = "hash"', "table[1].kind", '"file"'),
        ]:
            fault = self.assertRaises(
                ConfigError, loads, text.encode(), Path("/x.toml")
            )
            self.assertIn(key, str(fault))
            self.assertIn(allowed, str(fault))

    def test_a_whole_of_it_can_be_used(self):
        text = DOMAIN + TABLE + 'entries = ["a b"]\n[alias]\nvirtual = ["t"]\n'
        text += '[mailboxes]\ntables = ["t"]\nfolder = "mail"\ndomains = ["t"]\n'
        text += '[[relay_domain]]\nname = ".b.test"\nrecipients = ["t"]\n'
        text += '[[route]]\nmatch = ".c.test"\ntable = "t"\n'
        config = loads(text.encode(), Path("/etc/x.toml"))
        self.assertEqual(config.mailboxes.folder, "/etc/mail")
