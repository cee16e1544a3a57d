"""EXTERNAL, OAUTHBEARER, XOAUTH2 and ANONYMOUS with programs that speak them."""

import atexit
import imaplib
import poplib
import shutil
import smtplib
import ssl
import tempfile
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509 import load_pem_x509_certificate

from . import ways_in
from .certificates import Authority
from .daemon import PASSWORD, DaemonTestCase
from .identity_provider import AUDIENCE, Provider
from .program_rounds import curl_round
from .programs import message, run
from .world import until

CURL = ("curl", "-sS", "-k", "--ssl-reqd")
FOLDER = Path(tempfile.mkdtemp(prefix="mailtwist-vouch-"))
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)


class ProgramTestCase(DaemonTestCase):
    def curl(self, user, *options):
        curl_round(self.daemon, user, *options)

    def logins(self, user, mechanism):
        return self.daemon.log.read_text().count(f"{user} by {mechanism}")


class CertificateTests(ProgramTestCase):
    ca = Authority(FOLDER)
    extra = (
        f'[tls]\nclient_ca = "{ca.path}"\n'
        "[auth]\ncertificate_names = ['common_name', 'email']\n"
    )

    def test_curl_swaks_and_msmtp_log_in_by_certificate(self):
        ann = self.user()
        pem = self.ca.user("ann", ann)
        self.curl(
            ann, "--cert", pem, "--login-options", "AUTH=EXTERNAL", "-u", f"{ann}:"
        )
        self.assertEqual(self.logins(ann, "EXTERNAL"), 3)
        port = self.daemon.port("submission")
        run(
            *("msmtp", "--host=127.0.0.1", f"--port={port}", "--auth=external"),
            *("--tls=on", "--tls-starttls=on", "--tls-certcheck=off", f"--user={ann}"),
            *(f"--tls-cert-file={pem}", f"--tls-key-file={pem}", f"--from={ann}", ann),
            said=message("By msmtp", sender=ann),
        )
        self.assertEqual(self.logins(ann, "EXTERNAL"), 4)
        _, said = run(
            *("swaks", "-s", f"127.0.0.1:{port}", "-tls", "--tls-cert", pem),
            *("--tls-key", pem, "--quit-after", "EHLO"),
        )
        self.assertRegex(said, "250-AUTH .*EXTERNAL")

    def test_it_is_offered_only_to_who_has_shown_one_that_counts(self):
        ann = self.user()
        stranger = Authority(FOLDER, "CA of strangers").user("mallory", ann)
        late = self.ca.user("late", ann, days=-1)
        for pem, offered in [
            (None, False),
            (stranger, False),
            (late, False),
            (self.ca.user("ann", ann), True),
        ]:
            context = ssl._create_unverified_context()
            if pem is not None:
                context.load_cert_chain(pem)
            port = self.daemon.port("submissions")
            with smtplib.SMTP_SSL("127.0.0.1", port, context=context) as client:
                client.ehlo()
                self.assertEqual(
                    "EXTERNAL" in client.esmtp_features["auth"], offered, pem
                )
                client.login(ann, PASSWORD)  # whatever was shown

    def test_a_certificate_opens_one_account_alone(self):
        ann, bob = self.user(), self.user()
        context = ssl._create_unverified_context()
        context.load_cert_chain(self.ca.user("bob", bob))
        port = self.daemon.port("imaps")
        for wanted, good in ((ann, False), (bob, True), ("", True)):
            with imaplib.IMAP4_SSL("127.0.0.1", port, ssl_context=context) as client:
                if good:
                    client.authenticate("EXTERNAL", lambda _, w=wanted: w.encode())
                else:
                    with self.assertRaises(imaplib.IMAP4.error):
                        client.authenticate("EXTERNAL", lambda _, w=wanted: w.encode())

    def test_port_25_asks_nobody_for_one(self):
        context = ssl._create_unverified_context()
        context.load_cert_chain(self.ca.user("x", "x@example.test"))
        with smtplib.SMTP("127.0.0.1", self.daemon.port("smtp")) as client:
            client.starttls(context=context)
            client.ehlo()
            self.assertNotIn("EXTERNAL", client.esmtp_features.get("auth", ""))


