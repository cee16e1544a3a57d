"""A DNS server of a test's own, on loopback, over UDP and TCP: it says what it is told.

server = Nameserver({("example.test", MX): [mx("example.test", 10, "a.test")]})
server.start(reactor)          # an even port for both
Dns(servers=(server.address,))
"""

import io
import struct

from twisted.internet.error import CannotListenError
from twisted.internet.protocol import DatagramProtocol, Factory, Protocol
from twisted.names import dns

MOST_TAKEN = 20  # ports in a row that somebody else has


def record(name, payload, ttl=300):
    return dns.RRHeader(name.encode(), payload.TYPE, dns.IN, ttl, payload)


def a(name, address, ttl=300):
    return record(name, dns.Record_A(address), ttl)


def aaaa(name, address, ttl=300):
    return record(name, dns.Record_AAAA(address), ttl)


def mx(name, preference, host, ttl=300):
    return record(name, dns.Record_MX(preference, host.encode()), ttl)


def cname(name, target, ttl=300):
    return record(name, dns.Record_CNAME(target.encode()), ttl)


def txt(name, *strings, ttl=300):
    return record(name, dns.Record_TXT(*strings), ttl)


def ptr(name, target, ttl=300):
    return record(name, dns.Record_PTR(target.encode()), ttl)


def tlsa(name, usage, selector, matching, data, ttl=300):
    payload = dns.UnknownRecord(bytes((usage, selector, matching)) + data)
    return dns.RRHeader(name.encode(), 52, dns.IN, ttl, payload)


def soa(name, ttl=300, minimum=60):
    return record(name, dns.Record_SOA(b"ns.test", b"me.test", minimum=minimum), ttl)


class Nameserver(DatagramProtocol):
    """`table` has the answers by (name, type); an int there is an rcode, None silence,
    a function gets the query's dns.Message and gives the octets of the reply or None.

    A name in no row is NXDOMAIN, one with other rows only has no such record.
    """

    noisy = False

    def __init__(self, table, *, authentic=False, soa=None, cut=False, edns=True):
        self.table, self.authentic, self.soa = table, authentic, soa
        self.cut, self.edns = cut, edns
        self.asked, self.over_tcp = [], 0

    def start(self, reactor, host="127.0.0.1"):
        factory = Factory.forProtocol(lambda: _Tcp(self))
        factory.noisy = False
        taken = []
        while True:  # until a port is free for both
            self._tcp = reactor.listenTCP(0, factory, interface=host)
            self.port = self._tcp.getHost().port
            try:
                self._udp = reactor.listenUDP(self.port, self, host)
                break
            except CannotListenError:
                taken.append(self._tcp)
                if len(taken) > MOST_TAKEN:
                    raise
        for port in taken:
            port.stopListening()
        self.address = f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"
        return self

    async def stop(self):
        await self._udp.stopListening()
        await self._tcp.stopListening()

    def datagramReceived(self, octets, address):
        reply = self.answer(octets, cut=self.cut)
        if reply is not None:
            self.transport.write(reply, address)

    def answer(self, octets, *, cut=False):
        query = dns.Message()
        query.decode(io.BytesIO(octets))
        (question,) = query.queries
        name = question.name.name.lower().decode()
        self.asked.append((name, question.type))
        if query.additional and not self.edns:
            return reply_to(query, rcode=dns.EFORMAT).toStr()
        found = self.table.get((name, question.type), ())
        if callable(found):
            return found(query)
        if found is None:
            return None
        if isinstance(found, int):
            return reply_to(query, rcode=found).toStr()
        if not found and not any(name == known for known, _ in self.table):
            reply = reply_to(query, rcode=dns.ENAME)
        else:
            reply = reply_to(query, () if cut else found)
            reply.trunc = cut
        if not found and self.soa is not None:
            reply.authority = [self.soa]
        reply.authenticData = self.authentic
        return reply.toStr()


def reply_to(query, answers=(), rcode=dns.OK):
    reply = dns.Message(query.id, answer=1, recDes=1, recAv=1, rCode=rcode, maxSize=0)
    reply.queries, reply.answers = query.queries, list(answers)
    return reply


class _Tcp(Protocol):
    def __init__(self, server):
        self.server, self.octets = server, b""

    def dataReceived(self, data):
        self.octets += data
        if len(self.octets) > 2:
            (length,) = struct.unpack_from("!H", self.octets)
            if len(self.octets) >= length + 2:
                self.server.over_tcp += 1
                reply = self.server.answer(self.octets[2 : length + 2])
                self.transport.write(struct.pack("!H", len(reply)) + reply)
                self.transport.loseConnection()
