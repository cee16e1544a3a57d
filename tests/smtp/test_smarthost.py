"""Smarthosts: their order, who may use them, and how we log in."""

import json
import os
from base64 import b64decode, b64encode
from pathlib import Path

from attrs import evolve
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import SSL4ServerEndpoint
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase
from twisted.web.resource import Resource
from twisted.web.server import Site

from mailtwist.auth.checkers.hash_pool import HashPool
from mailtwist.config.model import Config
from mailtwist.config.relaying import Relay, Smarthost
from mailtwist.delivery.model import Wishes
from mailtwist.errors import ConfigError
from mailtwist.queue.model import Host
from mailtwist.sasl.scram import ScramServer, keys_for
from mailtwist.secret import Secret
from mailtwist.service.transports import Transports, web_agent
from mailtwist.smtp.client_login import (
    LoginRefused,
    PasswordLogin,
    TokenLogin,
    read_credentials,
)
from mailtwist.smtp.client_tls import ClientTls
from mailtwist.smtp.client_token import REQUEST_S, NoToken, Tokens
from mailtwist.smtp.transport_smarthost import Exit, SmarthostTransport

from ..authority import Authority
from .next_hop import FakeHosts, World, job, offering, run, statuses

PASSWORD = b"s3cret of ann"
PLAIN = {"EHLO": offering("PIPELINING", "STARTTLS", "AUTH PLAIN")}


class CredentialsTests(SynchronousTestCase):
    def written(self, text, mode=0o600):
        path = self.mktemp()
        Path(path).write_text(text)
        os.chmod(path, mode)
        return path

    def test_a_password_and_a_token(self):
        known = read_credentials(self.written('user = "a"\npassword = "p\u00e4ss"\n'))
        self.assertEqual(known.user, "a")
        self.assertEqual(known.password.reveal(), "p\u00e4ss".encode())
        self.assertNotIn("p\u00e4ss", repr(known))
        known = read_credentials(
            self.written(
                'user = "a"\nclient_id = "c"\nclient_secret = "s"\n'
                'refresh_token = "r"\ntoken_url = "https://t.test/"\n'
            )
        )
        self.assertIsNone(known.password)
        self.assertEqual(known.token_url, "https://t.test/")

    def test_what_cannot_be_used_is_told_without_its_secret(self):
        good = 'user = "a"\npassword = "hush hush"\n'
        for text, mode, told in (
            (good, 0o640, "chmod 600"),
            (good, 0o604, "chmod 600"),
            (good.replace('"\n', "\n"), 0o600, "TOML"),
            ('password = "hush hush"\n', 0o600, "needed are user and password"),
            (good + 'token_url = "x"\n', 0o600, "needed are"),
            (good + "more = 1\n", 0o600, "text"),
            (good.replace("hush hush", ""), 0o600, "not empty"),
            (
                'user = "a"\nclient_id = "c"\nrefresh_token = "hush hush"\n'
                'token_url = "http://t.test/"\n',
                0o600,
                "https://",
            ),
        ):
            fault = self.assertRaises(
                ConfigError, read_credentials, self.written(text, mode)
            )
            self.assertIn(told, str(fault))
            self.assertNotIn("hush", str(fault))
            self.assertIsNone(fault.__cause__)
        missing = self.assertRaises(ConfigError, read_credentials, self.mktemp())
        self.assertIn("cannot be read", str(missing))

    def test_a_server_is_not_built_on_credentials_that_others_may_read(self):
        path = self.written('user = "a"\npassword = "b"\n', 0o644)
        for smarthost, told in (
            (Smarthost(host="h:587", credentials=path), "chmod 600"),
            (Smarthost(host="h:587:1"), "smarthost.host"),
            (Smarthost(host="h:587", ca=path), "CA file"),
        ):
            config = Config(smarthost=(smarthost,))
            fault = self.assertRaises(
                ConfigError, Transports, Clock(), config, "me.test", FakeHosts()
            )
            self.assertIn(told, str(fault))


