"""What becomes of TLS is told, but not of mail that tells of TLS."""

from twisted.trial.unittest import TestCase

from tests.smtp.next_hop import MAIL, Content, World, job, offering

REPORT = b"TLS-Report-Domain: b.test\r\n" + MAIL


class ToldTests(TestCase):
    async def told(self, mail):
        world = World(self)
        await world.next_hop({"EHLO": offering("PIPELINING")})
        (outcome,) = await world.send(job(octets=len(mail)), Content(mail))
        self.assertIsNone(outcome.fault)
        return world.hosts.told

    async def test_a_host_without_tls_is_told(self):
        told = [("b.test", "next.test", "starttls-not-supported")]
        self.assertEqual(await self.told(MAIL), told)

    async def test_a_tls_report_is_not_reported_on(self):
        self.assertEqual(await self.told(REPORT), [])
