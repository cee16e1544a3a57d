"""Tests for mailtwist.config.listener."""

from twisted.trial.unittest import SynchronousTestCase

from mailtwist.config.listener import translated
from mailtwist.config.model import Listener

CASES = [  # (endpoint, socket, tls, proxy_protocol)
    ("tcp:25", "tcp:25", "starttls", False),
    ("tcp6:25:interface=\\:\\:1", "tcp6:25:interface=\\:\\:1", "starttls", False),
    ("tcp:port=25", "tcp:port=25", "starttls", False),
    ("unix:/run/m", "unix:/run/m", "starttls", False),
    ("ssl:465", "tcp:465", "implicit", False),
    (
        "ssl:465:privateKey=k\\:x:certKey=c:backlog=9",
        "tcp:465:backlog=9",
        "implicit",
        0,
    ),
    ("haproxy:tcp:25", "tcp:25", "starttls", True),
    ("haproxy:ssl:465", "tcp:465", "implicit", True),
]
WRONG = ["", "25", "tcp:", "tcp:x", "tcp:65536", "onion:25", "haproxy:", "ssl:"]


class TranslatedTests(SynchronousTestCase):
    def test_strings_of_twisted_become_a_socket_and_our_keys(self):
        for endpoint, socket, tls, proxy in CASES:
            listener = translated(Listener(protocol="smtp", endpoint=endpoint))
            self.assertEqual(
                (listener.endpoint, listener.tls, listener.proxy_protocol),
                (socket, tls, bool(proxy)),
            )

    def test_what_is_no_socket_is_refused(self):
        for endpoint in WRONG:
            listener = Listener(protocol="smtp", endpoint=endpoint)
            self.assertRaises(ValueError, translated, listener)
