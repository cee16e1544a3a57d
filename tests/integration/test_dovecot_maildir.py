"""A Maildir that Dovecot wrote is taken over as it is, and Dovecot can have it back."""

import imaplib
import subprocess

from twisted.trial.unittest import SynchronousTestCase

from tests.bench.peers import Dovecot
from tests.integration.daemon import PASSWORD
from tests.integration.taken_over import USER, TakenOver


class DovecotTests(TakenOver, SynchronousTestCase):
    more = ""  # lines of its configuration

    def as_peer(self, work):
        subprocess.run(["chown", "-R", "nobody:nogroup", self.home], check=True)
        dovecot = Dovecot(self.mail, [USER], self.more)
        try:
            client = imaplib.IMAP4("127.0.0.1", dovecot.port, timeout=30)
            client.login(USER, PASSWORD)
            found = work(client)
            client.logout()
            return found
        finally:
            dovecot.stop()


class Utf8DovecotTests(DovecotTests):
    """Its folders have names in UTF-8."""

    more = "mail_location = maildir:~/Maildir:UTF-8"