class Exits:
    """A world whose transport knows smarthosts, each a scripted hop."""

    def __init__(self, case, idle_s=0):
        self.case, self.exits = case, []
        self.authority = Authority()
        ca = Path(case.mktemp())
        ca.write_bytes(self.authority.pem)
        self.ca = str(ca)
        self.world = World(
            case,
            ca=self.ca,
            relay=Relay(idle_s=idle_s, command_s=2, greeting_s=2),
            kind=SmarthostTransport,
            exits=self.exits,
        )
        self.pool = HashPool(reactor, 1)
        case.addCleanup(self.pool.stop)
        self.hosts = {}
        self.world.hosts.hosts = self.find

    async def find(self, next_hop):
        found = self.hosts[next_hop]
        if isinstance(found, Exception):
            raise found
        return [found]

    async def add(self, script, name="hub.test", login=None, names=(), **config):
        hop = await self.world.next_hop(script, name=name)
        hop.tls, _ = self.authority.server(*(names or (name,)))
        host = self.world.hosts.answer[-1]
        self.hosts[f"[{name}]:587"] = host
        known = Smarthost(host=f"{name}:587", **config)
        given = None if login is None else lambda: login
        self.exits.append(Exit(known, ClientTls(self.ca), given))
        return hop

    def login(self, user="ann", password=PASSWORD):
        return PasswordLogin(reactor, self.pool, user, Secret(password))

    async def send(self, **options):
        return statuses(await self.world.send(job(**options)))


class OrderTests(TestCase):
    @run
    async def test_the_first_that_takes_the_mail_gets_it(self):
        exits = Exits(self)
        await exits.add({"greeting": b"421 busy\r\n"}, "a.test", tls="none")
        second = await exits.add({}, "b.test", tls="none")
        third = await exits.add({}, "c.test", tls="none")
        self.assertEqual(await exits.send(), [None])
        self.assertEqual((len(second.messages), len(third.messages)), (1, 0))

    @run
    async def test_one_whose_name_is_not_found_gives_way(self):
        exits = Exits(self)
        await exits.add({}, "a.test", tls="none")
        exits.hosts["[a.test]:587"] = NoToken("lost", status="5.1.2")
        self.assertEqual(await exits.send(), ["4.4.3"])  # ours to repair: it waits
        second = await exits.add({}, "b.test", tls="none")
        self.assertEqual(await exits.send(), [None])
        self.assertEqual(len(second.messages), 1)

    @run
    async def test_a_sender_has_its_own(self):
        exits = Exits(self)
        own = await exits.add({}, "a.test", tls="none", sender="ann@a.test")
        domain = await exits.add({}, "b.test", tls="none", sender="@B.test")
        for sender, status, hop in (
            ("ann@a.test", None, own),
            ("x@b.test", None, domain),
            ("x@c.test", "4.4.4", None),
            ("", "4.4.4", None),
        ):
            before = len(own.messages), len(domain.messages)
            self.assertEqual(await exits.send(sender=sender), [status], sender)
            after = len(own.messages), len(domain.messages)
            self.assertEqual(
                after, (before[0] + (hop is own), before[1] + (hop is domain))
            )

    @run
    async def test_the_key_of_a_job_is_its_first_smarthost(self):
        exits = Exits(self)
        await exits.add({}, "a.test", tls="none", sender="ann@a.test")
        await exits.add({}, "b.test", tls="none")
        key = exits.world.transport.destination
        self.assertEqual(key(job(sender="ann@a.test")), "smarthost a.test:587")
        self.assertEqual(key(job(sender="x@a.test")), "smarthost b.test:587")

    @run
    async def test_tls_is_asked_for_and_checked(self):
        for config, script, names, status in (
            ({}, PLAIN, (), None),
            ({}, {}, (), "4.7.4"),  # not offered
            ({}, PLAIN, ("other.test",), "4.7.5"),
            ({"verify": False}, PLAIN, ("other.test",), None),
        ):
            exits = Exits(self)
            hop = await exits.add(script, names=names, **config)
            self.assertEqual(await exits.send(), [status])
            self.assertEqual(len(hop.messages), int(status is None))

    @run
    async def test_implicit_tls(self):
        exits = Exits(self)
        await exits.add({}, tls="implicit")
        hop = exits.world.hops[0]
        options, _ = exits.authority.server("hub.test")
        port = await SSL4ServerEndpoint(
            reactor, 0, options, interface="127.0.0.1"
        ).listen(hop)
        self.addCleanup(port.stopListening)
        exits.hosts["[hub.test]:587"] = Host(
            "hub.test", port.getHost().port, ("127.0.0.1",)
        )
        self.assertEqual(await exits.send(), [None])
        self.assertEqual(len(hop.messages), 1)


