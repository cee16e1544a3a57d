"""Tests for mailtwist.config.load."""

from ipaddress import ip_network
from pathlib import Path

from attrs import fields
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.config import reference
from mailtwist.config.load import load, loads
from mailtwist.config.model import Config, Smtp
from mailtwist.errors import ConfigError

WHERE = Path("/etc/mailtwist/mailtwist.toml")
ETC = Path(__file__).parent.parent.parent / "etc"

WRONG = [  # (file, what the fault must say)
    ("x", "is not TOML"),
    ("smpt = 1", "smpt is not an option; did you mean smtp?"),
    ("smtp = 1", "smtp = 1 is not allowed: give a table"),
    ("[smtp]\nrecipients = 5", "smtp.recipients = 5 is not allowed: give a whole"),
    ("[smtp]\nrecipients = 100.5", "smtp.recipients = 100.5 is not allowed"),
    ("[smtp]\nrecipients = true", "smtp.recipients = true is not allowed"),
    ("[smtp]\nvrfy = 1", "smtp.vrfy = 1 is not allowed: give true or false"),
    ('[smtp]\ncommand_s = "5 years"', 'smtp.command_s = "5 years" is not allowed'),
    ('[smtp]\nmessage_octets = "1 KiB"', "smtp.message_octets"),
    ('[smtp]\nbare_lf = "normalize"', "needs smtp.bare_lf_networks"),
    ("[search]\nextract = 1", "search.extract = 1 is not allowed: give a table of"),
    (
        '[search.extract]\n"application/pdf" = "pdftotext"',
        'search.extract = { "application/pdf" = "pdftotext" } is not allowed',
    ),
    ('[search.extract]\n"application/pdf" = []', "each with a program"),
    ('[search.extract]\n"Application/PDF" = ["x"]', "lower-case media types"),
    ('[search.extract]\npdf = ["x"]', "lower-case media types"),
    ('[search.extract]\n"a/b" = ["x", 1]', "is not allowed: give a table of commands"),
    ('[smtp]\nbare_lf = "no"', 'give "refuse" or "normalize"'),
    ('trusted_networks = ["x"]', "trusted_networks"),
    ("trusted_networks = [1]", "trusted_networks = [1] is not allowed"),
    ('trusted_networks = "127.0.0.1"', "give a list of networks"),
    ("[[domain]]", "domain[1].name is missing: a domain"),
    ('[[domain]]\nname = "a..b"', 'domain[1].name = "a..b" is not allowed'),
    ('[[domain]]\nname = "a.b"\n[[domain]]\nname = "A.B"', "a.b is given twice"),
    ("[domain]\nname = 1", "give a list of tables, [[domain]]"),
    ('[[listener]]\nendpoint = "tcp:1"', "listener[1].protocol is missing"),
    ('[[listener]]\nprotocol = "smtp"\nendpoint = "tcp:99999"', "port from 0"),
    ('[[listener]]\nprotocol = "smtp"\nendpoint = "onion:1"', "starts with tcp:"),
    (
        '[[listener]]\nprotocol = "smtp"\nendpoint = "tcp:1"\n'
        '[[listener]]\nprotocol = "pop3"\nendpoint = "tcp:port=1"',
        "listener[2].endpoint is taken by listener[1] already",
    ),
    ('[imap4]\ndelimiter = "|"', "imap4.delimiter"),
    ("[server]\nhostname = 1", "server.hostname = 1 is not allowed: give a text"),
]


class LoadTests(SynchronousTestCase):
    def test_every_fault_names_file_key_and_what_is_allowed(self):
        for text, told in WRONG:
            fault = self.assertRaises(ConfigError, loads, text.encode(), WHERE)
            self.assertIn(str(WHERE), str(fault))
            self.assertIn(told, str(fault), text)

    def test_all_faults_are_told_at_once(self):
        text = b"[smtp]\nrecipients = 1\nvrfy = 2\n[pop3]\nidle_s = 0\n"
        fault = self.assertRaises(ConfigError, loads, text, WHERE)
        self.assertEqual(len(str(fault).splitlines()), 3)

    def test_a_file_that_cannot_be_read_says_why(self):
        fault = self.assertRaises(ConfigError, load, "/nowhere/x.toml")
        self.assertIn("/nowhere/x.toml: cannot be read: No such file", str(fault))

    def test_octets_that_are_not_utf8_are_a_fault(self):
        fault = self.assertRaises(ConfigError, loads, b"a = '\xff'", WHERE)
        self.assertIn("is not UTF-8 at octet 5", str(fault))

    def test_units_are_understood(self):
        text = b'[smtp]\ncommand_s = "2 min"\nmessage_octets = "1 MiB"\ndata_s = 7\n'
        smtp = loads(text, WHERE).smtp
        self.assertEqual(
            (smtp.command_s, smtp.message_octets, smtp.data_s), (120.0, 2**20, 7.0)
        )

    def test_relative_paths_start_at_the_file(self):
        config = loads(b'[server]\ndata = "../var"\n', WHERE)
        self.assertEqual(config.server.data, "/etc/var")
        for to, place in (
            ("mail.log", "/etc/mailtwist/mail.log"),
            ("/var/log/m", "/var/log/m"),
            ("stdout", "stdout"),
            ("syslog", "syslog"),
            ("syslog:/run/log", "syslog:/run/log"),
        ):
            config = loads(f'[log]\nto = "{to}"\n'.encode(), WHERE)
            self.assertEqual(config.log.to, place)

    def test_networks_and_domains_become_values(self):
        config = loads(
            'trusted_networks = ["192.0.2.0/24"]\n[[domain]]\nname = "BÜCHER.example"\n'
            '[[domain]]\nname = "xn--caf-dma.example"'.encode(),
            WHERE,
        )
        self.assertEqual(config.trusted_networks, (ip_network("192.0.2.0/24"),))
        self.assertEqual(
            [d.name for d in config.domain], ["bücher.example", "café.example"]
        )

    @given(st.binary(max_size=200))
    def test_arbitrary_octets_are_a_configuration_or_a_told_fault(self, octets):
        try:
            self.assertIsInstance(loads(octets, WHERE), Config)
        except ConfigError as fault:
            self.assertIn(str(WHERE), str(fault))


class ShippedTests(SynchronousTestCase):
    def test_the_sample_and_the_demo_can_be_used(self):
        self.assertEqual(len(load(ETC / "mailtwist.toml").listener), 8)
        demo = load(ETC / "dev.toml")
        for listener in demo.listener:
            self.assertIn("interface=127.0.0.1", listener.endpoint)

    def test_the_sample_gives_nothing_but_defaults(self):
        sample = load(ETC / "mailtwist.toml")
        self.assertEqual(sample.smtp, Smtp())

    def test_the_manual_tells_every_option(self):
        manual = reference.manual()
        for option in fields(Smtp):
            self.assertIn(f"| `{option.name}` |", manual)
