"""Tests for mailtwist.carry.imap: servers as they are."""

import re

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.carry.imap import ImapEnd, Remote
from mailtwist.carry.model import Folder, Item, Letter
from mailtwist.errors import MailError
from mailtwist.imap4.client import IMAPClient, ServerRefuses
from mailtwist.mailbox.model import INBOX
from mailtwist.secret import Secret

REMOTE = Remote(host="mx.test", port=143, user="ann", password=Secret(b"x"))


class Server(StringTransport):
    """Answers commands as a script says: (regular expression, answer lines); what no
    line fits is refused."""

    def __init__(self, client, script):
        super().__init__()
        self.client, self.script, self.heard = client, script, []
        self._rest = b""

    def write(self, data):
        self._rest += data
        while b"\r\n" in self._rest:
            line = self._rest.split(b"\r\n")[0]
            literal = re.search(rb"\{(\d+)(\+?)\}\Z", line)
            if literal:
                end = len(line) + 2 + int(literal[1])
                if not literal[2] and len(self._rest) == len(line) + 2:
                    self.client.dataReceived(b"+ go on\r\n")
                    return
                line, self._rest = self._rest[:end], self._rest[end:]
                rest, _, self._rest = self._rest.partition(b"\r\n")
                line += rest
            else:
                _, _, self._rest = self._rest.partition(b"\r\n")
            self.answer(line)

    def answer(self, line):
        tag, _, command = line.partition(b" ")
        self.heard.append(command)
        for pattern, lines in self.script:
            if re.match(pattern, command, re.S):
                *untagged, last = lines
                octets = b"".join(b"* " + one + b"\r\n" for one in untagged)
                self.client.dataReceived(octets + tag + b" " + last + b"\r\n")
                return
        self.client.dataReceived(tag + b" BAD what?\r\n")


class World(SynchronousTestCase):
    def end(self, *script, capabilities=(), **how):
        client = IMAPClient(Clock())
        self.server = Server(client, script)
        client.makeConnection(self.server)
        client.dataReceived(b"* OK hi\r\n")
        client.capabilities = frozenset(capabilities)
        end = ImapEnd(REMOTE, Clock(), **how)
        end._connected = client
        return end

    def done(self, coroutine):
        return self.successResultOf(Deferred.fromCoroutine(coroutine))


class NameTests(World):
    def listed(self, *lines, namespace=b"NIL"):
        end = self.end(
            (b"NAMESPACE", [b"NAMESPACE " + namespace + b" NIL NIL", b"OK"]),
            (b'LIST "" ""', [b'LIST (\\Noselect) "/" ""', b"OK"]),
            (b"LIST", [b"LIST " + line for line in lines] + [b"OK"]),
            (b"LSUB", [b'LSUB () "." INBOX.b', b"OK"]),
            (b"CREATE", [b"OK"]),
            (b"SUBSCRIBE", [b"OK"]),
            capabilities=["NAMESPACE"],
        )
        self.done(end._learn_names(end._connected))
        return end, self.done(end.folders())

    def test_a_prefix_of_the_server_is_no_part_of_the_names(self):
        """Courier's names all begin with INBOX."""
        end, folders = self.listed(
            b'(\\HasChildren) "." INBOX',
            b'(\\Sent) "." INBOX.Sent',
            b'() "." "INBOX.b"',
            b'() "." "INBOX.a.b&AOk-"',
            b'(\\Noselect) "." INBOX.above',
            b'() "." "shared.news"',
            namespace=b'(("INBOX." "."))',
        )
        self.assertEqual(
            folders,
            [
                Folder(INBOX),
                Folder(("Sent",), frozenset({"\\Sent"})),
                Folder(("a", "bé")),
                Folder(("b",), subscribed=True),
            ],
        )
        self.done(end.make(Folder(("x.y", "é"), subscribed=True)))
        self.assertEqual(
            self.server.heard[-2:],
            [b'CREATE "INBOX.x_y.&AOk-"', b'SUBSCRIBE "INBOX.x_y.&AOk-"'],
        )

    def test_names_that_only_a_literal_can_hold(self):
        _, folders = self.listed(b'() "/" {3}\r\na"b', b'() NIL "top"')
        self.assertEqual([one.path for one in folders], [('a"b',), ("top",)])

    def test_inbox_has_any_case(self):
        _, folders = self.listed(b'() "/" inbox', b'() "/" "Inbox/x"')
        self.assertEqual([one.path for one in folders], [INBOX, ("INBOX", "x")])


