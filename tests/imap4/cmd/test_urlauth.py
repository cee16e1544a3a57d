"""URLAUTH (RFC 4467): who may fetch what by a URL, and until when."""

from twisted.trial.unittest import SynchronousTestCase

from mailtwist.auth.names import login_key
from mailtwist.directory.model import Account
from mailtwist.errors import AuthUnavailable
from mailtwist.imap4.url_access import UrlAccess

from ..room import ANN, HELLO, NOON, Logins, Room

START = "imap://ann%40example.test@mail.example.test"
PARTS = (
    b"Subject: two\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Content-Transfer-Encoding: base64\r\n\r\nZmlyc3QA\r\n"
    b"--b\r\nContent-Type: message/rfc822\r\n\r\n"
    b"Subject: in\r\nContent-Transfer-Encoding: x-odd\r\n\r\nsecond\r\n--b--\r\n"
)


class World:
    """ann with two messages in INBOX, and others who come with URLs."""

    def __init__(self):
        self.room = Room()
        self.known = {ANN.name, "bob@example.test"}
        self.down = False
        self.room.factory.authenticator = self.logins = Logins(self.room.store)
        self.room.factory.urls = UrlAccess(
            self.owner,
            hosts=("mail.example.test",),
            key=lambda name: login_key(name, "example.test"),
            now=lambda: NOON,
            submitters=("submitter",),
        )
        self.ann = self.login("ann")
        self.ann.append(HELLO)
        self.ann.append(PARTS)

    async def owner(self, name):
        if self.down:
            raise AuthUnavailable()
        name = login_key(name, "example.test")
        account = Account(name, "/nowhere")
        return self.room.store.mailboxes(account) if name in self.known else None

    def login(self, name, mechanism="PLAIN"):
        self.logins.mechanism = mechanism
        client = self.room.connect()
        client.ask(f"LOGIN {name} demo")
        return client

    def authorized(self, path="/INBOX/;UID=1", rest=";URLAUTH=anonymous"):
        """A URL of ann's as text."""
        url = START + path + rest
        told, answer = self.ann.ask(f'GENURLAUTH "{url}" INTERNAL')
        assert answer == b"OK GENURLAUTH completed"
        made = told.removeprefix(b"* GENURLAUTH ").strip(b'"').decode()
        assert made.startswith(url + ":internal:01")
        return made


def fetched(client, url):
    """What URLFETCH tells of `url`: octets, or None for NIL."""
    told, answer = client.ask(f'URLFETCH "{url}"')
    assert answer == b"OK URLFETCH completed", answer
    start = b'* URLFETCH "' + url.encode() + b'" '
    if not told.startswith(start):
        start = b"* URLFETCH " + url.encode() + b" "
    assert told.startswith(start), told
    said = told.removeprefix(start)
    if said == b"NIL":
        return None
    head, _, octets = said.partition(b"\r\n")
    assert head == b"{%d}" % len(octets), head
    return octets


