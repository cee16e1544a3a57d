"""Packets between server and keeper: one JSON value each, with descriptors beside it.

SOCK_SEQPACKET keeps them apart and tells of the end; a packet that is cut short or is
no JSON is never half understood.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Sequence
from typing import Any

MOST_OCTETS = 64 * 1024
MOST_DESCRIPTORS = 1
RIGHT, WRONG, DISABLED = "right", "wrong", "disabled"  # of passwords
SPOOL_VARIABLE = "MAILTWIST_SPOOL"  # an agent finds DESCRIPTOR:FILE there
DESCRIPTOR = 3  # of the socket in the keeper, and in each agent


class BadPacket(ValueError):
    """What came is no packet."""


def packed(value: object) -> bytes:
    """Raises ValueError for more than a packet holds."""
    packet = json.dumps(value).encode()
    if len(packet) > MOST_OCTETS:
        raise ValueError("too long for a packet")
    return packet


def send(sock: socket.socket, packet: bytes, descriptors: Sequence[int] = ()) -> None:
    """Raises BlockingIOError if the socket takes nothing now."""
    socket.send_fds(sock, [packet], descriptors)


def receive(sock: socket.socket) -> tuple[Any, list[int]]:
    """(value, descriptors), which are the caller's to close.

    Raises EOFError at the end, BadPacket, BlockingIOError."""
    octets, descriptors, flags, _ = socket.recv_fds(sock, MOST_OCTETS, MOST_DESCRIPTORS)
    try:
        if not octets:
            raise EOFError
        if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
            raise BadPacket("it is cut short")
        try:
            value = json.loads(octets)
        except ValueError:  # of its text we say nothing: it may hold a password
            raise BadPacket("it is no JSON") from None
    except BaseException:
        for descriptor in descriptors:
            os.close(descriptor)
        raise
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)
    return value, descriptors
