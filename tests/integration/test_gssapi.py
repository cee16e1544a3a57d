"""GSSAPI with a real KDC, by programs that bring a ticket."""

import atexit

from . import ways_in
from .daemon import DaemonTestCase
from .kerberos_realm import REALM, Realm
from .programs import message, run

CURL = ("curl", "-sS", "-k", "--ssl-reqd", "--login-options", "AUTH=GSSAPI")


class GssapiTests(DaemonTestCase):
    realm = Realm()
    atexit.register(realm.remove)
    extra = f'[gssapi]\nkeytab = "{realm.keytab}"\nrealms = ["{REALM}"]\n'

    def logins(self, user):
        return self.daemon.log.read_text().count(f"{user} by GSSAPI")

    def test_curl_and_msmtp_log_in_by_ticket(self):
        ann = self.user()
        env = self.realm.ticket(ann.partition("@")[0])
        login, port = ("-u", f"{ann}:x"), self.daemon.port
        run(
            *(*CURL, f"smtp://localhost:{port('submission')}", *login),
            *("--mail-from", ann, "--mail-rcpt", ann, "-T", "-"),
            said=message("By ticket", sender=ann),
            env=env,
        )
        _, said = run(*CURL, f"pop3://localhost:{port('pop3')}/1", *login, env=env)
        self.assertIn("Subject: By ticket", said)
        inbox = f"imap://localhost:{port('imap')}/INBOX;MAILINDEX=1"
        _, said = run(*CURL, inbox, *login, env=env)
        self.assertIn("Subject: By ticket", said)
        self.assertEqual(self.logins(ann), 3)
        run(
            *("msmtp", "--host=localhost", f"--port={port('submission')}"),
            *("--auth=gssapi", "--tls=on", "--tls-starttls=on", "--tls-certcheck=off"),
            *(f"--user={ann}", f"--from={ann}", ann),
            said=message("By msmtp", sender=ann),
            env=env,
        )
        self.assertEqual(self.logins(ann), 4)

    def test_a_ticket_opens_no_other_account_and_rubbish_none(self):
        ann, bob = self.user(), self.user()
        env = self.realm.ticket(bob.partition("@")[0])
        inbox = f"imap://localhost:{self.daemon.port('imap')}/INBOX"
        run(*CURL, inbox, "-u", f"{ann}:x", env=env)  # curl never says who it wants
        self.assertEqual((self.logins(ann), self.logins(bob)), (0, 1))
        for client in ways_in.imap(self.daemon):
            with self.assertRaises(client.error):
                client.authenticate("GSSAPI", lambda _: b"rubbish")
            client.logout()