class UrlAuthTests(SynchronousTestCase):
    def setUp(self):
        self.world = World()
        self.ann = self.world.ann

    def test_it_is_offered_where_urls_can_be_authorized(self):
        (told, _) = self.ann.ask("CAPABILITY")
        self.assertIn(b" URLAUTH URLAUTH=BINARY ", told)
        client = Room().login()
        self.assertNotIn(b"URLAUTH", b"".join(client.ask("CAPABILITY")))
        for command in ("RESETKEY", "URLFETCH /x", "GENURLAUTH /x INTERNAL"):
            self.assertTrue(client.ask(command)[0].startswith(b"BAD "))

    def test_who_may_use_a_url(self):
        world = self.world
        logins = {
            "ann": world.ann,
            "bob": world.login("bob"),
            "nobody": world.login("guest", "ANONYMOUS"),
            "submitter": world.login("submitter"),
        }
        for access, allowed in [
            ("anonymous", {"ann", "bob", "nobody", "submitter"}),
            ("authuser", {"ann", "bob", "submitter"}),
            ("user+bob", {"bob"}),
            ("user+BOB%40example.test", {"bob"}),
            ("user+guest", set()),
            ("submit+ann", {"submitter"}),
        ]:
            url = world.authorized(rest=f";URLAUTH={access}")
            for name, client in logins.items():
                wanted = HELLO if name in allowed else None
                self.assertEqual(fetched(client, url), wanted, (access, name))

    def test_what_a_url_names(self):
        validity = self.world.room.folder().uid_validity
        for path, wanted in [
            ("/INBOX/;UID=1/;SECTION=TEXT", HELLO.partition(b"\r\n\r\n")[2]),
            ("/INBOX/;UID=1/;PARTIAL=0.4", HELLO[:4]),
            (f"/INBOX;UIDVALIDITY={validity}/;UID=2/;SECTION=1", b"Zmlyc3QA"),
            ("/INBOX/;UID=9", None),
            (f"/INBOX;UIDVALIDITY={validity + 1}/;UID=1", None),
            ("/INBOX/;UID=1/;SECTION=7", None),
        ]:
            url = self.world.authorized(path)
            self.assertEqual(fetched(self.world.login("bob"), url), wanted, path)
        flags = self.world.room.folder().messages[1].flags
        self.assertNotIn("\\Seen", flags)

    def test_a_url_is_good_until_it_expires(self):
        for expires, wanted in [
            ("2026-01-01T12:00:00Z", HELLO),
            ("2026-01-01T11:59:59Z", None),
            ("2026-01-01T14:30:00+02:30", HELLO),
        ]:
            rest = f";EXPIRE={expires};URLAUTH=anonymous"
            self.assertEqual(
                fetched(self.ann, self.world.authorized(rest=rest)), wanted, expires
            )

    def test_a_url_that_was_changed_gives_nothing(self):
        url = self.world.authorized(rest=";URLAUTH=user+bob")
        bob = self.world.login("bob")
        self.assertEqual(fetched(bob, url), HELLO)
        self.assertEqual(fetched(bob, url.replace(":internal:", ":INTERNAL:")), HELLO)
        digit = "0" if url[-1] != "0" else "1"
        for changed in [
            url.replace("UID=1", "UID=2"),
            url.replace("user+bob", "anonymous"),
            url.replace("/INBOX/", "/inbox/"),
            url.replace("mail.example.test", "MAIL.example.test"),
            url.replace("mail.example.test", "else.example.test"),
            url.replace("ann%40", "bob%40"),
            url.replace("internal", "x-other"),
            url[:-1] + digit,
            url[:-1],
            url.partition(":internal")[0],
            "imap://mail.example.test/INBOX",
            "no url",
        ]:
            self.assertIsNone(fetched(bob, changed), changed)

    def test_keys_that_are_reset_revoke_what_they_authorized(self):
        self.ann.ask("CREATE Sent")
        inbox, sent = (
            self.world.authorized(),
            self.world.authorized("/Sent/;UID=1"),
        )
        self.ann.append(HELLO, "Sent")
        answer = [b"OK [URLMECH INTERNAL] RESETKEY completed"]
        self.assertEqual(self.ann.ask("RESETKEY INBOX INTERNAL"), answer)
        self.assertIsNone(fetched(self.ann, inbox))
        self.assertEqual(fetched(self.ann, sent), HELLO)
        self.assertEqual(self.ann.ask("RESETKEY"), [b"OK All keys removed"])
        self.assertIsNone(fetched(self.ann, sent))
        self.assertTrue(self.ann.ask("RESETKEY None")[0].startswith(b"NO "))
        self.assertTrue(self.ann.ask("RESETKEY INBOX XOTHER")[0].startswith(b"BAD "))

    def test_a_selected_mailbox_tells_of_its_mechanism_and_of_a_new_key(self):
        other = self.world.login("ann")
        line = b"* OK [URLMECH INTERNAL] For URLs of its messages"
        self.assertIn(line, other.ask("SELECT INBOX"))
        other.send(b"x IDLE\r\n")
        other.hear()
        bob = self.world.login("bob")
        bob.ask("SELECT INBOX")
        self.ann.ask("RESETKEY INBOX")
        told = b"* OK [URLMECH INTERNAL] Key of the mailbox is new"
        self.assertEqual(other.hear(), [told])
        self.assertEqual(bob.ask("NOOP"), [b"OK NOOP completed"])

    def test_what_cannot_be_authorized(self):
        for url, why in [
            (START + "/INBOX/;UID=1", "no access identifier"),
            (START + "/INBOX", "a mailbox"),
            (START + "/None/;UID=1;URLAUTH=anonymous", "no such mailbox"),
            (
                "imap://mail.example.test/INBOX/;UID=1;URLAUTH=anonymous",
                "nobody's mailbox",
            ),
            (
                "imap://bob@mail.example.test/INBOX/;UID=1;URLAUTH=anonymous",
                "another's mailbox",
            ),
            ("imap://ann@else.test/INBOX/;UID=1;URLAUTH=anonymous", "another server"),
            ("/INBOX/;UID=1;URLAUTH=anonymous", "relative"),
            (self.world.authorized(), "authorized already"),
        ]:
            told = self.ann.ask(f'GENURLAUTH "{url}" INTERNAL')
            self.assertTrue(told[0].startswith(b"BAD "), why)
        good = f'"{START}/INBOX/;UID=1;URLAUTH=anonymous"'
        self.assertTrue(self.ann.ask(f"GENURLAUTH {good} XOTHER")[0].startswith(b"BAD"))
        told = self.ann.ask(f"GENURLAUTH {good} INTERNAL {good} internal")
        self.assertEqual(told[0].count(b":internal:"), 2)
        anonymous = self.world.login("ann", "ANONYMOUS")
        self.assertTrue(
            anonymous.ask(f"GENURLAUTH {good} INTERNAL")[0].startswith(b"BAD ")
        )

    def test_an_account_that_is_gone_gives_nothing(self):
        url = self.world.authorized()
        self.world.known.discard(ANN.name)
        self.assertIsNone(fetched(self.ann, url))

    def test_a_directory_that_is_down_is_no_refusal(self):
        url = self.world.authorized()
        self.world.down = True
        (answer,) = self.ann.ask(f'URLFETCH "{url}"')
        self.assertTrue(answer.startswith(b"NO [UNAVAILABLE]"), answer)

    def test_a_large_message_comes_in_pieces(self):
        large = b"Subject: x\r\n\r\n" + b"0123456789" * 60_000
        self.ann.append(large)
        url = self.world.authorized("/INBOX/;UID=3")
        self.assertEqual(fetched(self.ann, url), large)