class MessageTests(World):
    SELECT = (
        b"(SELECT|EXAMINE)",
        [b"2 EXISTS", b"OK [UIDVALIDITY 7] x", b"OK [READ-WRITE] done"],
    )
    ITEMS = (
        b"UID FETCH 1:\\* ",
        [
            b'1 FETCH (FLAGS (\\seen Work \\Recent) INTERNALDATE "01-Jan-2020 00:00:00'
            b' +0100" RFC822.SIZE 9 UID 4)',
            b'2 FETCH (UID 9 FLAGS () INTERNALDATE " 1-Jan-2020 00:00:00 +0000"'
            b" RFC822.SIZE 5000000)",
            b"3 FETCH (FLAGS (\\Seen))",  # of somebody else's making
            b"OK",
        ],
    )

    def test_what_is_there_is_listed(self):
        end = self.end(self.SELECT, self.ITEMS)
        listed = self.done(end.listed(INBOX))
        self.assertEqual(listed.validity, "7")
        self.assertEqual(
            listed.items,
            [
                Item("4", frozenset({"\\Seen", "Work"}), 1577833200, 9),
                Item("9", frozenset(), 1577836800, 5000000),
            ],
        )

    def test_who_only_reads_leaves_no_trace(self):
        end = self.end(self.SELECT, self.ITEMS, read_only=True)
        self.done(end.listed(INBOX))
        self.assertEqual(self.server.heard[0], b'EXAMINE "INBOX"')

    def test_a_large_message_comes_in_pieces(self):
        size = 4 * 1024 * 1024
        first, second = b"a" * size, b"b" * (5_000_000 - size)
        end = self.end(
            self.SELECT,
            self.ITEMS,
            (b"UID FETCH 4,8 ", [b"1 FETCH (UID 4 BODY[] {3}\r\nabc)", b"OK"]),
            (
                b"UID FETCH 9 .*<0",
                [b"2 FETCH (UID 9 BODY[]<0> {%d}\r\n%b)" % (size, first), b"OK"],
            ),
            (
                b"UID FETCH 9 .*<%d" % size,
                [
                    b"2 FETCH (UID 9 BODY[]<%d> {%d}\r\n%b)"
                    % (size, len(second), second),
                    b"OK",
                ],
            ),
        )
        self.done(end.listed(INBOX))
        found = self.done(end.read(INBOX, ["9", "4", "8"]))
        self.assertEqual(found, [first + second, b"abc", None])

    def letters(self):
        return [
            Letter(b"one\r\n", frozenset({"\\Seen"}), 1577836800),
            Letter(b"two\r\n", frozenset(), 1577836801),
        ]

    def test_a_server_tells_the_uids_of_what_it_took(self):
        end = self.end(
            self.SELECT,
            (b"APPEND .*one", [b"OK [APPENDUID 7 20] done"]),
            (b"APPEND .*two", [b"NO [TOOBIG] no"]),
            capabilities=["UIDPLUS", "LITERAL+"],
        )
        first, second = self.done(end.add(INBOX, self.letters()))
        self.assertEqual(first, "20")
        self.assertIsInstance(second, ServerRefuses)
        self.assertEqual(
            self.server.heard[1],
            b'APPEND "INBOX" (\\Seen) " 1-Jan-2020 00:00:00 +0000" {5+}\r\none\r\n',
        )

    def test_from_another_server_they_are_found_out(self):
        end = self.end(
            self.SELECT,
            (b"STATUS", [b"STATUS INBOX (UIDNEXT 30)", b"OK"]),
            (b"APPEND", [b"OK done"]),
            (b"NOOP", [b"OK"]),
            (
                b"UID FETCH 30:\\*",
                [
                    b"%d FETCH (UID %d FLAGS () INTERNALDATE"
                    b' " 1-Jan-2020 00:00:0%d +0000" RFC822.SIZE 5)' % (n, uid, second)
                    for n, uid, second in [(1, 31, 1), (2, 32, 0), (3, 29, 0)]
                ]
                + [b"OK"],
            ),
        )
        self.assertEqual(self.done(end.add(INBOX, self.letters())), ["32", "31"])

    def test_one_that_is_not_found_is_told(self):
        end = self.end(
            self.SELECT,
            (b"STATUS", [b"STATUS INBOX (UIDNEXT 30)", b"OK"]),
            (b"APPEND", [b"OK done"]),
            (b"NOOP", [b"OK"]),
            (b"UID FETCH", [b"OK"]),
        )
        for key in self.done(end.add(INBOX, self.letters())):
            self.assertIsInstance(key, MailError)

    def test_flags_are_given_together_and_what_goes_is_only_marked_without_uidplus(
        self,
    ):
        end = self.end(self.SELECT, (b"UID STORE", [b"OK"]), (b"UID EXPUNGE", [b"OK"]))
        seen = frozenset({"\\Seen"})
        self.done(end.set_flags(INBOX, [("1", seen), ("2", seen), ("5", seen)]))
        self.done(end.remove(INBOX, ["3"]))
        self.assertEqual(
            self.server.heard[1:],
            [
                b"UID STORE 1:2,5 FLAGS.SILENT (\\Seen)",
                b"UID STORE 3 +FLAGS.SILENT (\\Deleted)",
            ],
        )
