"""BURL (RFC 4468): parts of a message come from the user's mailboxes."""

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.auth.names import login_key
from mailtwist.directory.model import Account
from mailtwist.imap4.url_access import UrlAccess
from mailtwist.mailbox.model import INBOX
from mailtwist.smtp.bdat import Chunk, Chunks
from mailtwist.smtp.command import Content, EndOfData, Spoiled
from mailtwist.smtp.lines import CommandLines
from mailtwist.store.memory import MemoryStore

from .rooms import House
from .splits import CUTS, pieces

ANN, BOB = "ann@example.test", "bob@example.test"
NOW = 1_767_268_800
MAIL, RCPT = "MAIL FROM:<ann@example.test>", "RCPT TO:<bob@example.test>"
MESSAGE = (
    b"From: ann@example.test\r\nDate: Thu, 1 Jan 2026 12:00:00 +0000\r\n"
    b"Message-ID: <1@example.test>\r\nSubject: x\r\n\r\nbody\r\n"
)
START = "imap://ann%40example.test@mx.example.test"


class BurlTests(SynchronousTestCase):
    def setUp(self):
        self.store = MemoryStore(lambda: NOW)
        self.urls = UrlAccess(
            self.owner,
            hosts=("mx.example.test",),
            key=lambda name: login_key(name, "example.test"),
            now=lambda: NOW,
        )
        self.house = House(
            role="submission", message_octets=100_000, more={"urls": self.urls}
        )
        login = self.house.authenticator.login_sasl

        async def with_mailboxes(*asked):
            found = await login(*asked)
            found.account.mailboxes = self.mailboxes(found.name)
            return found

        self.house.authenticator.login_sasl = with_mailboxes
        self.client = self.house.connect().begin(login=True)
        for name in (ANN, BOB):
            self.put(name, MESSAGE)

    def mailboxes(self, name):
        return self.store.mailboxes(Account(name, "/nowhere"))

    async def owner(self, name):
        return self.mailboxes(login_key(name, "example.test"))

    def put(self, name, octets):
        tree = self.mailboxes(name)
        upload = tree.upload()
        upload.write(octets)
        appending = ensureDeferred(tree.append(INBOX, [(upload, frozenset(), None)]))
        (uid,) = self.successResultOf(appending).uids
        return uid

    def url(self, rest=";URLAUTH=submit+ann", uid=1, name=ANN):
        start = START.replace("ann", name.partition("@")[0])
        made = self.urls.authorized(
            f"{start}/INBOX/;UID={uid}{rest}".encode(),
            "INTERNAL",
            name,
            self.mailboxes(name),
        )
        return self.successResultOf(ensureDeferred(made)).decode()

    def sent(self, *commands):
        """The codes of the commands after MAIL and RCPT."""
        return self.client.codes(MAIL, RCPT, *commands)[2:]

    def test_it_is_told_what_it_takes_once_there_is_a_login(self):
        stranger = self.house.connect().begin(tls=True)
        self.assertIn("250-BURL\r\n", stranger.ask("EHLO client.test"))
        told = self.client.ask("EHLO client.test")
        self.assertIn("250-BURL imap imap://mx.example.test\r\n", told)
        for other in (
            House(role="smtp", more={"urls": self.urls}),
            House(role="lmtp", more={"urls": self.urls}),
            House(role="submission"),
        ):
            client = other.connect()
            client.said()
            hello = "LHLO" if other.factory.rooms.role == "lmtp" else "EHLO"
            self.assertNotIn("BURL", client.ask(f"{hello} client.test"))

    def test_a_message_is_one_url(self):
        told = self.sent(f"BURL {self.url()} LAST", "NOOP")
        self.assertEqual(told, ["250 2.0.0", "250 2.0.0"])
        self.assertEqual(self.house.messages(), [MESSAGE])

    def test_urls_and_chunks_make_a_message(self):
        self.put(ANN, b"first\r\nsecond")
        text = b"From: %b\r\nDate: x\r\n" % ANN.encode()
        text += b"Message-ID: <2@x>\r\nSubject: y\r\n\r\n"
        chunk = b"BDAT %d\r\n" % len(text)
        last = b"BDAT 8 LAST\r\n-third\r\n"
        self.client.send(
            f"{MAIL}\r\n{RCPT}\r\n".encode()
            + chunk
            + text
            + f"BURL {self.url(uid=2)}\r\n".encode()
            + f"BURL {START}/INBOX/;UID=2/;PARTIAL=0.5\r\n".encode()
            + last
        )
        self.assertEqual(
            self.client.codes(),
            ["250 2.1.0", "250 2.1.5"] + 4 * ["250 2.0.0"],
        )
        wanted = text + b"first\r\nsecondfirst-third\r\n"
        self.assertEqual(self.house.messages(), [wanted])

    def test_whose_urls_are_taken(self):
        for url, code, why in [
            (self.url(), "250 2.0.0", "ours, for our submission"),
            (self.url(";URLAUTH=authuser"), "250 2.0.0", "for anybody"),
            (self.url(";URLAUTH=anonymous", name=BOB), "250 2.0.0", "another's"),
            (self.url(name=BOB), "250 2.0.0", "another's, for our submission"),
            (START + "/INBOX/;UID=1", "250 2.0.0", "our own mail"),
            (self.url(";URLAUTH=submit+bob"), "554 5.7.0", "for another's submission"),
            (self.url(";URLAUTH=user+ann"), "554 5.7.0", "for IMAP alone"),
            (START.replace("ann", "bob") + "/INBOX/;UID=1", "554 5.7.0", "not ours"),
            (self.url()[:-1] + "z", "554 5.6.6", "no token"),
            (self.url().replace("UID=1", "UID=2"), "554 5.6.6", "another message"),
            (
                self.url(";EXPIRE=2025-01-01T00:00:00Z;URLAUTH=submit+ann"),
                "554 5.6.6",
                "too old",
            ),
            (START + "/INBOX/;UID=7", "554 5.6.6", "no message"),
            (START + "/None/;UID=7", "554 5.6.6", "no mailbox"),
            ("imap://ann@else.test/INBOX/;UID=1", "554 5.7.8", "another server"),
            ("http://mx.example.test/", "554 5.6.6", "no IMAP URL"),
        ]:
            self.assertEqual(self.sent(f"BURL {url} LAST", "RSET")[0], code, why)

    def test_what_fails_spoils_the_message(self):
        for bad, code in [
            (f"BURL {START}/INBOX/;UID=7", "554 5.6.6"),
            ("BURL", "501 5.5.4"),
            (f"BURL {START}/INBOX/;UID=1 FIRST", "501 5.5.4"),
        ]:
            told = self.sent(bad, f"BURL {self.url()} LAST", "RSET")
            self.assertEqual(told, [code, "503 5.5.1", "250 2.0.0"], bad)
        self.assertEqual(self.house.messages(), [])

    def test_it_needs_a_recipient_and_a_transaction(self):
        url = self.url()
        self.assertEqual(self.client.codes(f"BURL {url} LAST"), ["503 5.5.1"])
        told = self.client.codes(
            MAIL, "RCPT TO:<nobody@example.test>", f"BURL {url} LAST", "RSET"
        )
        self.assertEqual(told[2], "554 5.5.1")
        self.assertEqual(self.house.messages(), [])

    def test_data_does_not_follow(self):
        told = self.sent(f"BURL {self.url()}", "DATA", RCPT, "RSET")
        self.assertEqual(told, ["250 2.0.0", "503 5.5.1", "503 5.5.1", "250 2.0.0"])

    def test_a_message_over_the_limit_is_refused(self):
        uid = self.put(ANN, MESSAGE + b"x" * 70 + b"\r\n" * 40_000)
        url = START + f"/INBOX/;UID={uid}"
        told = self.sent(f"BURL {url}", f"BURL {url} LAST", "RSET")
        self.assertEqual(told[0], "250 2.0.0")
        self.assertEqual(told[1][:3], "552")
        self.assertEqual(self.house.messages(), [])

    def test_octets_that_no_text_may_have_are_refused(self):
        uid = self.put(ANN, MESSAGE + b"a\0b\r\n")
        (told, _) = self.sent(f"BURL {START}/INBOX/;UID={uid} LAST", "RSET")
        self.assertEqual(told[:1], "5")
        self.assertEqual(self.house.messages(), [])

    def test_a_slow_store_is_waited_for_and_nothing_overtakes(self):
        waiting = Deferred()
        found = self.urls._owners

        async def slow(name):
            await waiting
            return await found(name)

        self.urls._owners = slow
        self.assertEqual(self.sent(f"BURL {self.url()} LAST", "NOOP"), [])
        waiting.callback(None)
        self.assertEqual(self.client.codes(), ["250 2.0.0", "250 2.0.0"])
        self.assertEqual(self.house.messages(), [MESSAGE])

    def test_a_client_that_goes_away_leaves_nothing(self):
        waiting = Deferred()

        async def slow(name):
            await waiting

        self.urls._owners = slow
        self.sent(f"BURL {self.url()} LAST")
        self.client.close()
        self.assertEqual(self.house.delivery.sinks[0].state, "aborted")
        self.assertEqual(self.house.messages(), [])

    def test_an_account_whose_mail_is_elsewhere_has_none(self):
        rooms = self.house.factory.rooms
        self.house.factory.rooms = evolve(rooms, urls=None)
        client = self.house.connect().begin(login=True)
        told = client.codes(MAIL, RCPT, f"BURL {self.url()} LAST", "RSET")
        self.assertEqual(told[2][:3], "502")


class ChunksTests(SynchronousTestCase):
    @given(
        octets=st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"x", b"yy"])).map(
            b"".join
        ),
        at=CUTS,
        last=st.booleans(),
    )
    def test_a_url_gives_the_content_that_a_chunk_gives(self, octets, at, last):
        def taken(by_url):
            chunks = Chunks(10_000, most_line=998, binary=False)
            lines = CommandLines(lone_lf=False)
            content = b""
            if by_url:
                chunks.begin_url(last=last)
                content += b"".join(map(chunks.url_octets, pieces(octets, at)))
                content += chunks.end_url(None)
            else:
                chunks.begin(Chunk(len(octets), last))
                lines.feed(octets)
            while isinstance(event := chunks.next_event(lines), Content | Spoiled):
                content += event.octets if isinstance(event, Content) else b""
            if isinstance(event, EndOfData):
                content += event.octets
            kept = content if chunks.fault is None else b""
            return kept, type(event), type(chunks.fault)

        self.assertEqual(taken(True), taken(False))
