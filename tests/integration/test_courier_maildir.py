"""A Maildir that Courier wrote is taken over as it is, and Courier can have it back."""

from twisted.trial.unittest import SynchronousTestCase

from tests.integration import courier
from tests.integration.taken_over import USER, TakenOver


class CourierTests(TakenOver, SynchronousTestCase):
    """It keeps keywords in files of its own, which we read and leave alone, and puts a
    CR before every LF, whatever stands there."""

    prefix = "INBOX."
    tells_keywords = False
    line_end = b"\r\r\n"

    def setUp(self):
        super().setUp()
        courier.make(self.home / "Maildir")

    def as_peer(self, work):
        client = courier.client(self.home, USER)
        try:
            return work(client)
        finally:
            client.logout()
