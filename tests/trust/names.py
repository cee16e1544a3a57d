"""DNS in memory for the checks of origin."""

from ipaddress import ip_address

from mailtwist.errors import DnsUnavailable


class MemoryNames:
    """Records by "TYPE name"; names in `down` cannot be looked up now."""

    def __init__(self, records=(), down=()):
        self.records, self.down, self.asked = dict(records), set(down), []

    def _ask(self, kind, name):
        self.asked.append(f"{kind} {name}")
        if name in self.down:
            raise DnsUnavailable()
        return self.records.get(f"{kind} {name}", ())

    async def txt(self, name):
        return [
            one.encode() if isinstance(one, str) else one
            for one in self._ask("TXT", name)
        ]

    async def addresses(self, name, *, ipv6):
        return self._ask("AAAA" if ipv6 else "A", name)

    async def mx(self, name):
        return self._ask("MX", name)

    async def ptr(self, address):
        return self._ask("PTR", ip_address(address).reverse_pointer)
