"""Tests for mailtwist.service.bus."""

import json
import struct

from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.service.bus import Bus, End


def lines(transport):
    octets, found = transport.value(), []
    while octets:
        (length,) = struct.unpack(">I", octets[:4])
        found.append(json.loads(octets[4 : 4 + length]))
        octets = octets[4 + length :]
    transport.clear()
    return found


def framed(*words):
    octets = json.dumps(words).encode()
    return struct.pack(">I", len(octets)) + octets


class BusTests(SynchronousTestCase):
    def connected(self, end):
        transport = StringTransport()
        end.makeConnection(transport)
        return transport

    def test_what_is_said_is_heard_in_any_pieces(self):
        end, heard = End(), []
        end.hear("sum", lambda *numbers: heard.append(sum(numbers)))
        self.connected(end)
        for octet in framed("sum", 1, 2) + framed("sum", 3):
            end.dataReceived(bytes([octet]))
        self.assertEqual(heard, [3, 3])

    def test_nothing_is_said_where_nobody_is(self):
        bus = Bus()
        self.assertFalse(bus.say("ready"))
        bus.tell("queued", ["m"])  # and nothing happens

    def test_what_others_tell_comes_to_who_asked_for_its_kind(self):
        bus, heard = Bus(), []
        bus.on("queued", heard.extend)
        self.connected(bus)
        bus.dataReceived(framed("told", "queued", ["m", "n"]))
        bus.dataReceived(framed("told", "unheard", 1))
        self.assertEqual(heard, ["m", "n"])

    def test_hints_are_left_out_while_the_other_end_is_slow_and_words_are_not(self):
        bus = Bus()
        transport = self.connected(bus)
        bus.pauseProducing()
        bus.tell("queued", ["lost"])
        bus.say("pong", 1)
        bus.resumeProducing()
        bus.tell("queued", ["m"])
        self.assertEqual(lines(transport), [["pong", 1], ["tell", "queued", ["m"]]])

    def test_who_hears_may_fail_and_the_line_goes_on(self):
        end, heard = End(), []
        end.hear("bad", lambda: 1 / 0)
        end.hear("good", lambda: heard.append(1))
        self.connected(end)
        end.dataReceived(framed("bad") + framed("unknown") + framed("good"))
        self.assertEqual(heard, [1])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_the_end_is_told_once(self):
        end, ends = End(), []
        end.lost = lambda: ends.append(1)
        self.connected(end)
        end.connectionLost()
        self.assertEqual((ends, end.say("x")), ([1], False))
