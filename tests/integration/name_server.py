"""A DNS server in a process of its own, for a world of hosts on loopback.

    python -m tests.integration.name_server FILE [ADDRESS]

The file is JSON: {"MX a.test": [[10, "mx.a.test"]], "A mx.a.test": ["127.0.0.1"],
"TXT a.test": ["text"]}, read anew for each question.  It prints its address and port.
"""

import json
import sys
from pathlib import Path

from twisted.internet import reactor

from mailtwist.dns.wire import AAAA, CNAME, MX, PTR, TXT, A
from tests.dns import nameserver
from tests.dns.nameserver import Nameserver

TTL_S = 1  # so that a test may change the zone


def strings(octets):
    """A TXT record as strings of 255 octets at most."""
    return [octets[at : at + 255] for at in range(0, len(octets), 255)] or [b""]


def row(key, values):
    """((name, type), records) of a line of the file."""
    kind, name = key.split()
    made = {
        "A": lambda v: nameserver.a(name, v, TTL_S),
        "AAAA": lambda v: nameserver.aaaa(name, v, TTL_S),
        "MX": lambda v: nameserver.mx(name, v[0], v[1], TTL_S),
        "CNAME": lambda v: nameserver.cname(name, v, TTL_S),
        "TXT": lambda v: nameserver.txt(name, *strings(v.encode()), ttl=TTL_S),
        "PTR": lambda v: nameserver.ptr(name, v, TTL_S),
    }[kind]
    types = {"A": A, "AAAA": AAAA, "MX": MX, "CNAME": CNAME, "TXT": TXT, "PTR": PTR}
    return (name, types[kind]), [made(value) for value in values]


class File(dict):
    """The table of a Nameserver, as the file is now."""

    def __init__(self, path):
        super().__init__()
        self._path = Path(path)

    def read(self):
        self.clear()
        zone = json.loads(self._path.read_text())
        self.update(row(key, values) for key, values in zone.items())


class FileServer(Nameserver):
    def answer(self, octets, *, cut=False):
        self.table.read()
        return super().answer(octets, cut=cut)


def main():
    server = FileServer(File(sys.argv[1]), soa=nameserver.soa("test", 1, 1))
    server.start(reactor, *sys.argv[2:])
    print(server.address, flush=True)
    reactor.run()


if __name__ == "__main__":
    main()
