"""Octets to a peer that waits for them, without a turn of the reactor between."""

from __future__ import annotations

from typing import Any

from twisted.internet.tcp import Connection


def write_at_once(transport: Any, octets: bytes) -> None:
    """As `transport.write`, but what the socket takes now goes now.

    The reactor's own way has it watch the socket for room to write, and watch no more
    once it was written: four system calls and a turn for each answer.  Where octets
    wait already, or TLS is between, they are the transport's; so is every fault.
    """
    if (
        isinstance(transport, Connection)
        and transport.connected
        and not transport.TLS
        and not transport.disconnecting
        and not transport.dataBuffer
        and not getattr(transport, "_tempDataBuffer", True)
    ):
        taken = transport.writeSomeData(octets)
        if isinstance(taken, int) and taken > 0:
            if taken == len(octets):
                return
            octets = octets[taken:]
    transport.write(octets)
