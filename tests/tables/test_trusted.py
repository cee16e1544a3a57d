from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from mailtwist.errors import ConfigError
from mailtwist.tables.trusted import trusted_cas
from tests.authority import Authority


class TrustedTests(SynchronousTestCase):
    def file(self, octets):
        path = Path(self.mktemp())
        path.write_bytes(octets)
        return str(path)

    def test_certificates_between_notes(self):
        pem = Authority().pem
        text = trusted_cas(self.file("Zürich\n".encode() + pem + pem))
        self.assertEqual(text.count("BEGIN CERTIFICATE"), 2)
        text.encode("ascii")

    def test_no_file_means_the_system_s(self):
        self.assertIsNone(trusted_cas(""))

    def test_what_is_no_file_of_certificates_never_means_the_system_s(self):
        pem = Authority().pem
        for octets, why in [
            (b"", "empty"),
            (b"\0\xff", "noise"),
            (pem.replace(b"CERTIFICATE", b"PRIVATE KEY"), "something else"),
            (pem[:200], "cut off"),
        ]:
            path = self.file(octets)
            with self.assertRaises(ConfigError, msg=why) as caught:
                trusted_cas(path)
            self.assertIn(path, str(caught.exception))

    def test_a_file_that_is_missing(self):
        with self.assertRaises(ConfigError) as caught:
            trusted_cas("/nowhere/ca.pem")
        self.assertEqual(
            str(caught.exception), "/nowhere/ca.pem: No such file or directory"
        )
