"""Tests for mailtwist.service.build."""

from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.config.load import loads
from mailtwist.errors import ConfigError
from mailtwist.service.build import build

FILE = b"""
[server]
data = "in-the-way/data"
[[domain]]
name = "example.test"
[[listener]]
protocol = "smtp"
endpoint = "tcp:2525:interface=127.0.0.1"
"""


class StartTests(SynchronousTestCase):
    def test_a_data_folder_that_cannot_be_is_told_before_a_port_opens(self):
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        (folder / "in-the-way").write_text("a file")
        reactor = MemoryReactorClock()
        service = build(loads(FILE, folder / "mailtwist.toml"), reactor=reactor)
        fault = self.assertRaises(ConfigError, service.privilegedStartService)
        self.assertIn("in-the-way is not a folder", str(fault))
        self.assertEqual(reactor.tcpServers, [])
        self.successResultOf(Deferred.fromCoroutine(service.close()))
