"""Tests for mailtwist.service.build."""

import os
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

    def test_an_access_table_with_a_mistake_is_told_with_its_place(self):
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        table = folder / "clients"
        table.write_text("a.test OK\nb.test HLOD\n")
        table.chmod(0o644)
        text = FILE + (
            b'[[table]]\nname = "c"\nkind = "file"\nsource = "clients"\n'
            b'[restrictions]\nclient = ["check_client_access c"]\n'
        )
        config = loads(text, folder / "mailtwist.toml")
        fault = self.assertRaises(
            ConfigError, build, config, reactor=MemoryReactorClock()
        )
        self.assertIn(f"{table}:2: b.test: 'HLOD' is no action", str(fault))

    def test_an_embedded_server_leaves_the_rights_of_its_application_alone(self):
        """Whoever runs this test: it would be told of a user that is not there."""
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        text = FILE.replace(b"in-the-way/", b"") + b'[process]\nuser = "mt-nobody"\n'
        config = loads(text, folder / "mailtwist.toml")
        service = build(config, reactor=MemoryReactorClock())
        before = os.getresuid(), os.getresgid(), os.getgroups()
        service.privilegedStartService()
        service.privileges.give_up()
        self.assertEqual((os.getresuid(), os.getresgid(), os.getgroups()), before)
        self.assertFalse(service.privileges.keepers.privileged)
        self.successResultOf(Deferred.fromCoroutine(service.close()))
