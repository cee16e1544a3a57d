from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.address import Address
from mailtwist.config.load import loads
from mailtwist.delivery.model import LocalRecipient
from mailtwist.errors import ConfigError, LookupFailed
from mailtwist.secret import Secret
from mailtwist.service.routing import build_routing, build_srs
from mailtwist.store.agent.agents import Agents
from mailtwist.store.agent.store import AgentStore
from mailtwist.store.memory import MemoryStore

DOMAINS = """
[[domain]]
name = "[127.0.0.1]"
[[domain]]
name = "old.test"
alias_of = "a.test"
[[domain]]
name = "a.test"
[[domain]]
name = "fwd.test"
"""
TABLES = """
[[table]]
name = "boxes"
kind = "inline"
entries = ["eve@b.test b.test/eve/"]
[[table]]
name = "domains"
kind = "inline"
entries = ["b.test x"]
[mailboxes]
tables = ["boxes"]
domains = ["domains"]
folder = "vmail"
"""
NOW_S = 1_800_000_000.0


class Directory:
    async def has_domain(self, domain):
        return domain == "a.test"

    async def account_for(self, address):
        return None


def derived(purpose):
    return Secret(purpose * 10)


class RoutingTests(SynchronousTestCase):
    def config(self, text):
        return loads((DOMAINS + text).encode(), Path("/etc/mailtwist.toml"))

    def built(self, text=""):
        self.agents = Agents(Clock(), None, most=1, idle_s=1)
        return build_routing(
            reactor=Clock(),
            config=self.config(text),
            directory=Directory(),
            store=AgentStore(MemoryStore(), self.agents),
            agents=self.agents,
            queue=None,
            derived=derived,
        )

    def test_mailboxes_of_tables_are_asked_behind_the_accounts(self):
        routing = self.built(TABLES)
        resolved = routing.router.resolve(Address("eve", "b.test"), may_relay=False)
        recipient = self.successResultOf(Deferred.fromCoroutine(resolved))
        self.assertIsInstance(recipient, LocalRecipient)
        self.assertEqual(recipient.account.mailbox_path, "/etc/vmail/b.test/eve/")

    def test_it_has_ways_into_commands_and_files_and_ends(self):
        routing = self.built()
        self.assertEqual(set(routing.transports), {"pipe", "file"})
        self.successResultOf(Deferred.fromCoroutine(routing.close()))

    def test_settings_that_cannot_be_used_are_told_at_once(self):
        table = '[[table]]\nname = "t"\nkind = "ldap"\nsource = "/nowhere"\n'
        self.assertRaises(ConfigError, self.built, table)

    def test_senders_are_rewritten_under_the_first_domain_or_the_one_named(self):
        for text, domain in [
            ("", "a.test"),
            ('[srs]\ndomain = "fwd.test"\n', "fwd.test"),
            ("[srs]\nenabled = false\n", None),
        ]:
            srs = build_srs(self.config(text), derived)
            self.assertEqual(srs.domain if srs else None, domain)
        self.assertIsNone(build_srs(loads(b"", Path("/x")), derived))

    def test_a_key_that_cannot_be_had_is_temporary(self):
        def broken(purpose):
            raise PermissionError(13, "Permission denied")

        srs = build_srs(self.config(""), broken)
        with self.assertRaises(LookupFailed):
            srs.forward(Address("eve", "else.test"), NOW_S)