class LoginTests(TestCase):
    @run
    async def test_plain_over_tls_and_the_sender_is_told(self):
        exits = Exits(self)
        script = PLAIN | {"AUTH": b"235 in\r\n"}
        hop = await exits.add(script, login=exits.login())
        wishes = Wishes(auth="ann@a.test")
        self.assertEqual(await exits.send(wishes=wishes), [None])
        auth = next(line for line in hop.lines if line.startswith(b"AUTH"))
        self.assertEqual(b64decode(auth[11:]), b"\0ann\0" + PASSWORD)
        self.assertIn(b"MAIL FROM:<ann@a.test> AUTH=ann@a.test", hop.lines)

    @run
    async def test_scram_and_cram_md5_keep_the_password(self):
        for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-1"):
            server = ScramServer(mechanism, b"server")
            exits = Exits(self)
            hop = await exits.add(
                {
                    "EHLO": offering(f"AUTH PLAIN {mechanism}"),
                    "AUTH": scram_conversation(server, mechanism),
                },
                login=exits.login(),
                tls="none",
            )
            self.assertEqual(await exits.send(), [None])
            self.assertNotIn(PASSWORD, b"".join(hop.lines))

    @run
    async def test_no_password_is_said_in_clear(self):
        exits = Exits(self)
        hop = await exits.add(
            {"EHLO": offering("AUTH PLAIN LOGIN")}, login=exits.login(), tls="none"
        )
        self.assertEqual(await exits.send(), ["4.7.0"])
        self.assertNotIn(b"AUTH", b"".join(hop.lines))

    @run
    async def test_a_refused_login_keeps_the_mail_and_is_not_tried_in_a_storm(self):
        exits = Exits(self)
        script = PLAIN | {"AUTH": b"535 5.7.8 wrong\r\n"}
        hop = await exits.add(script, login=exits.login())
        for _ in range(3):
            self.assertEqual(await exits.send(), ["4.7.0"])
        self.assertEqual(len(hop.peers), 1)
        self.assertEqual(hop.messages, [])

    @run
    async def test_a_changed_password_is_not_passed_over_by_a_kept_connection(self):
        exits = Exits(self, idle_s=30)
        hop = await exits.add(PLAIN | {"AUTH": b"235 2.7.0 in\r\n"})
        old, new = exits.login(), exits.login(password=b"another")
        for present, peers in ((old, 1), (old, 1), (new, 2)):
            exits.exits[0] = evolve(exits.exits[0], login=iter([present]).__next__)
            self.assertEqual(await exits.send(), [None])
            self.assertEqual(len(hop.peers), peers)

    @run
    async def test_the_next_mechanism_is_tried_and_not_all(self):
        for code, tries in ((b"504 5.5.4 not that\r\n", 2), (b"454 4.7.0 no\r\n", 1)):
            exits = Exits(self)
            offer = offering("STARTTLS", "AUTH CRAM-MD5 PLAIN LOGIN")
            hop = await exits.add({"EHLO": offer, "AUTH": code}, login=exits.login())
            self.assertEqual(await exits.send(), ["4.7.0"])
            auths = [line for line in hop.lines if line.startswith(b"AUTH")]
            self.assertEqual(len(auths), tries)

    @run
    async def test_the_next_smarthost_takes_what_the_first_does_not_let_in(self):
        exits = Exits(self)
        script = PLAIN | {"AUTH": b"535 5.7.8 wrong\r\n"}
        await exits.add(script, "a.test", login=exits.login())
        second = await exits.add(PLAIN, "b.test")
        self.assertEqual(await exits.send(), [None])
        self.assertEqual(len(second.messages), 1)


def scram_conversation(server, mechanism):
    """What a server says to AUTH and to the lines behind it."""

    def begin(peer):
        line = peer.factory.lines[-1]
        server.client_first(b64decode(line.split()[-1]))
        keys = keys_for(mechanism, PASSWORD, b"salt", 4096)
        peer.lines_to = final
        return b"334 " + encoded(server.server_first(keys)) + b"\r\n"

    def final(peer, line):
        peer.lines_to = ended
        return b"334 " + encoded(server.client_final(b64decode(line))) + b"\r\n"

    def ended(peer, line):
        peer.lines_to = None
        return b"235 in\r\n"

    return begin