class TokenTests(ProgramTestCase):
    provider = Provider(FOLDER)
    atexit.register(provider.stop)
    extra = (
        f'[oidc]\nissuer = "{provider.issuer}"\naudience = ["{AUDIENCE}"]\n'
        f'ca = "{provider.certificate}"\n[auth]\nfailure_delay_s = 0.1\n'
    )

    def test_curl_and_msmtp_log_in_by_token(self):
        ann = self.user()
        token = self.provider.token(ann)
        self.curl(ann, "-u", ann, "--oauth2-bearer", token)  # the first it knows
        self.assertEqual(self.logins(ann, "OAUTHBEARER"), 3)
        for number, mechanism in enumerate(("OAUTHBEARER", "XOAUTH2")):
            run(
                *("msmtp", "--host=127.0.0.1", f"--auth={mechanism.lower()}"),
                *(f"--port={self.daemon.port('submission')}", "--tls=on"),
                *("--tls-starttls=on", "--tls-certcheck=off", f"--user={ann}"),
                *(f"--passwordeval=echo {token}", f"--from={ann}", ann),
                said=message("By msmtp", sender=ann),
            )
            self.assertEqual(self.logins(ann, mechanism), (4, 1)[number])
        for client in ways_in.imap(self.daemon):
            said = f"user={ann}\1auth=Bearer {token}\1\1".encode()
            client.authenticate("XOAUTH2", lambda _, said=said: said)
            client.logout()

    def test_a_new_key_of_the_provider_needs_no_restart(self):
        ann = self.user()
        self.provider.rotate()
        token = self.provider.token(ann)

        def log_in():
            client = ways_in.imap(self.daemon)[1]
            said = f"n,,\1auth=Bearer {token}\1\1".encode()
            try:
                client.authenticate("OAUTHBEARER", lambda _: said)
            except imaplib.IMAP4.error:
                return False
            client.logout()
            return True

        until(log_in)

    def test_others_tokens_and_old_ones_are_refused_with_a_reason_for_programs(self):
        ann, bob = self.user(), self.user()
        for token in (
            self.provider.token(bob),
            self.provider.token(ann, exp=1),
            self.provider.token(ann, aud="web"),
        ):
            client = ways_in.imap(self.daemon)[0]
            told = []

            def respond(challenge, token=token, told=told):
                told.append(challenge)
                if len(told) > 1:
                    return b"\1"
                return f"n,a={ann},\1auth=Bearer {token}\1\1".encode()

            with self.assertRaises(imaplib.IMAP4.error):
                client.authenticate("OAUTHBEARER", respond)
            self.assertIn(b"invalid_token", told[1])
            client.logout()
        self.assertNotIn(self.provider.token(ann)[:30], self.daemon.log.read_text())


class FingerprintTests(ProgramTestCase):
    ca = Authority(FOLDER, "CA of a table")
    pem = ca.user("clerk", "nobody@example.org")
    mark = load_pem_x509_certificate(pem.read_bytes()).fingerprint(SHA256()).hex()
    extra = (
        f'[tls]\nclient_ca = "{ca.path}"\n[auth]\ncertificate_table = "cards"\n'
        f'[[table]]\nname = "cards"\nkind = "inline"\n'
        f'entries = ["{mark} clerk@example.test"]\n'
    )

    def test_a_table_tells_whose_certificate_it_is(self):
        clerk = self.daemon.add_user("clerk")
        external = ("--login-options", "AUTH=EXTERNAL", "-u", f"{clerk}:")
        self.curl(clerk, "--cert", self.pem, *external)
        self.assertEqual(self.logins(clerk, "EXTERNAL"), 3)


class IntrospectionTests(ProgramTestCase):
    provider = Provider(FOLDER)
    atexit.register(provider.stop)
    secret = FOLDER / "secret"
    secret.write_text("of the client")
    secret.chmod(0o600)
    extra = (
        f'[oidc]\nissuer = "{provider.issuer}"\naudience = ["{AUDIENCE}"]\n'
        f'introspection = "{provider.issuer}/introspect"\nclient_id = "mail"\n'
        f'client_secret = "{secret}"\nca = "{provider.certificate}"\n'
    )

    def test_a_token_that_only_the_provider_can_read(self):
        ann = self.user()
        self.provider.opaque["opaque-1"] = ann
        self.curl(ann, "-u", ann, "--oauth2-bearer", "opaque-1")
        self.assertEqual(self.logins(ann, "OAUTHBEARER"), 3)
        inbox = f"imap://127.0.0.1:{self.daemon.port('imap')}/INBOX"
        status, _ = run(
            *(*CURL, inbox, "-u", ann, "--oauth2-bearer", "opaque-2"), ok=False
        )
        self.assertNotEqual(status, 0)


class AnonymousTests(ProgramTestCase):
    top = ""
    extra = '[auth]\nanonymous = "public@example.test"\n'

    def test_whoever_asks_reads_the_public_mailbox_and_changes_and_sends_nothing(self):
        public = self.daemon.add_user("public")
        ways_in.deliver(self.daemon, public, message("For everybody", to=public))
        for client in ways_in.imap(self.daemon):
            client.authenticate("ANONYMOUS", lambda _: b"somebody")
            told = client.status("INBOX", "(MESSAGES UNSEEN)")[1]
            self.assertRaises(imaplib.IMAP4.readonly, client.select, "INBOX")
            client.is_readonly = True
            for status, said in (
                client.uid("STORE", "1:*", "+FLAGS", r"(\Deleted \Seen)"),
                client.expunge(),
                client.copy("1", "INBOX"),
                client.create("Mine"),
                client.rename("INBOX", "Mine"),
                client.subscribe("Mine"),
                client.append("INBOX", None, None, b"Subject: x\r\n\r\n"),
            ):
                self.assertEqual(status, "NO", said)
            client.send(b"x APPEND INBOX {5+}\r\nhello\r\n")
            self.assertTrue(client.readline().startswith(b"x NO "))
            self.assertEqual(client.fetch("1", "(FLAGS BODY[])")[0], "OK")
            self.assertEqual(client.close()[0], "OK")
            self.assertEqual(client.status("INBOX", "(MESSAGES UNSEEN)")[1], told)
            client.logout()
        for client in ways_in.pop3(self.daemon):
            client._shortcmd("AUTH ANONYMOUS eA==")
            self.assertRaises(poplib.error_proto, client.dele, 1)
            client.quit()
        for client in ways_in.submission(self.daemon):
            client.ehlo()
            self.assertNotIn("ANONYMOUS", client.esmtp_features["auth"])
            self.assertEqual(client.docmd("AUTH", "ANONYMOUS eA==")[0], 504)
            client.quit()
