"""Guesses from many loopback addresses, and who waits for them."""

import smtplib
import time
from concurrent.futures import ThreadPoolExecutor

from mailtwist.auth.throttle import WIDE_STEP

from .daemon import PASSWORD, Daemon, DaemonTestCase
from .ways_in import HOST, OPEN

DELAY_S = 2.0
SPRAY = 25


class ThrottleTests(DaemonTestCase):
    """Two servers that count together."""

    extra = (
        f"[auth]\nfailure_delay_s = {DELAY_S}\nmost_delay_s = {DELAY_S}\n"
        f"failures_per_network = 5\nfailures_per_server = {SPRAY}\n"
        'throttle_file = "failures"\n'
    )

    def login(self, daemon, address, user, password=PASSWORD):
        """(SMTP reply code, seconds from the password to it)."""
        client = smtplib.SMTP_SSL(
            HOST,
            daemon.port("submissions"),
            context=OPEN,
            source_address=(address, 0),
        )
        with client:
            client.ehlo()
            began = time.monotonic()
            client.user, client.password = user, password
            try:
                code = client.auth("PLAIN", client.auth_plain)[0]
            except smtplib.SMTPAuthenticationError as fault:
                code = fault.smtp_code
            return code, time.monotonic() - began

    def guess(self, addresses):
        """One guess from each, each at another account."""

        def one(address):
            user = f"{address.replace('.', '-')}@example.test"
            return self.login(self.daemon, address, user, "wrong")

        with ThreadPoolExecutor(len(addresses)) as pool:
            return list(pool.map(one, addresses))

    def gets_in(self, daemon, address, user, *, late):
        code, took_s = self.login(daemon, address, user)
        self.assertEqual(code, 235)
        compare = self.assertGreaterEqual if late else self.assertLess
        compare(took_s, DELAY_S, address)

    def test_a_spray_slows_strangers_and_refuses_nobody_who_is_right(self):
        ann = self.user()
        shared = f'"{self.daemon.folder}/failures"'
        other = Daemon(self.extra.replace('"failures"', shared))
        self.addCleanup(other.remove)
        other.start()
        bob = other.add_user("bob")
        self.gets_in(self.daemon, "127.0.0.2", ann, late=False)
        self.gets_in(other, "127.0.0.2", bob, late=False)
        for code, took_s in self.guess([f"127.9.9.{n}" for n in range(1, 11)]):
            self.assertEqual(code, 535)
            self.assertGreaterEqual(took_s, DELAY_S)
        self.assertEqual(WIDE_STEP, 10)
        self.gets_in(self.daemon, "127.9.9.200", ann, late=True)  # its /24 pays
        self.gets_in(self.daemon, "127.9.8.200", ann, late=False)
        self.guess([f"127.{n}.0.1" for n in range(20, 20 + SPRAY - WIDE_STEP)])
        for daemon, user in ((self.daemon, ann), (other, bob)):
            self.gets_in(daemon, "127.50.0.1", user, late=daemon is self.daemon)
            self.gets_in(daemon, "127.0.0.2", user, late=False)
        self.gets_in(other, "127.51.0.1", bob, late=True)
        log = self.daemon.log.read_text() + other.log.read_text()
        self.assertEqual(log.count("logins of strangers failed within an hour"), 1)

    def test_an_address_that_guesses_on_is_refused_and_its_neighbours_are_not(self):
        ann = self.user()
        self.guess(["127.77.0.1"] * 5)
        self.assertEqual(self.login(self.daemon, "127.77.0.1", ann)[0], 454)
        self.assertEqual(self.login(self.daemon, "127.77.0.2", ann)[0], 235)
