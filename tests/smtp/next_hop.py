"""A scripted next hop on a real socket, and the values of a job for it."""

from attrs import evolve
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.protocol import Factory, Protocol

from mailtwist.address import Address
from mailtwist.config.relaying import Relay
from mailtwist.delivery.model import NO_WISHES, NOTHING_SAID, Route
from mailtwist.queue.model import (
    Host,
    Job,
    QueuedMessage,
    QueuedRecipient,
    TlsRule,
)
from mailtwist.smtp.client_pool import Connections
from mailtwist.smtp.client_tls import ClientTls
from mailtwist.smtp.transport import SmtpTransport

MAIL = b"Received: from a by b\r\nFrom: <ann@a.test>\r\n\r\nHello\r\n.\r\n"


class Content:
    """Octets as IContent."""

    def __init__(self, octets=MAIL):
        self._octets, self.octets, self.reads = octets, len(octets), []

    async def read(self, start, count):
        self.reads.append((start, count))
        return self._octets[start : start + count]


def job(
    *recipients,
    sender="ann@a.test",
    wishes=NO_WISHES,
    notify=NOTHING_SAID,
    octets=200,
    next_hop="",
):
    """A job for these addresses; none is bob@b.test."""
    route = Route("smtp", next_hop)
    path = Address.parse(sender) if sender else None
    rows = tuple(
        QueuedRecipient(number, Address.parse(text), route, Address.parse(text), notify)
        for number, text in enumerate(recipients or ("bob@b.test",))
    )
    message = QueuedMessage("q1", path, octets, 0.0, 9e9, wishes)
    return Job(message, rows, path, route)


class FakeHosts:
    """IHosts with one answer; `told` is what became of TLS."""

    def __init__(self, *hosts):
        self.answer, self.asked, self.told = hosts, [], []

    async def hosts(self, next_hop):
        self.asked.append(next_hop)
        if isinstance(self.answer[0], Exception):
            raise self.answer[0]
        return self.answer

    def tls_result(self, next_hop, host, address, failure):
        self.told.append((next_hop, host.name, failure))


class Peer(Protocol):
    """Follows a script: what it says for each line that begins so.

    A value is octets; None says nothing; CLOSE cuts the connection; a callable is
    called with the protocol."""

    def connectionMade(self):
        self.factory.peers.append(self)
        self.rest, self.content = b"", None
        self.say(self.factory.script.get("greeting", b"220 next.test\r\n"))

    def say(self, what):
        if callable(what):
            what = what(self)
        if what is CLOSE:
            self.transport.abortConnection()
        elif what:
            self.transport.write(what)

    def dataReceived(self, data):
        self.factory.heard += data
        self.rest += data
        while self._step():
            pass

    def _step(self):
        script = self.factory.script
        if self.content is not None:
            text = b"\r\n" + self.rest
            if b"\r\n.\r\n" not in text:
                return False
            content, self.rest = text.split(b"\r\n.\r\n", 1)
            self.factory.messages.append(content[2:] + b"\r\n")
            self.content = None
            self.say(script.get("end", b"250 2.0.0 ok\r\n"))
            return True
        if getattr(self, "chunk", None):
            size, last = self.chunk
            if len(self.rest) < size:
                return False
            self.factory.chunks.append(self.rest[:size])
            self.rest, self.chunk = self.rest[size:], None
            self.say(script.get("BDAT", b"250 2.0.0 ok\r\n"))
            return True
        if b"\r\n" not in self.rest:
            return False
        line, self.rest = self.rest.split(b"\r\n", 1)
        self.factory.lines.append(line)
        verb = line.split(b" ")[0].split(b":")[0].decode().upper()
        if verb == "BDAT":
            words = line.split()
            self.chunk = int(words[1]), len(words) == 3
            if self.chunk[0]:
                return True
            self.chunk = None
        for known in (line.decode("utf-8", "replace"), verb):
            if known in script:
                self.say(script[known])
                break
        else:
            self.say(ANSWERS.get(verb, b"250 2.0.0 ok\r\n"))
        if verb == "DATA" and script.get("DATA", ANSWERS["DATA"]).startswith(b"354"):
            self.content = b""
        return True

    def connectionLost(self, reason):
        self.factory.gone += 1


CLOSE = object()
ANSWERS = {
    "EHLO": b"250-next.test\r\n250 PIPELINING\r\n",
    "DATA": b"354 go\r\n",
    "QUIT": b"221 bye\r\n",
    "STARTTLS": b"220 go\r\n",
}


def offering(*extensions):
    """An answer to EHLO."""
    lines = ["next.test", *extensions]
    return b"".join(
        b"250%s%s\r\n" % (b" " if line is lines[-1] else b"-", line.encode())
        for line in lines
    )


class NextHop(Factory):
    protocol = Peer

    def __init__(self, script):
        self.script = script
        self.lines, self.messages, self.chunks, self.peers = [], [], [], []
        self.heard, self.gone = b"", 0


class World:
    """Next hops and a transport to them, for a test case with a reactor."""

    def __init__(self, case, *, relay=None, **options):
        self.case = case
        relay = relay or Relay(idle_s=0.5, command_s=5, greeting_s=5, end_s=5)
        self.connections = Connections(
            reactor, relay, "me.test", ClientTls(options.pop("ca", ""))
        )
        case.addCleanup(self._settled)
        case.addCleanup(self.connections.close)
        self.hosts = FakeHosts()
        self.transport = SmtpTransport(
            reactor, relay, self.hosts, self.connections, **options
        )
        self.hops = []

    async def next_hop(self, script=(), name="next.test", rule=None, **fields):
        """A next hop that listens, told to the transport as the next host to try."""
        hop = NextHop(dict(script))
        port = await TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(hop)
        self.case.addCleanup(port.stopListening)
        host = Host(name, port.getHost().port, ("127.0.0.1",), rule or TlsRule())
        self.hosts.answer = (*self.hosts.answer, evolve(host, **fields))
        self.hops.append(hop)
        return hop

    async def send(self, job, content=None):
        return await self.transport.attempt(job, content or Content())

    def _settled(self):
        """Until no connection is left on either side."""
        for hop in self.hops:
            for peer in hop.peers:
                peer.transport.abortConnection()
        done = Deferred()
        reactor.callLater(0.01, done.callback, None)
        return done
