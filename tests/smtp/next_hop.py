"""A scripted next hop on a real socket, and the values of a job for it."""

from attrs import evolve
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint, TCP6ServerEndpoint
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

LONG_S = 5.0

MAIL = b"Received: from a by b\r\nFrom: <ann@a.test>\r\n\r\nHello\r\n.\r\n"


def run(method):
    """A test that is a coroutine."""

    def test(self):
        return Deferred.fromCoroutine(method(self))

    test.__name__ = method.__name__
    return test


def statuses(outcomes):
    return [one.fault and one.fault.status for one in outcomes]


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

    def rule(self, rule):
        """Another rule for the hosts."""
        self.answer = tuple(evolve(host, rule=rule) for host in self.answer)

    def tls_result(self, next_hop, host, address, failure):
        self.told.append((next_hop, host.name, failure))


class Peer(Protocol):
    """Follows a script: what it says for each line that begins so.

    A value is octets; CLOSE cuts the connection; SILENCE says nothing from then on; a
    callable is called with the protocol."""

    def connectionMade(self):
        self.factory.peers.append(self)
        self.rest, self.content, self.chunk, self.mute = b"", None, None, None
        self.say(self.factory.script.get("greeting", b"220 next.test\r\n"))

    secure = False
    accepted = None  # the recipients so far, where a script keeps them
    lines_to = None  # gives the answer to lines that are no commands

    def say(self, what):
        if callable(what):
            what = what(self)
        self.said = what if isinstance(what, bytes) else b""
        if what is CLOSE:
            self.transport.abortConnection()
        elif what is SILENCE:
            self.mute = SILENCE
        elif what:
            self.transport.write(what)

    def dataReceived(self, data):
        if self.mute is not None:
            self.say(self.mute)
            return
        self.rest += data
        while self.mute is None and self._step():
            pass

    def _step(self):
        script = self.factory.script
        if self.content is not None:
            end = self.rest.find(b"\r\n.\r\n", max(0, self.looked - 4))
            self.looked = len(self.rest)
            if self.rest.startswith(b".\r\n"):
                content, self.rest = b"", self.rest[3:]
            elif end < 0:
                return False
            else:
                content, self.rest = self.rest[: end + 2], self.rest[end + 5 :]
            self.last = content
            self.factory.messages.append(content)
            self.content = None
            self.say(script.get("end", b"250 2.0.0 ok\r\n"))
            return True
        if self.chunk:
            size, _ = self.chunk
            if len(self.rest) < size:
                return False
            self.last = self.rest[:size]
            self.factory.chunks.append(self.last)
            self.rest, self.chunk = self.rest[size:], None
            self.say(script.get("BDAT", b"250 2.0.0 ok\r\n"))
            return True
        if b"\r\n" not in self.rest:
            return False
        line, self.rest = self.rest.split(b"\r\n", 1)
        if self.lines_to is not None:
            self.say(self.lines_to(self, line))
            return True
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
        if verb == "DATA" and self.said[:3] == b"354":
            self.content, self.looked = b"", 0
        if verb == "STARTTLS" and self.said == ANSWERS["STARTTLS"]:
            self.transport.startTLS(self.factory.tls)
            self.secure = True
        self.factory.heard_of(verb)
        return True

    def connectionLost(self, reason):
        self.factory.gone += 1
        self.factory.heard_of("")


CLOSE, SILENCE = object(), object()
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
        self.gone, self.waiting, self.tls = 0, [], None

    def heard_of(self, verb):
        waiting, self.waiting = self.waiting, []
        for one in waiting:
            one.callback(None)

    def _something(self):
        """The next command, or the end of a connection."""
        waiting = Deferred()
        waiting.addTimeout(LONG_S, reactor)
        self.waiting.append(waiting)
        return waiting

    async def said(self, beginning):
        """Until a command begins so."""
        while not any(line.startswith(beginning) for line in self.lines):
            await self._something()

    async def lost(self):
        """Until every connection is gone."""
        while self.gone < len(self.peers):
            await self._something()


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
        kind = options.pop("kind", SmtpTransport)
        self.transport = kind(reactor, relay, self.hosts, self.connections, **options)
        self.hops = []

    async def next_hop(
        self, script=(), name="next.test", rule=None, address="127.0.0.1", **fields
    ):
        """A next hop that listens, told to the transport as the next host to try."""
        hop = NextHop(dict(script))
        kind = TCP6ServerEndpoint if ":" in address else TCP4ServerEndpoint
        port = await kind(reactor, 0, interface=address).listen(hop)
        self.case.addCleanup(port.stopListening)
        host = Host(name, port.getHost().port, (address,), rule or TlsRule())
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
