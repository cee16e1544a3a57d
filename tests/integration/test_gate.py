"""The gate over the wire: a list in DNS, and greylisting that workers share."""

import atexit
import shutil
import smtplib
import tempfile
from pathlib import Path

from tests.integration.daemon import DaemonTestCase
from tests.integration.world import Dns, until

LISTED, FINE, OTHER = "127.0.0.9", "127.0.0.8", "127.0.0.7"
FOLDER = Path(tempfile.mkdtemp(prefix="mailtwist-zone-"))
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)
DNS = Dns(FOLDER)
atexit.register(DNS.stop)
DNS.set(
    {
        "A 9.0.0.127.bad.test": ["127.0.0.4"],
        "TXT 9.0.0.127.bad.test": ["it sent spam"],
    }
)


class GateTests(DaemonTestCase):
    workers = 2
    extra = (
        f'[dns]\nservers = ["{DNS.address}"]\n'
        '[gate]\nclient_lists = ["bad.test=127.0.0.[2..9]*2"]\nrefuse_at = 2\n'
        "greylist = true\ngreylist_delay_s = 2\n"
    )

    def reply(self, source, recipient):
        """To RCPT."""
        port = self.daemon.port("smtp")
        with smtplib.SMTP("127.0.0.1", port, source_address=(source, 0)) as client:
            client.ehlo("mx.client.test")
            client.mail("carol@client.test")
            code, text = client.rcpt(recipient)
            return code, text.decode()

    def test_who_is_listed_is_refused_with_the_reason(self):
        ann = self.user()
        code, text = self.reply(LISTED, ann)
        self.assertEqual(code, 550)
        self.assertIn("127.0.0.9 is listed by bad.test; it sent spam", text)
        self.assertIn("by gate.refuse_at", self.daemon.log.read_text())

    def test_all_workers_know_who_came_back(self):
        ann = self.user()
        code, text = self.reply(FINE, ann)
        self.assertEqual(code, 450)
        self.assertRegex(text, r"^4\.7\.1 .*try again in [12] seconds$")
        until(lambda: self.reply(FINE, ann)[0] == 250, self.daemon.log.read_text)
        for _ in range(12):  # whichever worker takes it
            self.assertEqual(self.reply(OTHER, ann)[0], 250)
