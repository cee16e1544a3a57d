"""A Postfix that greylists with postgrey, as many hosts do."""

import re
import subprocess

from tests.integration.daemon import free_port
from tests.integration.test_postfix import PostfixWorld
from tests.integration.world import WorldTestCase, until

DELAY_S = 2


class GreylistingWorld(PostfixWorld):
    def start(self):
        port = free_port()
        self.main = (
            "smtpd_recipient_restrictions = "
            f"check_policy_service inet:127.0.0.1:{port}, reject_unauth_destination\n"
        )
        database = self.folder / "postgrey"
        database.mkdir()
        with (self.folder / "postgrey.log").open("wb") as log:
            postgrey = subprocess.Popen(
                [
                    *("/usr/sbin/postgrey", f"--inet=127.0.0.1:{port}"),
                    *(f"--delay={DELAY_S}", f"--dbdir={database}"),
                    *("--user=root", "--group=root", "--auto-whitelist-clients=0"),
                    *("--whitelist-clients=/dev/null", "--hostname=mx.p.test"),
                    "--whitelist-recipients=/dev/null",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

        def stop():
            postgrey.terminate()
            postgrey.wait(20)

        self.at_end(stop)
        super().start()


class GreylistingTests(WorldTestCase):
    kind = GreylistingWorld

    def test_mail_is_put_off_and_arrives_when_the_host_knows_it(self):
        a, postfix = self.world.a, self.world.postfix
        ann = self.user(a)
        self.send(a, ann, "bob@p.test", "bea@p2.test", subject="Unknown yet")
        for user in ("bob@p.test", "bea@p2.test"):
            (got,) = until(lambda user=user: postfix.messages(user), self.world.logs)
            self.assertIn(b"\nSubject: Unknown yet\n", got)
            (waited_s,) = re.findall(rb"^X-Greylist: delayed (\d+) seconds", got, re.M)
            self.assertGreaterEqual(int(waited_s), DELAY_S)
            self.assertIn(f"to <{user}> put off", a.log.read_text())
        self.assertRegex(a.log.read_text(), r"450 4\.2\.0 .*[Gg]reylisted")
        self.assertEqual(self.count(a, ann), 0)

    def test_who_is_unknown_there_comes_back_in_the_end(self):
        a = self.world.a
        ann = self.user(a)
        self.send(a, ann, "nobody@p.test")
        (report,) = self.arrived(a, ann)
        self.assertIn(b"\r\nStatus: 5.1.1\r\n", report)
