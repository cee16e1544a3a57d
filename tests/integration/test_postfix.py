"""A mailtwist host and a Postfix exchange mail; a Postfix is the smarthost."""

import smtplib

from tests.authority import Authority
from tests.integration.daemon import PASSWORD
from tests.integration.postfix import Logins, Postfix
from tests.integration.programs import message
from tests.integration.world import World, WorldTestCase, until

RELAY_LOGIN = "relay"


class PostfixWorld(World):
    """servidorA, and a Postfix that is the MX of p.test and p2.test; `main` is more of
    its main.cf."""

    main = ""

    def start(self):
        super().start()
        authority = Authority()
        certificate, key = authority.issue_files(self.folder, "mx.p.test")
        self.postfix = Postfix(
            "mx.p.test",
            self.address("mx.p.test", "p.test", "p2.test"),
            self.port,
            domains=("p.test", "p2.test"),
            users=("bob", "bea"),
            main=f"mynetworks = 127.0.0.0/8\nsmtpd_tls_security_level = may\n"
            f"smtpd_tls_cert_file = {certificate}\nsmtpd_tls_key_file = {key}\n"
            "smtp_tls_security_level = may\nsmtp_tls_loglevel = 1\n"
            f"smtp_send_xforward_command = yes\n{self.main}",
        )
        for domain in self.a.domains:
            self.postfix.routes[domain] = (self.a.address, self.port)
        self.at_end(self.postfix.stop)
        self.postfix.start()

    def logs(self):
        told = self.postfix.log
        return super().logs() + (told.read_text() if told.exists() else "")


class PostfixPeerTests(WorldTestCase):
    kind = PostfixWorld
    extra = '[restrictions]\ntrusted_proxies = ["127.0.0.0/8"]\n'

    def at_postfix(self, user, subject):
        """The message with this subject, once it is in a mailbox of Postfix."""

        def found():
            got = self.world.postfix.messages(user)
            return [m for m in got if b"Subject: %s\n" % subject.encode() in m]

        (got,) = until(found, self.world.logs)
        return got

    def from_postfix(self, sender, recipient, subject, **fields):
        postfix = self.world.postfix
        octets = message(subject, recipient, sender=sender, **fields)
        with smtplib.SMTP(postfix.address, postfix.port) as client:
            client.sendmail(sender, [recipient], octets)

    def test_mail_goes_there_and_back(self):
        a = self.world.a
        for domain, theirs in (("a.test", "p.test"), ("a2.test", "p2.test")):
            ann, bob = self.user(a, domain=domain), f"bob@{theirs}"
            self.send(a, ann, bob, subject=f"To {theirs}")
            got = self.at_postfix(bob, f"To {theirs}")
            self.assertIn(b"Return-Path: <%s>\n" % ann.encode(), got)
            self.from_postfix(bob, ann, f"Back from {theirs}")
            (back,) = self.arrived(a, ann)
            self.assertIn(b"\r\nSubject: Back from %s\r\n" % theirs.encode(), back)

    def test_both_use_tls(self):
        a, bob = self.world.a, "bob@p.test"
        ann = self.user(a)
        self.send(a, ann, bob, subject="Sealed")
        got = self.at_postfix(bob, "Sealed")
        self.assertIn(b"(using TLSv1.3", got.split(b"Received:")[1])
        self.from_postfix(bob, ann, "Sealed too")
        (back,) = self.arrived(a, ann)
        self.assertIn(b"with ESMTPS", back.split(b"\r\nReceived: ")[1])

    def test_a_large_message_of_eight_bit_text_arrives_as_it_was(self):
        a, bob = self.world.a, "bob@p.test"
        ann = self.user(a)
        body = "".join(f"\N{SNOWMAN} .line {n}\n.\n" for n in range(30_000))
        self.send(a, ann, bob, subject="Large", body=body)
        got = self.at_postfix(bob, "Large")
        self.assertEqual(got.partition(b"\n\n")[2], body.encode())
        self.from_postfix(bob, ann, "Large", body=body)
        (back,) = self.arrived(a, ann)
        sent = body.encode().replace(b"\n", b"\r\n")
        self.assertEqual(back.partition(b"\r\n\r\n")[2], sent)

    def test_what_postfix_refuses_comes_back_to_the_sender(self):
        ann = self.user(self.world.a)
        self.send(self.world.a, ann, "bea@p.test", "nobody@p.test", subject="Half")
        self.at_postfix("bea@p.test", "Half")
        (report,) = self.arrived(self.world.a, ann)
        self.assertIn(b"\r\nFinal-Recipient: rfc822;nobody@p.test\r\n", report)
        self.assertIn(b"\r\nStatus: 5.1.1\r\n", report)

    def test_postfix_tells_from_whom_it_has_a_message(self):
        """servidorA trusts it as a proxy, so XFORWARD is in its EHLO."""
        a = self.world.a
        ann = self.user(a)
        before = len(a.log.read_text())
        self.from_postfix("bob@p.test", ann, "Forwarded")
        self.arrived(a, ann)
        told = a.log.read_text()[before:]
        self.assertRegex(told, r"XFORWARD .*127\.0\.0\.1")

    def test_what_we_refuse_comes_back_from_postfix(self):
        self.from_postfix("bea@p2.test", "nobody@a.test", "Lost")
        report = self.at_postfix("bea@p2.test", "Undelivered Mail Returned to Sender")
        self.assertIn(b"5.1.1", report)

    def test_a_success_that_was_asked_for_is_told_by_postfix(self):
        a = self.world.a
        ann = self.user(a)
        with smtplib.SMTP(a.address, a.port("submission")) as client:
            self.log_in(client, ann)
            octets = message("Tell me", "bob@p.test", sender=ann)
            client.sendmail(ann, ["bob@p.test"], octets, (), ["NOTIFY=SUCCESS"])
        self.at_postfix("bob@p.test", "Tell me")
        (report,) = self.arrived(a, ann)
        self.assertIn(b"\r\nAction: delivered\r\n", report)
        self.assertIn(b"\r\nReporting-MTA: dns; mx.p.test\r\n", report)


