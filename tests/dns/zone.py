"""A resolver for tests that need no sockets: it answers from a table."""

from attrs import evolve
from zope.interface import implementer

from mailtwist.dns.model import Answer
from mailtwist.errors import DnsUnavailable, NoSuchDomain
from mailtwist.interfaces import IResolver

DOWN = DnsUnavailable()


@implementer(IResolver)
class Zone:
    """`table` has a list of records by "KIND name", or a fault; TLSA is "TLSA
    port name".  A name in no row does not exist.  `signed` names are authentic, all if
    it is True; `aliases` lead from a name to the one its addresses stand at.
    """

    def __init__(self, table, signed=(), aliases=()):
        self.table, self.signed, self.aliases = dict(table), signed, dict(aliases)
        self.asked = []

    def _answer(self, kind, name):
        key = f"{kind} {name}"
        self.asked.append(key)
        found = self.table.get(key)
        if isinstance(found, Exception):
            raise found
        if found is None:
            if not any(row.split()[-1] == name for row in self.table):
                raise NoSuchDomain()
            found = ()
        authentic = self.signed is True or name in self.signed
        return Answer(tuple(found), authentic, name, 300.0)

    async def mx(self, domain):
        return self._answer("MX", domain)

    async def addresses(self, host, *, ipv4=True, ipv6=True):
        answer = self._answer("A", self.aliases.get(host, host))
        kept = tuple(a for a in answer.records if (ipv6 if ":" in a else ipv4))
        return evolve(answer, records=kept)

    async def txt(self, name):
        return self._answer("TXT", name)

    async def tlsa(self, port, host):
        return self._answer(f"TLSA {port}", host)

    async def cname(self, name):
        self.asked.append(f"CNAME {name}")
        found = [self.aliases[name]] if name in self.aliases else []
        authentic = self.signed is True or name in self.signed
        return Answer(tuple(found), authentic, name, 300.0)

    async def ptr(self, address):
        return self._answer("PTR", address)
