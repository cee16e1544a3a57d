"""Routes to a host, and to Dovecot over LMTP, through the whole server."""

import smtplib

from twisted.trial.unittest import SynchronousTestCase

from tests.bench.peers import DovecotLmtp, SmtpSink
from tests.integration.daemon import DOMAIN, Daemon
from tests.integration.next_hops import ANN, BOB, Watch, peer
from tests.integration.programs import message, run
from tests.integration.world import until

NOBODY = f"nobody@{DOMAIN}"


class RouteTests(SynchronousTestCase):
    timeout = 120

    def daemon(self, routes):
        made = Daemon(
            routes,
            'trusted_networks = ["127.0.0.0/8"]\n',
            hostname="home.test",
            domains=("home.test",),
        )
        self.addCleanup(made.remove)
        made.start()
        return made

    def send(self, daemon, *recipients, sender="carol@home.test"):
        with smtplib.SMTP("127.0.0.1", daemon.port("smtp")) as client:
            octets = message(subject="Out", sender=sender)
            client.sendmail(sender, recipients, octets)

    def test_lmtp_over_both_kinds_of_socket(self):
        dovecot = peer(DovecotLmtp, [ANN, BOB])
        for place in (f"unix:{dovecot.socket}", f"[127.0.0.1]:{dovecot.port}"):
            daemon = self.daemon(
                f'[[route]]\nmatch = "{DOMAIN}"\naction = "lmtp:{place}"\n'
            )
            watch = Watch(dovecot.folder / "mail")
            self.send(daemon, ANN, NOBODY, BOB)
            got = until(lambda w=watch: len(w.fresh()) == 2 and w.fresh(), "two copies")
            self.assertTrue(all(b"Subject: Out\r\n" in one for one in got))
            told = f"<{NOBODY}>"
            until(lambda d=daemon, t=told: t in d.log.read_text(), "a refusal")
            self.assertNotIn("Traceback", daemon.log.read_text())

    def test_a_host_without_mx(self):
        sink = peer(SmtpSink)
        daemon = self.daemon(f'[[route]]\naction = "smtp:[127.0.0.1]:{sink.port}"\n')
        before = sink.taken()
        self.send(daemon, "a@elsewhere.test", "b@elsewhere.test")
        self.send(daemon, "c@other.test")
        until(lambda: sink.taken() == before + 2, "two messages")

    def test_the_sender_and_the_recipient_choose_the_route(self):
        sinks = first, second = SmtpSink(), SmtpSink()
        for sink in sinks:
            self.addCleanup(sink.stop)
        daemon = self.daemon(
            '[[route]]\nmatch = "quiet.test"\naction = "discard:"\n'
            '[[route]]\nmatch = "gone.test"\naction = "error:5.1.6 Moved away"\n'
            '[[route]]\nsender = "dave@home.test"\n'
            f'action = "smtp:[127.0.0.1]:{second.port}"\n'
            f'[[route]]\naction = "smtp:[127.0.0.1]:{first.port}"\n'
        )
        self.send(daemon, "a@far.test", "b@quiet.test")
        self.send(daemon, "a@far.test", sender="dave@home.test")
        until(lambda: [sink.taken() for sink in sinks] == [1, 1], daemon.log.read_text)
        until(lambda: not daemon.command("queue", "list", "--json"))
        with self.assertRaises(smtplib.SMTPRecipientsRefused) as refused:
            self.send(daemon, "a@gone.test")
        ((code, text),) = refused.exception.recipients.values()
        self.assertEqual((code, text), (550, b"5.1.6 Moved away"))
        self.assertEqual([sink.taken() for sink in sinks], [1, 1])

    def test_load_goes_from_smtp_source_through_to_smtp_sink(self):
        sink = SmtpSink()
        self.addCleanup(sink.stop)
        daemon = self.daemon(f'[[route]]\naction = "smtp:[127.0.0.1]:{sink.port}"\n')
        count = 500
        run(
            *("smtp-source", "-s", 10, "-m", count, "-l", 2000),
            *("-f", "carol@home.test", "-t", "bob@far.test"),
            f"127.0.0.1:{daemon.port('smtp')}",
        )
        until(lambda: sink.taken() >= count, daemon.log.read_text)
        until(lambda: "bob@far.test" not in daemon.command("queue", "list"))
        self.assertEqual(sink.taken(), count)
