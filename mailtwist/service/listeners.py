"""One service a listener: socket, PROXY header, gate, TLS, protocol - in that order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.application.internet import StreamServerEndpointService
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory
from twisted.protocols.tls import TLSMemoryBIOFactory

from ..config.listener import parameters, translated
from ..config.model import Listener
from .gate import Gate, GatedFactory, Sessions
from .place import Place
from .proxy import ProxyProtocolFactory
from .sockets import BACKLOG, Inherited, endpoint_of, not_listening
from .tls import LOGIN_SERVICES, AskingTls, ServerTls


class ListenerService(StreamServerEndpointService):
    """A listening socket; one that cannot be had stops the start with a clear word."""

    def __init__(self, listener: Listener, endpoint: Any, factory: Any) -> None:
        self.listener = listener
        super().__init__(endpoint, factory)
        self._raiseSynchronously = True

    def privilegedStartService(self) -> None:
        try:
            super().privilegedStartService()
        except (CannotListenError, OSError) as fault:
            raise not_listening(self.listener.endpoint, fault) from fault


class NamedFactory(Factory):
    """Tells each protocol of `core` the name of the listener it came through."""

    noisy = False

    def __init__(self, core: Any, name: str) -> None:
        self._core, self._name = core, name

    def doStart(self) -> None:
        self._core.doStart()

    def doStop(self) -> None:
        self._core.doStop()

    def buildProtocol(self, addr: Any) -> Any:
        protocol = self._core.buildProtocol(addr)
        if protocol is not None:
            protocol.listener = self._name
        return protocol


def listener_services(
    reactor: Any,
    listeners: tuple[Listener, ...],
    factories: Mapping[tuple[str, str], Any],
    gate: Gate,
    tls: ServerTls,
    place: Place,
) -> list[ListenerService]:
    """The services of all listeners, on factories by (protocol, tls)."""
    services = []
    for number, given in enumerate(listeners):
        listener = translated(given)
        core = factories[listener.protocol, listener.tls]
        named = NamedFactory(core, listener.name) if listener.name else core
        implicit = listener.tls == "implicit"
        asked = AskingTls(tls) if listener.protocol in LOGIN_SERVICES else tls
        inner = TLSMemoryBIOFactory(asked, False, named) if implicit else named
        line = b"" if implicit else core.too_many
        name = f"{listener.protocol} (TLS {listener.tls})"
        outer: Any = GatedFactory(reactor, gate, inner, line, name)
        if listener.proxy_protocol:
            outer = ProxyProtocolFactory(reactor, outer)
        endpoint: Any
        if place.sockets is None:
            endpoint = endpoint_of(reactor, listener.endpoint)
        else:
            backlog = int(parameters(listener.endpoint).get("backlog", BACKLOG))
            descriptor = place.sockets[number]
            endpoint = Inherited(reactor, descriptor, place.has_most, backlog)
        services.append(ListenerService(listener, endpoint, outer))
    return services


def count_sessions(factory: Any, gate: Gate) -> None:
    """Let the gate see this factory's sessions."""
    factory.sessions = Sessions(gate)