class BinaryTests(SynchronousTestCase):
    """URLAUTH=BINARY (RFC 5524)."""

    def setUp(self):
        self.world = World()

    def test_items(self):
        world = self.world
        structure = (
            b'("text" "plain" ("charset" "utf-8") NIL NIL "base64" 8 0 NIL NIL NIL NIL)'
        )
        for section, items, wanted in [
            ("1", "", b""),
            ("1", " BODY", b" (BODY {8}\r\nZmlyc3QA)"),
            ("1", " BINARY", b" (BINARY ~{6}\r\nfirst\0)"),
            ("1", " BODYPARTSTRUCTURE", b" (BODYPARTSTRUCTURE " + structure + b")"),
            (
                "1",
                " BODY BINARY",
                b" (BODY {8}\r\nZmlyc3QA) (BINARY ~{6}\r\nfirst\0)",
            ),
            ("1/;PARTIAL=1.2", " BINARY", b" (BINARY {2}\r\nir)"),
            ("2.1", " BINARY", b" (BINARY NIL)"),
            ("2.HEADER", " BODYPARTSTRUCTURE", b" (BODYPARTSTRUCTURE NIL)"),
            ("9", " BODY", b" (BODY NIL)"),
        ]:
            url = world.authorized(f"/INBOX/;UID=2/;SECTION={section}")
            told, answer = world.ann.ask(f'URLFETCH ("{url}"{items})')
            if not items:
                wanted = b" {8}\r\nZmlyc3QA"
            wanted = b'"' + url.encode() + b'"' + wanted
            self.assertEqual(told.removeprefix(b"* URLFETCH "), wanted, items)
            self.assertEqual(answer, b"OK URLFETCH completed")
        told = world.ann.ask(f'URLFETCH ("{url}" ENVELOPE)')
        self.assertTrue(told[0].startswith(b"BAD "))
