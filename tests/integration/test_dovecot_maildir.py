"""A Maildir that Dovecot wrote is taken over as it is, and Dovecot can have it back."""

from twisted.trial.unittest import SynchronousTestCase

from tests.bench.peers import as_dovecot
from tests.integration.taken_over import USER, TakenOver


class DovecotTests(TakenOver, SynchronousTestCase):
    more = ""  # lines of its configuration

    def as_peer(self, work):
        return as_dovecot(self.home, USER, self.more, work)


class Utf8DovecotTests(DovecotTests):
    """Its folders have names in UTF-8."""

    more = "mail_location = maildir:~/Maildir:UTF-8"
