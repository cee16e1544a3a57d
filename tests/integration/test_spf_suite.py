"""The public test suite of RFC 7208, which tools/setup-tests fetches."""

from ipaddress import ip_address
from pathlib import Path

import yaml
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.address import Address
from mailtwist.errors import BadAddress, DnsUnavailable
from mailtwist.trust.spf import SpfQuestion, check_sender

SUITE = Path(__file__).parent.parent.parent / ".spf-suite/rfc7208-tests.yml"
LEAST_TESTS = 150


class SuiteNames:
    """The zone data of one scenario."""

    def __init__(self, zone):
        self._zone = {
            name.lower(): self._row(entries) for name, entries in zone.items()
        }

    @staticmethod
    def _row(entries):
        found, types = [], set()
        for entry in entries:
            if not isinstance(entry, str):
                ((kind, value),) = entry.items()
                types.add(kind)
                entry = (kind, value)
            found.append(entry)
        if "TXT" not in types:
            found += [("TXT", one[1]) for one in found if one[0] == "SPF"]
        return [one for one in found if one != ("TXT", "NONE")]

    def _ask(self, name, kind, depth=0):
        found = []
        for entry in self._zone.get(name.lower().removesuffix("."), ()):
            if entry == (kind, "TIMEOUT") or (entry == "TIMEOUT" and not found):
                raise DnsUnavailable()
            if entry[0] == kind:
                found.append(entry[1])
            elif entry[0] == "CNAME" and depth < 10:
                found += self._ask(entry[1], kind, depth + 1)
        return found

    async def txt(self, name):
        joined = (
            "".join(v) if isinstance(v, list) else v for v in self._ask(name, "TXT")
        )
        return [text.encode("latin-1") for text in joined]

    async def addresses(self, name, *, ipv6):
        return self._ask(name, "AAAA" if ipv6 else "A")

    async def mx(self, name):
        return [(number, host) for number, host in self._ask(name, "MX")]

    async def ptr(self, address):
        return self._ask(ip_address(address).reverse_pointer, "PTR")


def sender_of(text):
    """The reverse path, however malformed its domain is."""
    if not text:
        return None
    try:
        return Address.parse(text)
    except BadAddress:
        local_part, _, domain = text.rpartition("@")
        return Address(local_part, domain)


class SpfSuiteTests(SynchronousTestCase):
    def test_every_case_has_one_of_its_results(self):
        wrong, count = [], 0
        for scenario in yaml.safe_load_all(SUITE.read_text()):
            names = SuiteNames(scenario["zonedata"])
            for name, case in scenario["tests"].items():
                count += 1
                question = SpfQuestion(
                    ip_address(case["host"]),
                    case["helo"],
                    sender_of(case["mailfrom"]),
                    "receiver.test",
                )
                found = self.successResultOf(
                    Deferred.fromCoroutine(check_sender(question, names))
                )
                wanted = case["result"]
                wanted = wanted if isinstance(wanted, list) else [wanted]
                told = case.get("explanation")
                told = "" if told == "DEFAULT" else told
                if found.result not in wanted:
                    wrong.append((name, wanted, found))
                elif told is not None and found.explanation != told:
                    wrong.append((name, told, found))
        self.assertEqual(wrong, [])
        self.assertGreater(count, LEAST_TESTS)
