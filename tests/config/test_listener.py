"""Tests for mailtwist.config.listener."""

import contextlib

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.endpoints import serverFromString
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.config.listener import place_of, translated
from mailtwist.config.model import Listener

CASES = [  # (endpoint, socket, tls, proxy_protocol)
    ("tcp:25", "tcp:25", "starttls", False),
    ("tcp6:25:interface=\\:\\:1", "tcp6:25:interface=\\:\\:1", "starttls", False),
    ("tcp:port=25", "tcp:port=25", "starttls", False),
    ("unix:/run/m", "unix:/run/m", "starttls", False),
    ("systemd:domain=INET:name=smtp", "systemd:domain=INET:name=smtp", "starttls", 0),
    ("unix:/run/m\\=x\\:y:mode=660", "unix:/run/m\\=x\\:y:mode=660", "starttls", 0),
    ("ssl:465", "tcp:port=465", "implicit", False),
    (
        "ssl:465:privateKey=k\\:x:certKey=c:backlog=9",
        "tcp:port=465:backlog=9",
        "implicit",
        0,
    ),
    ("ssl:465:server.pem", "tcp:port=465", "implicit", 0),  # its key, without a name
    ("ssl:465:interface=\\:\\:1", "tcp:port=465:interface=\\:\\:1", "implicit", 0),
    ("haproxy:tcp:25", "tcp:25", "starttls", True),
    ("haproxy:ssl:465", "tcp:port=465", "implicit", True),
]
WRONG = [  # (endpoint, what may be)
    ("", "starts with tcp:"),
    ("25", "starts with tcp:"),
    ("tcp:", "starts with tcp:"),
    ("onion:25", "starts with tcp:"),
    ("haproxy:", "starts with tcp:"),
    ("ssl:", "starts with tcp:"),
    ("tcp:x", "port from 0 to 65535"),
    ("tcp:65536", "port from 0 to 65535"),
    ("tcp:-1", "port from 0 to 65535"),
    ("tcp:²", "port from 0 to 65535"),
    ("ssl:x", "port from 0 to 65535"),
    ("tcp:interface=127.0.0.1", "tcp: with port"),
    ("tcp:25:inteface=127.0.0.1", "tcp: with port, interface, backlog"),
    ("tcp:25:port=26", "each at most once"),
    ("tcp:25:127.0.0.1:9:9", "at most port, interface, backlog"),
    ("tcp:25:backlog=many", "backlog a number"),
    ("unix:mode=660", "unix: with address"),
    ("unix:/run/m:mode=rw", "mode in octal"),
    ("unix:/run/m:lockfile=yes", "lockfile 0 or 1"),
    ("systemd:domain=INET", "name=NAME"),
    ("systemd:domain=INET:index=0:name=x", "name=NAME"),
    ("systemd:domain=AX25:name=x", "INET, INET6 or UNIX"),
    ("systemd:name=x", "systemd: with domain"),
    ("tcp:25\\", "no lone backslash"),
]


class TranslatedTests(SynchronousTestCase):
    def test_strings_of_twisted_become_a_socket_and_our_keys(self):
        for endpoint, socket, tls, proxy in CASES:
            listener = translated(Listener(protocol="smtp", endpoint=endpoint))
            self.assertEqual(
                (listener.endpoint, listener.tls, listener.proxy_protocol),
                (socket, tls, bool(proxy)),
            )

    def test_what_is_no_socket_is_refused(self):
        for endpoint, allowed in WRONG:
            listener = Listener(protocol="smtp", endpoint=endpoint)
            fault = self.assertRaises(ValueError, translated, listener)
            self.assertIn(allowed, str(fault), endpoint)

    def test_twisted_takes_what_we_take(self):
        for endpoint, socket, _, _ in CASES:
            if not endpoint.startswith("systemd:"):  # those sockets must be passed
                serverFromString(MemoryReactorClock(), socket)

    def test_two_spellings_of_one_place(self):
        self.assertEqual(place_of("tcp:25:backlog=9"), place_of("tcp:port=25"))
        self.assertNotEqual(place_of("tcp:25"), place_of("tcp6:25"))
        self.assertNotEqual(place_of("tcp:25"), place_of("tcp:25:interface=127.0.0.1"))

    @given(st.text("tcp6:unixsl=\\,25./", max_size=40))
    def test_any_text_is_an_endpoint_or_a_ValueError(self, text):
        with contextlib.suppress(ValueError):
            translated(Listener(protocol="smtp", endpoint=text))
