"""Reports of DMARC: made by one host, sent to another, read there."""

import json
import smtplib
import sqlite3

from mailtwist.policy.dmarc_store import FILE
from tests.integration.daemon import PASSWORD
from tests.integration.programs import message
from tests.integration.world import WorldTestCase, until

YESTERDAY = "2026-11-20"


class ReportTests(WorldTestCase):
    extra = "[trust]\nexempt_networks = []\n"

    def test_what_one_host_found_another_reads(self):
        world = self.world
        world.dns.set(
            {
                "TXT _dmarc.b.test": ["v=DMARC1; p=none; rua=mailto:reports@b.test"],
                "TXT b.test": ["v=spf1 -all"],
            }
        )
        ann = self.user(world.a)
        world.b.add_user("reports@b.test")
        with smtplib.SMTP(world.a.address, world.a.port("smtp")) as client:
            octets = message("Forged", to=ann, sender="boss@b.test")
            client.sendmail("boss@b.test", [ann], octets)
        self.assertIn(b"dmarc=fail", self.arrived(world.a, ann)[0])
        world.a.stop()
        store = world.a.folder / "data" / FILE
        with sqlite3.connect(store) as database:
            (count,) = database.execute("SELECT sum(count) FROM counted").fetchone()
            self.assertEqual(count, 1)
            database.execute("UPDATE counted SET day = ?", (YESTERDAY,))
        database.close()
        world.a.start()

        def told():
            found = world.b.command("reports", "reports@b.test", "--json")
            return json.loads(found)

        def there():
            return self.count(world.b, "reports@b.test") == 1

        until(there, world.logs)
        (report,) = told()
        self.assertEqual(report["org_name"], "servidora.test")
        self.assertEqual(report["published"]["domain"], "b.test")
        ((row, number),) = report["rows"]
        self.assertEqual((row["spf"], row["dkim"], number), ("fail", "fail", 1))
        text = world.b.command("reports", "reports@b.test")
        self.assertIn("b.test: 0 passed, 1 failed", text)
        self.assertNotIn(PASSWORD, text)
