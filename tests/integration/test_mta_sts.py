"""MTA-STS (RFC 8461): policies over HTTPS, and mail that keeps to them.

The host of a policy listens on port 443 of a loopback address.
"""

import http.server
import ssl
import threading

from tests.authority import Authority
from tests.integration.smtp_peer import Script
from tests.integration.world import World, WorldTestCase, until

HTTPS = 443
POLICY = "version: STSv1\r\nmode: {mode}\r\nmx: {mx}\r\nmax_age: 600\r\n"


class Policies:
    """The HTTPS hosts mta-sts.DOMAIN, by name, on one address; `posted` is what came
    there: (path, media type, octets)."""

    def __init__(self, address, certificate, key):
        self.pages, self.asked, self.posted = {}, [], []
        policies = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                name = self.headers["host"].partition(":")[0]
                policies.asked.append((name, self.path))
                body = policies.pages.get(name, "").encode()
                self.send_response(200 if body else 404)
                self.send_header("content-type", "text/plain")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self):
                length = int(self.headers["content-length"])
                kind, octets = self.headers["content-type"], self.rfile.read(length)
                policies.posted.append((self.path, kind, octets))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *arguments):
                """Nothing of it goes to the terminal."""

        self.server = http.server.ThreadingHTTPServer((address, HTTPS), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class StsWorld(World):
    """servidorB has a certificate for servidorb.test, and the domains named below."""

    domains = ("good.test", "name.test", "stranger.test", "testing.test", "peer.test")

    def start(self):
        authority = Authority()
        ca = self.folder / "ca.pem"
        ca.write_bytes(authority.pem)
        self.relay += f'ca = "{ca}"\n'
        certificate, key = authority.issue_files(self.folder, "servidorb.test")
        self.tls = f'[tls]\ncertificate = "{certificate}"\nkey = "{key}"\n'
        super().start()
        names = [f"mta-sts.{domain}" for domain in self.domains]
        address = self.address("policies.test")
        self.dns.set({f"A {name}": [address] for name in names})
        files = authority.issue_files(self.folder, *names)
        self.policies = Policies(address, *files)
        self.at_end(self.policies.stop)
        self.dns.set({"A alias.test": [self.b.address]})
        self.plain = self.peer(Script(), "peer.test")
        for domain, host, mode, mx in (
            ("good.test", self.b.hostname, "enforce", "servidorb.test"),
            ("name.test", "alias.test", "enforce", "alias.test"),
            ("stranger.test", self.b.hostname, "enforce", "*.stranger.test"),
            ("testing.test", "alias.test", "testing", "other.test"),
            ("peer.test", self.plain.name, "enforce", self.plain.name),
        ):
            self.policies.pages[f"mta-sts.{domain}"] = POLICY.format(mode=mode, mx=mx)
            record = {f"TXT _mta-sts.{domain}": ["v=STSv1; id=1;"]}
            self.dns.set(record | {f"MX {domain}": [[10, host]]})

    def start_hosts(self):
        super().start_hosts(*self.domains[:-1], extra_b=self.tls)


class MtaStsTests(WorldTestCase):
    kind = StsWorld

    def sent(self, domain):
        """The recipient of a message that was sent to a domain of servidorB."""
        bob = self.user(self.world.b, domain=domain)
        self.send(self.world.a, self.user(self.world.a), bob)
        return bob

    def told(self, words):
        log = self.world.a.log
        until(lambda: words in log.read_text(), log.read_text)

    def test_a_host_that_keeps_to_the_policy_gets_mail(self):
        self.arrived(self.world.b, self.sent("good.test"))
        page = ("mta-sts.good.test", "/.well-known/mta-sts.txt")
        self.assertEqual(self.world.policies.asked.count(page), 1)
        self.arrived(self.world.b, self.sent("good.test"))
        self.assertEqual(self.world.policies.asked.count(page), 1)

    def test_a_policy_is_kept_over_a_restart(self):
        self.arrived(self.world.b, self.sent("good.test"))
        self.world.a.stop()
        self.world.a.start()
        before = len(self.world.policies.asked)
        self.arrived(self.world.b, self.sent("good.test"))
        self.assertEqual(len(self.world.policies.asked), before)

    def test_a_host_whose_certificate_has_another_name_gets_none(self):
        bob = self.sent("name.test")
        self.told("The certificate of alias.test is not for alias.test")
        self.assertEqual(self.count(self.world.b, bob), 0)

    def test_a_host_that_the_policy_does_not_name_gets_none(self):
        bob = self.sent("stranger.test")
        self.told("servidorb.test is no host of stranger.test by its MTA-STS policy")
        self.assertEqual(self.count(self.world.b, bob), 0)

    def test_a_policy_in_testing_refuses_nothing(self):
        self.arrived(self.world.b, self.sent("testing.test"))

    def test_a_host_without_tls_gets_none(self):
        self.send(self.world.a, self.user(self.world.a), "bob@peer.test")
        self.told("offers no TLS, which is needed")
        self.assertEqual(self.world.plain.script.messages, [])
