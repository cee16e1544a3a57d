"""How many connections may be open at once, in all and from one network."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from twisted.internet.interfaces import ILoggingContext
from twisted.internet.protocol import Factory, Protocol
from zope.interface import implementer

from ..config.model import Limits
from ..policy.rate import Counted, Entered
from .tally import Tally

REFUSED_S = 5.0  # a refused peer that does not read is cut off after this


def network_of(address: Any) -> str:
    """The IPv4 address or IPv6 /64 of a peer; "local" for a Unix socket."""
    host = getattr(address, "host", None)
    if not isinstance(host, str):
        return "local"
    try:
        parsed = ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if parsed.version == 4:
        return host
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return f"{parsed.exploded[:19]}::/64"


class Gate:
    """Counts the connections of all services, and with a `tally` of all workers.

    Workers that let clients in at the same moment may let in one each too many."""

    def __init__(self, limits: Limits, tally: Tally | None = None) -> None:
        self._limits, self._tally = limits, tally
        self._networks: Entered = tally or Counted()
        self.connections = 0  # of this process

    def admits(self, network: str) -> bool:
        limits, tally = self._limits, self._tally
        connections = tally.connections() if tally else self.connections
        return connections < limits.connections and (
            network == "local"
            or self._networks.count(network) < limits.connections_per_network
        )

    def entered(self, network: str) -> None:
        self._networks.add(network)
        self._connected(self.connections + 1)

    def left(self, network: str) -> None:
        self._networks.remove(network)
        self._connected(self.connections - 1)

    def _connected(self, connections: int) -> None:
        self.connections = connections
        if self._tally is not None:
            self._tally.connected(connections)


class Sessions(set[Any]):
    """A factory's live sessions; adding and discarding one counts at the gate."""

    def __init__(self, gate: Gate) -> None:
        super().__init__()
        self._gate = gate
        self._network: dict[int, str] = {}

    def add(self, session: Any) -> None:
        if session not in self:
            network = network_of(session.transport.getPeer())
            self._network[id(session)] = network
            self._gate.entered(network)
            super().add(session)

    def discard(self, session: Any) -> None:
        if session in self:
            super().discard(session)
            self._gate.left(self._network.pop(id(session)))

    def remove(self, session: Any) -> None:
        if session not in self:
            raise KeyError(session)
        self.discard(session)


class Refusal(Protocol):
    """Says one line to a peer too many, then closes."""

    transport: Any

    def __init__(self, reactor: Any, line: bytes) -> None:
        self._reactor, self._line = reactor, line

    def connectionMade(self) -> None:
        self._late = self._reactor.callLater(REFUSED_S, self.transport.abortConnection)
        self.transport.write(self._line)
        self.transport.loseConnection()

    def connectionLost(self, reason: object = None) -> None:
        if self._late.active():
            self._late.cancel()


@implementer(ILoggingContext)
class GatedFactory(Factory):
    """Lets peers through to `inner` while the gate admits them; others get `line`.

    `name` is what the log calls it when its port opens.
    """

    noisy = False

    def __init__(
        self, reactor: Any, gate: Gate, inner: Any, line: bytes, name: str
    ) -> None:
        self._reactor, self._gate, self._inner, self._line = reactor, gate, inner, line
        self._name = name

    def logPrefix(self) -> str:
        return self._name

    def doStart(self) -> None:
        self._inner.doStart()

    def doStop(self) -> None:
        self._inner.doStop()

    def buildProtocol(self, addr: Any) -> Any:
        if self._gate.admits(network_of(addr)):
            return self._inner.buildProtocol(addr)
        return Refusal(self._reactor, self._line)