def encoded(octets):
    return b64encode(octets)


class TokenServer(Resource):
    """Gives tokens t1, t2, ...; `answers` are (code, octets) given before."""

    isLeaf = True

    def __init__(self):
        super().__init__()
        self.asked, self.answers = [], []

    def render_POST(self, request):
        form = {k.decode(): v[0].decode() for k, v in request.args.items()}
        self.asked.append(form)
        if self.answers:
            code, octets = self.answers.pop(0)
            request.setResponseCode(code)
            return octets
        token = {"access_token": f"t{len(self.asked)}", "expires_in": 3600}
        return json.dumps(token).encode()


class TokenTests(TestCase):
    async def tokens(self, clock=reactor):
        authority, self.server = Authority(), TokenServer()
        ca = Path(self.mktemp())
        ca.write_bytes(authority.pem)
        options, _ = authority.server("127.0.0.1")
        site = Site(self.server)
        port = await SSL4ServerEndpoint(
            reactor, 0, options, interface="127.0.0.1"
        ).listen(site)
        self.addCleanup(port.stopListening)
        url = f"https://127.0.0.1:{port.getHost().port}/token"
        form = {"client_id": Secret(b"id"), "refresh_token": Secret(b"r")}
        return Tokens(clock, web_agent(reactor, str(ca)), url, form)

    @run
    async def test_a_token_is_kept_until_it_is_old(self):
        clock = Clock()
        tokens = await self.tokens(clock)
        for now_s, token in ((0, b"t1"), (3000, b"t1"), (3541, b"t2")):
            clock.rightNow = float(now_s)
            self.assertEqual((await tokens.token()).reveal(), token)
        self.assertEqual(
            self.server.asked[0],
            {"grant_type": "refresh_token", "client_id": "id", "refresh_token": "r"},
        )

    @run
    async def test_answers_that_are_no_token_keep_the_mail(self):
        tokens = await self.tokens()
        for code, octets in (
            (400, b'{"error": "invalid_grant"}'),
            (500, b"<html>"),
            (200, b"{}"),
            (200, b"[]"),
            (200, b"x" * 100_000),
        ):
            self.server.answers = [(code, octets)]
            with self.assertRaises(NoToken):
                await tokens.token()

    def test_a_server_that_does_not_answer_costs_its_time_limit(self):
        class Silent:
            def request(self, *arguments):
                return Deferred()

        clock = Clock()
        tokens = Tokens(clock, Silent(), "https://t.test/", {})
        first = Deferred.fromCoroutine(tokens.token())
        second = Deferred.fromCoroutine(tokens.token())
        clock.advance(REQUEST_S - 1)
        self.assertNoResult(first)
        clock.advance(1)
        self.failureResultOf(first, NoToken)
        self.failureResultOf(second, NoToken)
        self.assertEqual(clock.getDelayedCalls(), [])

    @run
    async def test_xoauth2_asks_for_a_fresh_token_once(self):
        exits = Exits(self)
        tokens = await self.tokens()
        offer = offering("STARTTLS", "AUTH XOAUTH2 PLAIN")

        def judge(peer):
            said = b64decode(peer.factory.lines[-1].split()[-1])
            if b"Bearer t2" in said:
                return b"235 in\r\n"
            peer.lines_to = refuse
            return b"334 " + encoded(b'{"status":"401"}') + b"\r\n"

        def refuse(peer, line):
            peer.lines_to = None
            return b"535 5.7.8 too old\r\n"

        login = TokenLogin(reactor, "ann@a.test", tokens)
        hop = await exits.add({"EHLO": offer, "AUTH": judge}, login=login)
        self.assertEqual(await exits.send(), [None])
        self.assertEqual((len(self.server.asked), len(hop.messages)), (2, 1))

    @run
    async def test_a_token_that_is_refused_twice_keeps_the_mail(self):
        exits = Exits(self)
        tokens = await self.tokens()
        offer = offering("STARTTLS", "AUTH XOAUTH2")
        script = {"EHLO": offer, "AUTH": b"535 5.7.8 no\r\n"}
        login = TokenLogin(reactor, "ann@a.test", tokens)
        await exits.add(script, login=login)
        self.assertEqual(await exits.send(), ["4.7.0"])
        self.assertEqual(len(self.server.asked), 2)
        self.assertRaises(LoginRefused, login.allowed)