class SmarthostWorld(World):
    """servidorA, whose mail leaves through a Postfix that wants TLS and a login."""

    def start(self):
        super().start()
        authority = Authority()
        ca = self.folder / "ca.pem"
        ca.write_bytes(authority.pem)
        certificate, key = authority.issue_files(self.folder, "smarthost.test")
        self.postfix = Postfix(
            "smarthost.test",
            self.address("smarthost.test"),
            self.port,
            main="mynetworks = 127.255.255.255/32\n"
            "smtpd_tls_security_level = encrypt\nsmtpd_tls_auth_only = yes\n"
            "smtpd_relay_restrictions = permit_sasl_authenticated, reject\n"
            f"smtpd_tls_cert_file = {certificate}\nsmtpd_tls_key_file = {key}\n"
            + Logins.lines,
        )
        self._certificate = ca
        self.c = self.behind("c.test", PASSWORD)
        for host in (self.b, self.c):
            for domain in host.domains:
                self.postfix.routes[domain] = (host.address, self.port)
        self.at_end(self.postfix.stop)
        self.postfix.start()
        self.at_end(Logins(self.postfix, RELAY_LOGIN).stop)

    def behind(self, domain, password, *, ca=None):
        """A running mailtwist whose mail for elsewhere goes through the Postfix."""
        secret = self.folder / f"{domain}.toml"
        secret.touch(0o600)
        secret.write_text(f'user = "{RELAY_LOGIN}"\npassword = "{password}"\n')
        return self.host(
            f"mail.{domain}",
            domain,
            extra=f'[[smarthost]]\nhost = "smarthost.test:{self.port}"\n'
            f'ca = "{ca or self._certificate}"\ncredentials = "{secret}"\n',
        )

    def logs(self):
        told = self.postfix.log
        return super().logs() + (told.read_text() if told.exists() else "")


class PostfixSmarthostTests(WorldTestCase):
    kind = SmarthostWorld

    def test_mail_goes_through_it_after_a_login_over_tls(self):
        b, c = self.world.b, self.world.c
        cora, bob = self.user(c), self.user(b)
        self.send(c, cora, bob, subject="Through")
        (got,) = self.arrived(b, bob)
        _, last, middle, first = got.split(b"\r\nReceived: ")
        self.assertIn(b"from smarthost.test", last)
        self.assertIn(b"from mail.c.test", middle)
        self.assertIn(b"by mail.c.test", first)
        log = self.world.postfix.log.read_text()
        self.assertIn(f"sasl_username={RELAY_LOGIN}", log)

    def test_local_mail_does_not_leave(self):
        c = self.world.c
        cora, carl = self.user(c), self.user(c)
        before = self.world.postfix.log.read_text().count("smtpd")
        self.send(c, cora, carl)
        self.arrived(c, carl)
        self.assertEqual(self.world.postfix.log.read_text().count("smtpd"), before)

    def test_what_it_refuses_comes_back_to_the_sender(self):
        c = self.world.c
        cora = self.user(c)
        self.send(c, cora, "nobody@b.test")
        (report,) = self.arrived(c, cora)
        self.assertIn(b"nobody@b.test", report)

    def test_mail_waits_while_the_login_is_refused(self):
        d = self.world.behind("d.test", "wrong")
        dora, bob = self.user(d), self.user(self.world.b)
        self.send(d, dora, bob)
        until(
            lambda: "authentication failed" in d.log.read_text().lower(),
            d.log.read_text,
        )
        self.assertEqual(self.count(self.world.b, bob), 0)
        self.assertEqual(self.count(d, dora), 0)

    def test_mail_waits_while_the_certificate_cannot_be_trusted(self):
        other = self.world.folder / "other.pem"
        other.write_bytes(Authority().pem)
        e = self.world.behind("e.test", PASSWORD, ca=other)
        eva, bob = self.user(e), self.user(self.world.b)
        self.send(e, eva, bob)
        refused = "certificate of smarthost.test"
        until(lambda: refused in e.log.read_text(), e.log.read_text)
        self.assertEqual(self.count(self.world.b, bob), 0)
