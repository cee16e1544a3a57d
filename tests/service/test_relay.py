"""What this host knows of itself as a host of mail."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.config.model import Config, Listener
from mailtwist.config.relaying import Dns, TlsPolicy
from mailtwist.errors import ConfigError
from mailtwist.service.relay import Relaying, is_local, listens_at


class OwnAddressTests(SynchronousTestCase):
    def test_an_address_is_ours_if_we_listen_there(self):
        for endpoint, address, port, ours in (
            ("tcp:25:interface=192.0.2.1", "192.0.2.1", 25, True),
            ("tcp:25:interface=192.0.2.1", "192.0.2.2", 25, False),
            ("tcp:25:interface=192.0.2.1", "192.0.2.1", 26, False),
            ("tcp:interface=192.0.2.1:port=26", "192.0.2.1", 26, True),
            ("tcp:25", "127.0.0.1", 25, True),
            ("tcp:25", "192.0.2.1", 25, False),
            (r"tcp6:25:interface=2001\:db8\:\:1", "2001:db8::1", 25, True),
            (r"tcp6:25:interface=2001\:db8\:\:1", "2001:DB8:0::1", 25, True),
            ("tcp6:25", "::1", 25, True),
            ("unix:/run/mail.sock", "127.0.0.1", 25, False),
            ("tcp:25:interface=localhost", "127.0.0.1", 25, False),
        ):
            listener = Listener(protocol="smtp", endpoint=endpoint)
            told = listens_at((listener,))(address, port)
            self.assertEqual(told, ours, (endpoint, address, port))

    def test_submission_is_no_way_in_for_other_hosts(self):
        listener = Listener(protocol="submission", endpoint="tcp:25")
        self.assertFalse(listens_at((listener,))("127.0.0.1", 25))

    def test_local_addresses_are_those_of_this_machine(self):
        for address, local in (
            ("127.0.0.1", True),
            ("127.1.2.3", True),
            ("192.0.2.1", False),
            ("2001:db8::1", False),
        ):
            self.assertEqual(is_local(address), local, address)


class ConfigTests(SynchronousTestCase):
    def test_what_cannot_be_used_is_named(self):
        policy = TlsPolicy(destination="a b", tls="may")
        for config, named in (
            (Config(dns=Dns(servers=("dns.test:x",))), "dns.servers"),
            (Config(tls_policy=(policy,)), "tls_policy.destination"),
        ):
            with self.assertRaises(ConfigError) as told:
                Relaying(Clock(), config, "mail.test", None, None)
            self.assertIn(named, str(told.exception))
