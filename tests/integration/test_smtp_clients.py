"""Mail goes in with smtplib, swaks, curl, msmtp, ncat and openssl."""

import base64
import hmac
import smtplib

from tests.integration import ways_in
from tests.integration.daemon import DOMAIN, PASSWORD, DaemonTestCase
from tests.integration.programs import message, run


class SmtpClientTests(DaemonTestCase):
    def messages(self, user):
        return ways_in.messages(self.daemon, user)

    def test_smtplib_delivers_without_a_login_to_a_local_user(self):
        ann = self.user()
        with smtplib.SMTP("127.0.0.1", self.daemon.port("smtp")) as client:
            client.sendmail("carol@example.org", [ann], message("Hello"))
        (got,) = self.messages(ann)
        self.assertTrue(got.startswith(b"Return-Path: <carol@example.org>\r\n"), got)
        self.assertIn(f"Delivered-To: {ann}\r\n".encode(), got)
        self.assertIn(b"\r\nReceived: from ", got)
        self.assertTrue(got.endswith(message("Hello").split(b"\r\n\r\n", 1)[1]))

    def test_smtplib_submits_over_starttls_and_implicit_tls(self):
        ann, bob = self.user(), self.user()
        for client in ways_in.submission(self.daemon, bob):
            with client:
                client.sendmail(bob, [ann], message("By bob", sender=bob))
        self.assertEqual(len(self.messages(ann)), 2)

    def test_every_mechanism_that_is_offered_logs_in(self):
        bob = self.user("--keep-secret")
        for mechanism in ("PLAIN", "LOGIN", "CRAM-MD5"):
            for client in ways_in.submission(self.daemon):
                with client:
                    client.ehlo()
                    self.assertIn(mechanism, client.esmtp_features["auth"].split())
                    client.user, client.password = bob, PASSWORD
                    method = "auth_" + mechanism.lower().replace("-", "_")
                    if mechanism == "CRAM-MD5":  # smtplib's own wants ASCII passwords
                        code = self.cram_md5(client, bob)
                    else:
                        code = client.auth(mechanism, getattr(client, method))[0]
                    self.assertEqual(code, 235)

    def cram_md5(self, client, user):
        challenge = base64.b64decode(client.docmd("AUTH", "CRAM-MD5")[1])
        digest = hmac.new(PASSWORD.encode(), challenge, "md5").hexdigest()
        return client.docmd(base64.b64encode(f"{user} {digest}".encode()).decode())[0]

    def test_a_stranger_cannot_relay_and_a_user_cannot_pretend(self):
        ann, bob = self.user(), self.user()
        with smtplib.SMTP("127.0.0.1", self.daemon.port("smtp")) as client:
            client.ehlo("client.example")
            client.mail("carol@example.org")
            code, text = client.rcpt("dave@example.net")
            self.assertEqual((code, text[:5]), (550, b"5.7.1"))
            code, text = client.rcpt(f"nobody@{DOMAIN}")
            self.assertEqual((code, text[:5]), (550, b"5.1.1"))
        with ways_in.submission(self.daemon, bob)[0] as client:
            code, text = client.mail(ann)
            self.assertEqual(text[:5], b"5.7.1")
            self.assertIn(code, (550, 553))

    def test_no_login_before_tls(self):
        with smtplib.SMTP("127.0.0.1", self.daemon.port("submission")) as client:
            client.ehlo("client.example")
            offered = client.esmtp_features.get("auth", "").split()
            self.assertFalse({"PLAIN", "LOGIN"} & set(offered), offered)
            self.assertIn(client.docmd("AUTH PLAIN AGEAYg==")[0], (504, 530, 538))

    def test_swaks_delivers_over_every_way_in(self):
        ann, bob = self.user(), self.user()
        login = ["-au", bob, "-ap", PASSWORD, "--from", bob]
        for ways in (
            ["-p", self.daemon.port("smtp"), "--from", "c@example.org"],
            ["-p", self.daemon.port("smtp"), "-tls", "--from", "c@example.org"],
            ["-p", self.daemon.port("submission"), "-tls", "-a", "PLAIN", *login],
            ["-p", self.daemon.port("submission"), "-tls", "-a", "LOGIN", *login],
            ["-p", self.daemon.port("submissions"), "-tlsc", "-a", "PLAIN", *login],
        ):
            run("swaks", "-s", "127.0.0.1", "--to", ann, "--h-Subject", "sw", *ways)
        self.assertEqual(len(self.messages(ann)), 5)

    def test_swaks_pipelines(self):
        ann = self.user()
        _, text = run(
            *("swaks", "-s", "127.0.0.1", "-p", self.daemon.port("smtp"), "--to", ann),
            *("--from", "<>", "--pipeline"),
        )
        self.assertIn("250 2.0.0", text)
        self.assertTrue(self.messages(ann)[0].startswith(b"Return-Path: <>\r\n"))

    def test_curl_submits_over_starttls_and_implicit_tls(self):
        ann, bob = self.user(), self.user()
        for url in (
            f"smtp://127.0.0.1:{self.daemon.port('submission')}",
            f"smtps://127.0.0.1:{self.daemon.port('submissions')}",
        ):
            run(
                *("curl", "-sS", "-k", "--ssl-reqd", url, "-u", f"{bob}:{PASSWORD}"),
                *("--mail-from", bob, "--mail-rcpt", ann, "-T", "-"),
                said=message("By curl", sender=bob),
            )
        self.assertEqual(len(self.messages(ann)), 2)

    def test_msmtp_submits_over_starttls_and_implicit_tls(self):
        ann, bob = self.user(), self.user()
        for port, starttls in (("submission", "on"), ("submissions", "off")):
            for mechanism in ("plain", "scram-sha-256"):
                run(
                    *("msmtp", "--host=127.0.0.1", f"--port={self.daemon.port(port)}"),
                    *("--tls=on", f"--tls-starttls={starttls}", "--tls-certcheck=off"),
                    *(f"--auth={mechanism}", f"--user={bob}", f"--from={bob}"),
                    f"--passwordeval=printf '%s\\n' '{PASSWORD}'",
                    ann,
                    said=message("By msmtp", sender=bob),
                )
        self.assertEqual(len(self.messages(ann)), 4)

    def test_a_session_typed_with_ncat_works(self):
        ann = self.user()
        typed = (
            f"ehlo me\nMail from: <c@example.org>\nrcpt TO: <{ann}>\n"
            "data\nSubject: typed\n\n..dot\n.\nquit\n"
        )
        _, text = run(
            *("ncat", "-C", ways_in.HOST, self.daemon.port("smtp")), said=typed
        )
        self.assertIn("250 2.0.0", text)
        self.assertIn(b"\r\n.dot\r\n", self.messages(ann)[0])

    def submission_typed(self, user, to):
        plain = base64.b64encode(f"\0{user}\0{PASSWORD}".encode()).decode()
        return (
            f"ehlo me\nauth plain {plain}\nMail from: {user}\nrcpt TO: {to}\n"
            f"data\nFrom: {user}\nSubject: typed\n\nHi.\n.\nquit\n"
        )

    def test_a_submission_typed_with_ncat_over_implicit_tls_works(self):
        # ncat cannot start TLS in the middle of a session; and TLS has no half-closed
        # connection in Twisted, so ncat is asked not to close when its input ends.
        ann, bob = self.user(), self.user()
        ncat = ("ncat", "-C", "--ssl", "--no-shutdown", ways_in.HOST)
        _, text = run(
            *ncat, self.daemon.port("submissions"), said=self.submission_typed(bob, ann)
        )
        self.assertIn("235 2.7.0", text)
        self.assertIn(b"\r\nSubject: typed\r\n", self.messages(ann)[0])

    def test_a_submission_typed_with_openssl_works_over_starttls_and_tls(self):
        ann, bob = self.user(), self.user()
        for port, ways in (
            ("submission", ["-starttls", "smtp"]),
            ("submissions", []),
        ):
            s_client = ("openssl", "s_client", "-crlf", "-quiet", "-verify_quiet")
            where = ("-connect", f"{ways_in.HOST}:{self.daemon.port(port)}")
            typed = self.submission_typed(bob, ann)
            _, text = run(*s_client, *ways, *where, said=typed, ok=False)
            self.assertIn("235 2.7.0", text)
            self.assertIn("221 2.0.0", text)
        self.assertEqual(len(self.messages(ann)), 2)


class TrustedTests(DaemonTestCase):
    """A daemon that trusts loopback, as a local network's server does."""

    top = 'trusted_networks = ["127.0.0.0/8"]'

    def test_addresses_without_brackets_and_any_case_are_taken(self):
        ann = self.user()
        with smtplib.SMTP("127.0.0.1", self.daemon.port("smtp")) as client:
            client.docmd("hElO me")
            self.assertEqual(client.docmd("mail FROM: carol@example.org")[0], 250)
            self.assertEqual(client.docmd(f"RcPt to: {ann}")[0], 250)
