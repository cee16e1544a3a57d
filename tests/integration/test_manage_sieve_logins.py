"""Every mechanism of the house over ManageSieve, by the programs that know it."""

import re
import ssl
from pathlib import Path

from sievelib.managesieve import Client

from mailtwist.sasl import client_mechanisms as client
from mailtwist.secret import Secret

from . import ways_in
from .daemon import PASSWORD, free_port
from .programs import run
from .sieve_wire import HOST, Wire, listener, sieve_connect
from .test_mechanism_matrix import BY_PASSWORD, BY_SCRAM, MatrixTestCase

PORT = free_port()
BOSS = "boss@example.test"
NET_SIEVE = Path(__file__).with_name("net_sieve.php")


class MechanismTests(MatrixTestCase):
    extra = (
        listener(PORT)
        + MatrixTestCase.extra
        + '[[source]]\nkind = "userdb"\n'
        + f'[[master]]\naccount = "{BOSS}"\ndomains = ["example.test"]\n'
        'protocols = ["manage_sieve"]\n'
    )

    def came_in(self, user, mechanism):
        self.assertEqual(self.ways(user, mechanism), ["manage_sieve"])

    def wire(self):
        wire = Wire(PORT)
        self.addCleanup(wire.close)
        wire.start_tls()
        return wire

    def test_all_are_offered(self):
        wire = self.wire()
        told = re.search(rb'"SASL" "([^"]*)"', wire.ask(b"CAPABILITY\r\n"))[1]
        offered = set(told.decode().split())
        known = {*BY_PASSWORD, *BY_SCRAM, "OAUTHBEARER", "XOAUTH2", "GSSAPI"}
        self.assertLessEqual(known, offered)

    def test_sieve_connect_by_password(self):
        for mechanism in BY_PASSWORD:
            user = self.user("--keep-secret")
            words = ("-m", mechanism, "--list")
            sieve_connect(PORT, user, *words, host="localhost")
            self.came_in(user, mechanism)
            status, _ = sieve_connect(
                PORT, user, *words, host="localhost", said="wrong", ok=False
            )
            self.assertNotEqual(status, 0)
            self.assertEqual(self.refused(user, mechanism), ["manage_sieve"])

    def test_sieve_connect_by_certificate(self):
        user = self.user()
        pem = self.ca.user("sieve", user)
        words = ("-m", "EXTERNAL", "--clientkeycert", pem, "--list")
        sieve_connect(PORT, user, *words)
        self.came_in(user, "EXTERNAL")

    def test_sieve_connect_by_ticket(self):
        user = self.user()
        words = ("-m", "GSSAPI", "--list")
        env = self.ticket(user)
        sieve_connect(PORT, user, *words, host="localhost", env=env)
        self.came_in(user, "GSSAPI")

    def test_sievelib_by_password_and_by_token(self):
        self.patch(ssl, "create_default_context", lambda *_, **__: ways_in.OPEN)
        for mechanism in ("PLAIN", "LOGIN", "OAUTHBEARER"):
            user = self.user()
            secret = PASSWORD
            if mechanism == "OAUTHBEARER":
                secret = self.provider.token(user)
            library = Client(HOST, PORT)
            there = library.connect(user, secret, starttls=True, authmech=mechanism)
            self.assertTrue(there, mechanism)
            self.assertEqual(library.listscripts(), (None, []))
            library.logout()
            self.came_in(user, mechanism)

    def net_sieve(self, user, mechanism, owner="", password=PASSWORD, ok=True):
        words = (PORT, user, password, mechanism, owner)
        return run("php", NET_SIEVE, *words, ok=ok)

    def test_Net_Sieve_of_Roundcube(self):
        for mechanism in BY_PASSWORD:
            user = self.user("--keep-secret")
            _, told = self.net_sieve(user, mechanism)
            wrong, listed, same, refused, count = told.splitlines()
            self.assertIn('line 2, column 1: unknown command "nonsense"', wrong)
            self.assertEqual(listed, 'old "one", roundcube; roundcube')
            self.assertEqual(same, "the same")
            self.assertIn("active", refused)
            self.assertEqual(count, "0")
            self.came_in(user, mechanism)
            status, _ = self.net_sieve(user, mechanism, password="x", ok=False)
            self.assertEqual(status, 1)

    def test_a_master_keeps_the_scripts_of_others(self):
        self.daemon.add_user(BOSS.partition("@")[0])
        user = self.user()
        wire = self.wire()
        wire.log_in(user)
        wire.put("mine", b"keep;")
        there = ("--list", "--authzid", user, "-m", "PLAIN")
        _, told = sieve_connect(PORT, BOSS, *there)
        self.assertIn("mine", told)
        _, told = self.net_sieve(BOSS, "PLAIN", user)
        self.assertIn("mine", told)
        other = self.user()
        status, _ = sieve_connect(PORT, other, *there, ok=False)
        self.assertNotEqual(status, 0)

    def test_SCRAM_proves_both_sides(self):
        for mechanism in BY_SCRAM:
            user = self.user("--keep-secret")
            wire = self.wire()
            wrong = client.Scram(mechanism, user, Secret(b"wrong"), b"nonce-1")
            self.assertTrue(wire.converse(mechanism, wrong).startswith(b"NO"))
            right = client.Scram(mechanism, user, Secret(PASSWORD.encode()), b"nonce-2")
            self.assertEqual(wire.converse(mechanism, right), b'OK "logged in"\r\n')
            self.came_in(user, mechanism)
            self.assertEqual(wire.ask(b"LISTSCRIPTS\r\n"), b"OK\r\n")
