"""fetchmail takes mail over POP3 and IMAP, and hands it on by SMTP."""

from pathlib import Path

from tests.integration import ways_in
from tests.integration.daemon import PASSWORD, DaemonTestCase
from tests.integration.programs import message, run


class FetchmailTests(DaemonTestCase):
    def fetch(self, user, to, protocol, port, tls):
        home = Path(self.mktemp()).absolute()
        home.mkdir()
        rc = home / "fetchmailrc"
        rc.write_text(
            f"poll localhost protocol {protocol} uidl\n"
            f" service {self.daemon.port(port)}\n"
            f' user "{user}" password "{PASSWORD}" {tls} sslcertck fetchall\n'
            f" sslcertfile {self.daemon.folder}/data/tls/self-signed.crt\n"
            f" smtphost localhost/{self.daemon.port('smtp')} smtpname {to}\n"
        )
        rc.chmod(0o600)
        files = ("-f", rc, "--pidfile", home / "pid", "--idfile", home / "ids")
        run("fetchmail", "--nosyslog", *files, env={"HOME": str(home)})

    def test_it_moves_mail_over_every_way_in(self):
        for protocol, port, tls in (
            ("pop3", "pop3", "sslproto tls1.2+"),  # STLS, or it gives up
            ("pop3", "pop3s", "ssl"),
            ("imap", "imap", "sslproto tls1.2+"),
            ("imap", "imaps", "ssl"),
        ):
            ann, bob = self.user(), self.user()
            dots = message("two", body=".one\n..two\n" + "z" * 900 + "\n")
            ways_in.deliver(self.daemon, ann, message("one"), dots)
            self.fetch(ann, bob, protocol, port, tls)
            self.assertEqual(ways_in.messages(self.daemon, ann), [], port)
            one, two = ways_in.messages(self.daemon, bob)
            self.assertIn(b"\r\nSubject: one\r\n", one)
            self.assertIn(b"\r\n.one\r\n..two\r\n", two)
