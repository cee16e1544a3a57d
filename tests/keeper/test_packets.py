"""Packets come whole or not at all."""

import json
import os
import socket

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.keeper.packets import MOST_OCTETS, BadPacket, packed, receive, send

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


class PacketTests(SynchronousTestCase):
    def setUp(self):
        self.ours, self.theirs = socket.socketpair(
            socket.AF_UNIX, socket.SOCK_SEQPACKET
        )
        for end in (self.ours, self.theirs):
            end.setblocking(False)
            self.addCleanup(end.close)

    @given(value=VALUES)
    def test_what_is_sent_is_received(self, value):
        send(self.ours, packed(value))
        self.assertEqual(receive(self.theirs), (value, []))

    @given(octets=st.binary(min_size=1, max_size=200))
    def test_arbitrary_octets_are_json_or_a_bad_packet(self, octets):
        self.ours.send(octets)
        try:
            value, _ = receive(self.theirs)
        except BadPacket as fault:
            self.assertEqual(str(fault), "it is no JSON")
        else:
            self.assertEqual(json.dumps(value), json.dumps(json.loads(octets)))

    def test_a_descriptor_arrives_and_is_not_inherited(self):
        read, write = os.pipe()
        send(self.ours, packed("here"), [read])
        os.close(read)
        value, (descriptor,) = receive(self.theirs)
        self.assertEqual(value, "here")
        self.assertFalse(os.get_inheritable(descriptor))
        os.write(write, b"x")
        self.assertEqual(os.read(descriptor, 1), b"x")
        os.close(descriptor)
        os.close(write)

    def test_descriptors_of_a_bad_packet_are_closed(self):
        read, write = os.pipe()
        socket.send_fds(self.ours, [b"no json"], [write])
        os.close(write)
        self.assertRaises(BadPacket, receive, self.theirs)
        self.assertEqual(os.read(read, 1), b"")
        os.close(read)

    def test_a_packet_that_is_cut_short_is_not_half_understood(self):
        self.ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * MOST_OCTETS)
        self.ours.send(b"1" * (MOST_OCTETS + 1))
        self.assertRaises(BadPacket, receive, self.theirs)

    def test_the_end_is_told(self):
        self.ours.close()
        self.assertRaises(EOFError, receive, self.theirs)

    def test_more_than_fits_is_not_sent(self):
        self.assertRaises(ValueError, packed, "x" * MOST_OCTETS)
