from hypothesis import given, settings
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import classImplements, classImplementsOnly

from mailtwist.errors import AuthUnavailable
from mailtwist.foreign import IWayIn

from .rooms import House, MailAccount
from .splits import CUTS, pieces

ANN, BOSS = "ann@example.test", "boss@example.test"
TO = "<x@elsewhere.test>"
ADDED = b"Date: x\r\nMessage-ID: <1@x>\r\n"  # which nobody has to add


class AuthorshipTests(SynchronousTestCase):
    def house(self, **options):
        self.asked = []

        async def may_send_as(account, address):
            self.asked.append(str(address))
            if str(address).startswith("slow"):
                self.slow = Deferred()
                return await self.slow
            return address.domain == "own.test" or str(address) == ANN

        self.patch(MailAccount, "may_send_as", may_send_as)
        return House(**options)

    def sent(self, house, header, sender=ANN, login=True, text=b"\r\ntext\r\n"):
        """(the last reply, the message that was taken without what is added)."""
        trusted = {} if login else {"address": "192.0.2.9"}
        client = house.connect(**trusted).begin(login=login)
        client.ask(f"MAIL FROM:<{sender}>", f"RCPT TO:{TO}", "DATA")
        reply = client.ask(ADDED + header + text + b".")
        taken = house.messages()
        house.delivery.messages.clear()
        got = taken[0].replace(ADDED, b"") if taken else None
        return reply.strip(), got and got.removesuffix(text)

    def test_a_message_from_somebody_else_is_refused(self):
        house = self.house()
        for header, status, why in [
            ("From: Ann <ann@example.test>", "250 2.0.0", "the login's own"),
            ("From: Sales <sales@own.test>", "250 2.0.0", "another of its own"),
            (f"From: {BOSS}", "550 5.7.1", "somebody else"),
            (f"From: {BOSS}\r\nSender: {ANN}", "550 5.7.1", "on behalf without right"),
            (f"From: {ANN}\r\nSender: {BOSS}", "550 5.7.1", "sent by another"),
            (f"From: {ANN}, {BOSS}\r\nSender: {ANN}", "550 5.7.1", "one of two"),
            (f"From: us: {BOSS};", "550 5.7.1", "in a group"),
            (f"From: {ANN}\r\nFROM: {BOSS}", "554 5.6.0", "twice"),
            (f"From: {BOSS} <{ANN}>", "554 5.6.0", "which of the two?"),
            ("From: ann", "554 5.6.0", "no domain"),
            ("From:", "554 5.6.0", "empty"),
            (f"Sender: {BOSS}", "550 5.7.1", "From is missing"),
            (f"Resent-From: {ANN}\r\nFrom: {BOSS}", "250 2.0.0", "sent on"),
            (f"Resent-From: {BOSS}\r\nFrom: {ANN}", "550 5.7.1", "sent on by another"),
            (f"Resent-To: {ANN}\r\nFrom: {BOSS}", "550 5.7.1", "by nobody"),
        ]:
            reply, got = self.sent(house, f"{header}\r\n".encode())
            self.assertEqual(reply[:9], status, why)
            if got is not None:
                self.assertEqual(got, f"{header}\r\n".encode(), why)

    def test_resent_messages_are_judged_by_their_author_if_told_so(self):
        header = f"Resent-From: {ANN}\r\nFrom: {BOSS}\r\n".encode()
        reply, _ = self.sent(self.house(author_resent=False), header)
        self.assertEqual(reply[:9], "550 5.7.1")

    def test_what_RFC_5322_asks_for_is_added(self):
        house = self.house()
        two = b"From: a@own.test, b@own.test\r\n"
        for header, sender, added in [
            (b"Subject: x\r\n", ANN, b"From: ann@example.test\r\n"),
            (b"Subject: x\r\n", "", b"From: ann@example.test\r\n"),
            (b"Subject: x\r\n", "a@own.test", b"From: a@own.test\r\n"),
            (two, "a@own.test", b"Sender: a@own.test\r\n"),
            (b"From: nobody:;\r\n", ANN, b"Sender: ann@example.test\r\n"),
            (b"Sender: a@own.test\r\n" + two, ANN, b""),
        ]:
            reply, got = self.sent(house, header, sender)
            self.assertEqual(reply[:3], "250")
            self.assertEqual(got, added + header)

    def test_a_message_from_somebody_else_is_marked(self):
        sender = b"Sender: ann@example.test\r\n"
        ours = b"X-Authenticated-Sender: ann@example.test\r\n"
        boss = f"From: {BOSS}\r\n".encode()
        own = b"From: a@own.test\r\n"
        forged = b"Sender: boss@example.test\r\n"
        claimed = b"X-Authenticated-Sender: boss@example.test\r\n"
        for way, header, wanted in [
            ("sender", boss, sender + boss),
            ("sender", own, own),
            ("sender", forged + own, sender + own),
            ("sender", claimed + own, claimed + own),
            ("sender", b"From: ann\r\n", sender + b"From: ann\r\n"),
            ("sender", boss + own, sender + boss + own),
            ("x-header", boss, ours + boss),
            ("x-header", own, own),
            ("x-header", claimed + own, own),
            ("x-header", claimed + boss, ours + boss),
            ("x-header", b"From: ann\r\n", ours + b"From: ann\r\n"),
            ("off", forged + boss, forged + boss),
            ("off", b"Subject: x\r\n", b"Subject: x\r\n"),
        ]:
            reply, got = self.sent(self.house(author_check=way), header)
            self.assertEqual((reply[:3], got), ("250", wanted), way)

    def test_nobody_else_is_asked(self):
        """A host in trusted networks, and strangers, send mail of all the world."""
        house = self.house(trusted=["192.0.2.9"])
        boss = f"From: {BOSS}\r\n".encode()
        self.assertEqual(self.sent(house, boss, login=False)[1], boss)

    def test_a_login_with_a_way_of_its_own_is_not_judged(self):
        house = self.house()
        boss = f"From: {BOSS}\r\n".encode()

        rooms = house.factory.rooms
        MailAccount.router, MailAccount.delivery = rooms.router, rooms.delivery
        classImplements(MailAccount, IWayIn)
        self.addCleanup(classImplementsOnly, MailAccount)
        self.addCleanup(delattr, MailAccount, "router")
        self.addCleanup(delattr, MailAccount, "delivery")
        self.assertEqual(self.sent(house, boss)[1], boss)

    def test_the_reverse_path_is_asked_about_once(self):
        self.sent(self.house(), f"From: {ANN}\r\nSender: {ANN}\r\n".encode())
        self.assertEqual(self.asked, [ANN])

    def test_a_look_up_that_waits_makes_the_client_wait(self):
        house = self.house()
        body = b"\r\n" + b"x" * 70 + b"\r\n"
        for may, code in ((True, "250 2.0.0"), (False, "550 5.7.1")):
            client = house.connect().begin(login=True)
            client.ask(f"MAIL FROM:<{ANN}>", f"RCPT TO:{TO}", "DATA")
            said = client.ask(ADDED + b"From: slow@own.test\r\n" + body + b"more", ".")
            self.assertEqual(said, "")
            self.slow.callback(may)
            self.assertEqual(client.said()[:9], code)
        ((_, octets),) = house.delivery.messages
        self.assertTrue(octets.endswith(body + b"more\r\n"))
        self.assertEqual([sink.state for sink in house.delivery.sinks][1], "aborted")

    def test_a_directory_that_is_down_is_no_refusal(self):
        house = self.house()
        client = house.connect().begin(login=True)
        client.ask(f"MAIL FROM:<{ANN}>", f"RCPT TO:{TO}", "DATA")
        client.ask(b"From: slow@own.test\r\n", ".")
        self.slow.errback(AuthUnavailable())
        self.assertEqual(client.said()[:9], "451 4.3.0")

    def test_a_client_that_leaves_meanwhile_leaves_nothing(self):
        house = self.house()
        client = house.connect().begin(login=True)
        client.ask(f"MAIL FROM:<{ANN}>", f"RCPT TO:{TO}", "DATA")
        client.ask(b"From: slow@own.test\r\n\r\ntext")
        client.close()
        self.assertEqual([sink.state for sink in house.delivery.sinks], ["aborted"])

    def test_a_header_without_end_hides_no_author(self):
        house = self.house()
        client = house.connect().begin(login=True)
        client.ask(f"MAIL FROM:<{ANN}>", f"RCPT TO:{TO}", "DATA")
        client.ask((b"X: " + b"y" * 900 + b"\r\n") * 300)
        reply = client.ask(f"From: {BOSS}", "", ".")
        self.assertEqual(reply[:9], "554 5.6.0")

    def test_chunks_are_judged_too(self):
        client = self.house().connect().begin(login=True)
        client.ask(f"MAIL FROM:<{ANN}>", f"RCPT TO:{TO}")
        text = f"From: {BOSS}\r\n\r\n".encode()
        client.send(b"BDAT %d LAST\r\n%b" % (len(text), text))
        self.assertEqual(client.said()[:9], "550 5.7.1")

    @given(cuts=CUTS)
    @settings(max_examples=40)
    def test_any_split_is_judged_the_same(self, cuts):
        for header, code in ((BOSS, "550"), (ANN, "250")):
            client = self.house().connect().begin(login=True)
            client.ask(f"MAIL FROM:<{ANN}>", f"RCPT TO:{TO}", "DATA")
            text = f"Subject: x\r\nFrom: {header}\r\n\r\ntext\r\n.\r\n".encode()
            for piece in pieces(text, cuts):
                client.send(piece)
            self.assertEqual(client.said()[:3], code)
