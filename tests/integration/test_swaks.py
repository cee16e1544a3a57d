"""swaks checks each feature of EHLO that it knows, or that is a parameter.

It puts ">" behind an address, so parameters stand behind a ">" of ours, and the last
one, ENVID, takes in its own.
"""

from tests.integration import ways_in
from tests.integration.daemon import PASSWORD, DaemonTestCase, free_port
from tests.integration.programs import run

PROXY_PORT = free_port()
SENDER = "carol@example.org"
NO_WORD = {  # smtplib and others ask for these in test_smtp_features.py, test_append.py
    *("CHUNKING", "BINARYMIME", "BURL", "LIMITS", "ETRN", "XFORWARD", "HELP", "VRFY"),
}
CHECKED = {
    "PIPELINING": "pipelines",
    "SIZE": "announces_a_size",
    "STARTTLS": "starts_tls",
    "AUTH": "logs_in_by_each_mechanism",
    "ENHANCEDSTATUSCODES": "pipelines",
    "8BITMIME": "sends_eight_bit_text",
    "SMTPUTF8": "sends_from_an_address_in_utf8",
    "DSN": "asks_for_a_report_of_success",
    "REQUIRETLS": "requires_tls",
    "DELIVERBY": "wants_a_message_by_a_time",
    "FUTURERELEASE": "wants_a_message_later",
    "MT-PRIORITY": "wants_a_message_first",
    "PRDR": "hears_of_each_recipient",
    "XCLIENT": "speaks_for_another_client",
}


