"""Tests for mailtwist.service.control."""

import os
import shutil
import socket
import tempfile

from twisted.internet import reactor
from twisted.internet.defer import maybeDeferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransportWithDisconnection
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase, TestCase

from mailtwist.errors import MailError
from mailtwist.service.control import ASK_S, Asked, Control, ask


async def status():
    return {"pid": 1}


async def refused():
    raise MailError("Not now")


async def broken():
    raise ZeroDivisionError


DEEDS = {"status": status, "reload": refused, "break": broken}


class AskedTests(SynchronousTestCase):
    def asked(self, *pieces):
        clock, transport = Clock(), StringTransportWithDisconnection()
        transport.protocol = protocol = Asked(clock, DEEDS)
        transport.abortConnection = transport.loseConnection
        protocol.makeConnection(transport)
        for piece in pieces:
            protocol.dataReceived(piece)
        return clock, transport

    def test_each_question_has_its_answer(self):
        for question, answer in [
            (b'{"do": "status"}\n', b'{"done": {"pid": 1}}\n'),
            (b'{"do": "reload"}\n', b'{"fault": "Not now"}\n'),
            (b'{"do": "nothing"}\n', b'{"fault": "this server cannot do that"}\n'),
            (b"[]\n", b'{"fault": "this server cannot do that"}\n'),
            (b"status\n", b'{"fault": "this server cannot do that"}\n'),
            (b'{"do": []}\n', b'{"fault": "this server cannot do that"}\n'),
            (b'{"do": "break"}\n', b'{"fault": "it failed, see the log"}\n'),
            (b'{"do": "status"}\n' * 2, b'{"done": {"pid": 1}}\n'),
        ]:
            clock, transport = self.asked(*(bytes([octet]) for octet in question))
            self.assertEqual(transport.value(), answer, question)
            self.assertFalse(transport.connected)
            self.assertEqual(clock.getDelayedCalls(), [])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_who_asks_nothing_or_too_much_is_sent_away(self):
        clock, transport = self.asked(b'{"do"')
        clock.advance(ASK_S)
        self.assertFalse(transport.connected)
        _, transport = self.asked(b"x" * 10_000)
        self.assertFalse(transport.connected)


class SocketTests(TestCase):
    timeout = 20

    def setUp(self):
        self.data = tempfile.mkdtemp()  # a short name, as sockets need
        self.addCleanup(shutil.rmtree, self.data)

    def started(self):
        control = Control(reactor, self.data, DEEDS)
        control.startService()
        self.addCleanup(lambda: maybeDeferred(control.stopService))
        return control

    async def test_a_command_asks_a_running_server(self):
        with socket.socket(socket.AF_UNIX) as left:  # of one that was killed
            left.bind(f"{self.data}/control")
        self.started()
        mode = os.stat(f"{self.data}/control").st_mode
        self.assertEqual(mode & 0o777, 0o600)
        self.assertEqual(await deferToThread(ask, self.data, "status"), {"pid": 1})
        with self.assertRaises(MailError) as raised:
            await deferToThread(ask, self.data, "reload")
        self.assertEqual(raised.exception.public, "Not now")

    async def test_without_a_server_that_is_said(self):
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(f"{self.data}/control")
        for folder in (self.data, f"{self.data}/none"):
            with self.assertRaises(MailError) as raised:
                ask(folder, "status")
            self.assertIn("No server runs", raised.exception.public)

    async def test_a_file_in_the_way_is_left_alone_and_the_server_serves(self):
        with open(f"{self.data}/control", "w") as file:
            file.write("x")
        self.started()
        self.assertTrue(os.path.isfile(f"{self.data}/control"))
