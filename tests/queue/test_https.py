"""HTTPS to strangers, over real sockets and a private authority."""

from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import TestCase

from mailtwist.errors import ConfigError
from mailtwist.queue import https
from mailtwist.queue.https import MOST_OCTETS, Https, HttpsFailed
from tests.authority import Authority
from tests.dns.zone import DOWN, Zone
from tests.queue.https_host import NOTHING, serve

PAGES = {
    "/page": (200, "Text/Plain; charset=utf-8", b"hello"),
    "/large": (200, "text/plain", b"x" * (MOST_OCTETS + 1)),
    "/limit": (200, "text/plain", b"x" * MOST_OCTETS),
    "/moved": (302, "text/plain", b"/page"),
    "/gone": (410, "text/plain", b"gone"),
    "/silent": NOTHING,
}
ZONE = {
    "A good.test": ["127.0.0.1"],
    "A other.test": ["127.0.0.1"],
    "A inside.test": ["127.0.0.9"],
    "A down.test": DOWN,
    "A two.test": ["127.0.0.8", "127.0.0.1"],
}


class HttpsTests(TestCase):
    async def world(self, *names, days=1, trusted=True):
        authority = Authority()
        options, _ = authority.server(*names or ("good.test", "two.test"), days=days)
        self.told, port = await serve(self, PAGES, options)
        ca = Path(self.mktemp())
        ca.write_bytes((authority if trusted else Authority()).pem)
        return Https(
            reactor,
            Zone(ZONE),
            usable=lambda address: address != "127.0.0.9",
            ca=str(ca),
            port=port,
        )

    async def refused(self, host, url):
        with self.assertRaises(HttpsFailed) as told:
            await host.get(url)
        return str(told.exception)

    async def test_a_page_is_read(self):
        host = await self.world()
        self.assertEqual(
            await host.get("https://good.test/page"), ("text/plain", b"hello")
        )
        self.assertEqual(
            len((await host.get("https://good.test/limit"))[1]), MOST_OCTETS
        )

    async def test_the_next_address_is_tried(self):
        host = await self.world()
        self.assertEqual((await host.get("https://two.test/page"))[1], b"hello")

    async def test_no_redirect_is_followed(self):
        host = await self.world()
        self.assertIn("302", await self.refused(host, "https://good.test/moved"))
        self.assertEqual(self.told.asked, ["/moved"])

    async def test_other_statuses_are_faults(self):
        host = await self.world()
        for path, status in (("/gone", "410"), ("/none", "404")):
            self.assertIn(status, await self.refused(host, f"https://good.test{path}"))

    async def test_little_is_read(self):
        host = await self.world()
        self.assertIn("octets", await self.refused(host, "https://good.test/large"))

    async def test_a_certificate_must_hold(self):
        for options, url, why in (
            ({}, "https://other.test/page", "another name"),
            ({"days": -1}, "https://good.test/page", "expired"),
            ({"trusted": False}, "https://good.test/page", "unknown authority"),
        ):
            host = await self.world(**options)
            await self.refused(host, url)
            self.assertEqual(self.told.asked, [], why)

    async def test_what_cannot_be_reached_is_a_fault(self):
        host = await self.world()
        for url in (
            "https://none.test/page",
            "https://down.test/page",
            "https://inside.test/page",
            "http://good.test/page",
            "https://good.test:1/page",
            "https://good.test:x/page",
            "nonsense",
        ):
            await self.refused(host, url)
        self.assertEqual(self.told.asked, [])

    async def test_silence_ends(self):
        self.patch(https, "LIMIT_S", 0.1)
        host = await self.world()
        await self.refused(host, "https://good.test/silent")

    async def test_giving_up_leaves_no_connection(self):
        host = await self.world()
        asked = Deferred.fromCoroutine(host.get("https://good.test/silent"))
        while not self.told.asked:
            breath = Deferred()
            reactor.callLater(0.01, breath.callback, None)
            await breath
        asked.cancel()
        with self.assertRaises((CancelledError, HttpsFailed)):
            await asked

    async def test_octets_are_posted(self):
        host = await self.world()
        await host.post("https://good.test/page", "application/tlsrpt+gzip", b"\0zip")
        self.assertEqual(
            self.told.posted, [("/page", "application/tlsrpt+gzip", b"\0zip")]
        )
        with self.assertRaises(HttpsFailed):
            await host.post("https://good.test/none", "a/b", b"x")

    def test_an_authority_that_cannot_be_read_is_a_fault_of_the_configuration(self):
        path = self.mktemp()
        for content in (None, b"nonsense"):
            if content:
                with open(path, "wb") as file:
                    file.write(content)
            with self.assertRaises(ConfigError):
                Https(reactor, Zone({}), usable=bool, ca=path)
