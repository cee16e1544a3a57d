"""Mailboxes, files and commands are given lines."""

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from mailtwist.delivery.model import Route, Wishes
from mailtwist.errors import MailError
from mailtwist.interfaces import ITransport
from mailtwist.queue.lines_only import LinesOnly
from mailtwist.queue.model import Outcome
from mailtwist.queue.spool.content import KeptContent

from .rooms import World
from .test_ends import CONTENT, job

LINES = KeptContent(b"x: y\r\n\r\nlines\r\n")


@implementer(ITransport)
class Reader:
    got = None

    def destination(self, job):
        return "there"

    async def attempt(self, job, content):
        self.got = content
        return [Outcome()] * len(job.recipients)


async def as_lines(content):
    return LINES


async def never(content):
    raise MailError("It is signed", status="5.6.3")


class LinesOnlyTests(SynchronousTestCase):
    def attempt(self, body, convert):
        """What the reader got, and the outcome."""
        some, reader = job(Route("file")), Reader()
        message = evolve(some.message, wishes=Wishes(body))
        transport = LinesOnly(reader, convert)
        verifyObject(ITransport, transport)
        self.assertEqual(transport.destination(some), "there")
        attempt = transport.attempt(evolve(some, message=message), CONTENT)
        (outcome,) = World.result(attempt)
        return reader.got, outcome.fault

    def test_binary_mail_is_converted_and_no_other(self):
        self.assertEqual(self.attempt("BINARYMIME", as_lines), (LINES, None))
        for body in ("7BIT", "8BITMIME"):
            self.assertEqual(self.attempt(body, as_lines), (CONTENT, None))

    def test_what_cannot_be_converted_comes_back(self):
        got, fault = self.attempt("BINARYMIME", never)
        self.assertEqual((got, fault.status), (None, "5.6.3"))
