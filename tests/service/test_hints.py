"""Tests for mailtwist.service.hints."""

import json

from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.service.bus import Bus
from mailtwist.service.hints import MailboxHints


class Store:
    hint = None

    def __init__(self):
        self.heard = []

    def hinted(self, home, path):
        self.heard.append((home, path))


class HintsTests(SynchronousTestCase):
    def test_each_change_is_told_once_a_turn_and_heard_as_it_was(self):
        clock, transport, bus, store = Clock(), StringTransport(), Bus(), Store()
        MailboxHints(clock, store, bus)
        store.hint("/home", ("INBOX",))  # nobody is there yet
        bus.makeConnection(transport)
        for path in (("INBOX",), None, ("INBOX",), ()):
            store.hint("/home", path)
        clock.advance(0)
        line = json.loads(transport.value()[4:])
        self.assertEqual(
            line,
            [
                "tell",
                "mailboxes",
                [["/home", ["INBOX"]], ["/home", None], ["/home", []]],
            ],
        )
        other = Store()
        there = Bus()
        MailboxHints(clock, other, there)
        there.makeConnection(StringTransport())
        told = json.dumps(["told", *line[1:]]).encode()
        there.dataReceived(len(told).to_bytes(4, "big") + told)
        self.assertEqual(
            other.heard, [("/home", ("INBOX",)), ("/home", None), ("/home", ())]
        )
        self.assertEqual(clock.getDelayedCalls(), [])
