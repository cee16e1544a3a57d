"""A DNS and tables in memory for policy."""

from ipaddress import ip_address

from twisted.internet.defer import Deferred

from mailtwist.dns.model import Answer
from mailtwist.errors import DnsUnavailable, NoSuchDomain


class MemoryResolver:
    """Records by (kind, name); `down` names cannot be looked up now, names in `slow`
    wait for their Deferred."""

    def __init__(self, records=(), down=()):
        self.records, self.down, self.asked = dict(records), set(down), []
        self.slow, self.waiting = {}, {}

    async def _answer(self, kind, name):
        self.asked.append((kind, name))
        if name in self.slow:
            await self._waited(self.slow[name])
        if name in self.down:
            raise DnsUnavailable()
        known = {one for _, one in self.records}
        if name not in known:
            raise NoSuchDomain()
        return Answer(tuple(self.records.get((kind, name), ())))

    def _waited(self, slow):
        """Each who asks waits alone; when the last gives up, so does the look-up."""
        waiting = self.waiting.setdefault(slow, [])

        def given_up(waiter):
            waiting.remove(waiter)
            if not waiting:
                slow.cancel()

        waiter = Deferred(given_up)
        waiting.append(waiter)
        slow.addCallbacks(
            lambda told: waiter.called or waiter.callback(told), lambda fault: None
        )
        return waiter

    async def mx(self, domain):
        return await self._answer("MX", domain)

    async def addresses(self, host, *, ipv4=True, ipv6=True):
        if not ipv4:
            return await self._answer("AAAA", host)
        return await self._answer("A", host)

    async def txt(self, name):
        return await self._answer("TXT", name)

    async def ptr(self, address):
        if not ip_address(address).reverse_pointer:  # raises for a zone, as ours does
            raise ValueError(address)
        return await self._answer("PTR", address)

    def wait_for(self, name):
        return self.slow.setdefault(name, Deferred())


class MemoryTable:
    """An access table."""

    def __init__(self, entries, *, name="access", whole_keys=False):
        self.entries, self.name, self.whole_keys = entries, name, whole_keys
        self.asked = []

    async def find(self, key):
        self.asked.append(key)
        return self.entries.get(key)