class SwaksTests(DaemonTestCase):
    extra = f"""
[[listener]]
protocol = "smtp"
tls = "starttls"
endpoint = "tcp:{PROXY_PORT}:interface=127.0.0.1"
proxy_protocol = true
[[table]]
name = "clients"
kind = "inline"
entries = ["198.51.100 REJECT 5.7.1 not from there"]
[restrictions]
client = ["check_client_access clients"]
etrn_domains = ["waiting.example"]
etrn_networks = ["127.0.0.1/32"]
trusted_proxies = ["127.0.0.1/32"]
[auth]
digest_md5 = true
"""

    def swaks(self, *arguments, way="smtp", port=0, ok=True):
        """What swaks told, of a session that must (not) go well."""
        port = port or self.daemon.port(way)
        status, text = run(
            *("swaks", "-s", "127.0.0.1", "-p", port, "--helo", "client.example"),
            *arguments,
            ok=False,
        )
        self.assertEqual(status == 0, ok, text)
        return text

    def wish(self, parameters, *arguments, sender=SENDER, **more):
        """A session whose MAIL has these parameters."""
        wished = f"{sender}> {parameters} ENVID=swaks"
        text = self.swaks("--from", wished, "--h-From", sender, *arguments, **more)
        self.assertIn(f" MAIL FROM:<{wished}>", text)
        return text

    def got(self, user):
        (octets,) = ways_in.messages(self.daemon, user)
        return octets

    def login(self, user, mechanism="PLAIN"):
        return ("-tls", "-a", mechanism, "-au", user, "-ap", PASSWORD)

    def test_every_feature_is_checked_here_or_has_no_word_in_swaks(self):
        offered = set()
        for way in ("smtp", "submission"):
            quit_after = ("--quit-after", "FIRST-EHLO")
            for option in (quit_after, ("-tls", "--quit-after", "EHLO")):
                text = self.swaks(*option, way=way)
                offered |= {
                    line[8:].split()[0]
                    for line in text.splitlines()
                    if line[:3] in ("<- ", "<~ ") and line[4:8] in ("250-", "250 ")
                }
        offered -= {"2.0.0", f"mail.{self.daemon.domains[0]}"}
        self.assertEqual(offered, set(CHECKED) | NO_WORD)
        for name in CHECKED.values():
            self.assertTrue(callable(getattr(self, f"test_swaks_{name}")))

    def test_swaks_pipelines(self):
        ann = self.user()
        text = self.swaks("--pipeline", "--to", ann, "-f", SENDER)
        mail = text.index(" -> MAIL FROM")
        self.assertLess(text.index(" -> DATA"), text.index("<-  250 2.1.0", mail))
        self.assertLess(text.index("<-  250 2.1.0", mail), text.index("<-  250 2.1.5"))
        self.got(ann)

    def test_swaks_announces_a_size(self):
        ann = self.user()
        self.wish("SIZE=2000", "--to", ann)
        self.got(ann)
        text = self.wish("SIZE=99999999999", "--to", ann, ok=False)
        self.assertIn("<** 552 5.3.4 ", text)

    def test_swaks_starts_tls(self):
        ann = self.user()
        self.swaks("-tls", "--to", ann, "-f", SENDER)
        self.assertIn(b"with ESMTPS id", self.got(ann))

    def test_swaks_logs_in_by_each_mechanism(self):
        ann = self.user("--keep-secret")
        mechanisms = ("PLAIN", "LOGIN", "CRAM-MD5", "DIGEST-MD5")
        for mechanism in mechanisms:
            letter = ("--to", ann, "--from", ann)
            text = self.swaks(*self.login(ann, mechanism), *letter, way="submission")
            self.assertIn("<~  235 2.7.0 ", text)
            wrong = (*self.login(ann, mechanism)[:-1], "wrong")
            text = self.swaks(*wrong, *letter, way="submission", ok=False)
            self.assertIn("<~* 535 5.7.8 ", text)
        got = ways_in.messages(self.daemon, ann)
        self.assertEqual(len(got), len(mechanisms))
        for octets in got:
            self.assertIn(b"with ESMTPSA id", octets)

    def test_swaks_sends_eight_bit_text(self):
        ann = self.user()
        body = "Gr\N{LATIN SMALL LETTER U WITH DIAERESIS}\N{SNOWMAN}"
        self.wish("BODY=8BITMIME", "--to", ann, "--body", body)
        self.assertIn(b"\r\n\r\n" + body.encode(), self.got(ann))

    def test_swaks_sends_from_an_address_in_utf8(self):
        ann, sender = self.user(), "jos\N{LATIN SMALL LETTER E WITH ACUTE}@example.org"
        self.wish("SMTPUTF8", "--to", ann, sender=sender)
        got = self.got(ann)
        self.assertIn(b"with UTF8SMTP id", got)
        self.swaks("--from", sender, "--to", ann, ok=False)

    def test_swaks_asks_for_a_report_of_success(self):
        ann, bob = self.user(), self.user()
        text = self.wish(
            "RET=HDRS",
            *(*self.login(bob), "--to", f"{ann}> NOTIFY=SUCCESS ORCPT=rfc822;a+2Bb@x"),
            sender=bob,
            way="submission",
        )
        self.assertIn("RCPT TO:<", text)
        self.got(ann)
        self.wait_for_mail(bob)
        self.assertIn(b"\r\nAction: delivered\r\n", self.got(bob))

    def test_swaks_requires_tls(self):
        ann = self.user()
        self.wish("REQUIRETLS", "-tls", "--to", ann)
        self.got(ann)
        text = self.wish("REQUIRETLS", "--to", ann, ok=False)
        self.assertIn("<** 555 5.5.4 ", text)

    def test_swaks_wants_a_message_by_a_time(self):
        ann = self.user()
        self.wish("BY=3600;RT", "--to", ann)
        self.got(ann)
        text = self.wish("BY=0;R", "--to", ann, ok=False)
        self.assertIn("<** 501 5.5.4 ", text)

    def test_swaks_wants_a_message_later(self):
        ann, bob = self.user(), self.user()
        login = self.login(bob)
        more = {"sender": bob, "way": "submission"}
        self.wish("HOLDFOR=2", *login, "--to", ann, **more)
        self.assertEqual(ways_in.messages(self.daemon, ann), [])
        self.wait_for_mail(ann)
        text = self.wish("HOLDFOR=999999999", *login, "--to", ann, ok=False, **more)
        self.assertIn("<~* 501 5.5.4 ", text)
        text = self.wish("HOLDFOR=2", "--to", ann, ok=False)
        self.assertIn("<** 555 5.5.4 ", text)

    def test_swaks_wants_a_message_first(self):
        ann, bob = self.user(), self.user()
        more = {"sender": bob, "way": "submission"}
        text = self.wish("MT-PRIORITY=3", *self.login(bob), "--to", ann, **more)
        self.assertIn("<~  250 2.1.0 ", text)
        text = self.wish("MT-PRIORITY=3", "--to", ann)
        self.assertIn("<-  250 2.3.6 0 ", text)
        text = self.wish("MT-PRIORITY=10", "--to", ann, ok=False)
        self.assertIn("<** 501 5.5.4 ", text)

    def test_swaks_hears_of_each_recipient(self):
        ann, bob = self.user(), self.user()
        text = self.swaks("--prdr", "--to", f"{ann},{bob}", "-f", SENDER)
        self.assertIn("<-  353 ", text)
        self.got(ann)
        self.got(bob)

    def test_swaks_speaks_for_another_client(self):
        ann = self.user()
        letter = ("--to", ann, "-f", SENDER)
        self.swaks("--xclient-addr", "203.0.113.9", "--xclient-helo", "it", *letter)
        self.assertIn(b"[203.0.113.9]", self.got(ann))
        text = self.swaks("--xclient-addr", "198.51.100.7", *letter, ok=False)
        self.assertIn("550 5.7.1 not from there", text)

    def test_swaks_is_a_proxy_of_both_versions(self):
        families = {1: ("TCP4", "TCP6"), 2: ("AF_INET", "AF_INET6")}
        for version, (four, six) in families.items():
            for family, source, there, named in (
                (four, "203.0.113.9", "192.0.2.1", b"[203.0.113.9]"),
                (six, "2001:db8::9", "2001:db8::1", b"[IPv6:2001:db8::9]"),
            ):
                ann = self.user()
                letter = ("--to", ann, "-f", SENDER)
                self.proxied(version, family, source, there, *letter)
                self.assertIn(named, self.got(ann))
            text = self.proxied(
                version, four, "198.51.100.7", "192.0.2.1", *letter, ok=False
            )
            self.assertIn("5.7.1 not from there", text)

    def proxied(self, version, family, source, there, *arguments, ok=True):
        return self.swaks(
            *("--proxy-version", version, "--proxy-family", family),
            *("--proxy-source", source, "--proxy-source-port", 4711),
            *("--proxy-dest", there, "--proxy-dest-port", 25),
            *arguments,
            port=PROXY_PORT,
            ok=ok,
        )

    def wait_for_mail(self, user):
        for _ in range(500):
            if ways_in.messages(self.daemon, user):
                return
            self.daemon.pause()
        raise AssertionError("no mail came")
