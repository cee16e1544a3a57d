"""Tests for mailtwist.mailbox.foreign_pop3: another's IMailboxPOP3 for our POP3."""

from io import BytesIO

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, succeed
from twisted.mail.interfaces import IMailboxPOP3
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from mailtwist.errors import MailboxFault, NoSuchMailbox
from mailtwist.mailbox import foreign_asked
from mailtwist.mailbox.foreign_asked import with_crlf
from mailtwist.mailbox.foreign_pop3 import ForeignMaildrops, has_unique_ids
from mailtwist.mailbox.model import INBOX, Column, Range
from mailtwist.mailbox.shown import Shown
from mailtwist.pop3.maildrop import Maildrop


@implementer(IMailboxPOP3)
class Drop:
    def __init__(self, *messages, ids=True, stubborn=()):
        self.messages, self.ids, self.stubborn = list(messages), ids, stubborn
        self.deleted, self.synced = set(), []

    def listMessages(self, index=None):
        sizes = [len(message) for message in self.messages]
        return succeed(sizes if index is None else sizes[index])

    def getMessage(self, index):
        return succeed(BytesIO(self.messages[index]))

    def getUidl(self, index):
        if not self.ids:
            raise NotImplementedError
        return f"id{hash(self.messages[index]) % 97}-{index}"

    def deleteMessage(self, index):
        if index in self.stubborn:
            raise ValueError(index)
        self.deleted.add(index)

    def undeleteMessages(self):
        self.deleted.clear()

    def sync(self):
        self.synced.append(sorted(self.deleted))
        return succeed(None)


class MaildropTests(SynchronousTestCase):
    def result(self, work):
        return self.successResultOf(Deferred.fromCoroutine(work))

    def opened(self, drop):
        return self.result(ForeignMaildrops(drop).open(INBOX))

    def test_messages_come_with_CRLF_whatever_the_avatar_said_of_their_size(self):
        mailbox = self.opened(Drop(b"A: b\n\nc\n", b"second\r\n"))
        self.assertEqual(self.result(mailbox.rows()).octets, [8, 8])
        found = self.result(
            mailbox.octets([Range(1), Range(2, 3, 2), Range(1, 6, 99), Range(3)])
        )
        self.assertEqual(found, [b"A: b\r\n\r\nc\r\n", b"on", b"\r\nc\r\n", None])
        self.result(mailbox.close())

    def test_clients_without_utf8_get_surrogates_of_its_messages(self):
        mailbox = self.opened(Drop("Subject: ä\n\nc\n".encode()))
        found = self.result(Shown(mailbox, utf8=False).messages([Range(1, 0, 99)]))
        self.assertEqual(found, [b"Subject: =?utf-8?B?w6Q=?=\r\n\r\nc\r\n"])
        gone = self.result(mailbox.rendered([2], [Column.PARTS]))
        self.assertEqual(gone, [None])

    def test_unique_ids_are_the_avatars(self):
        drop = Drop(b"a", b"b")
        loaded = self.result(Maildrop.load(self.opened(drop)))
        self.assertEqual(loaded.id_row(1), f"2 {drop.getUidl(1)}".encode())

    def test_an_avatar_without_unique_ids_is_known_even_if_it_is_empty(self):
        for messages in ((), (b"a",)):
            self.assertTrue(self.result(has_unique_ids(Drop(*messages))))
            drop = Drop(*messages, ids=False)
            self.assertFalse(self.result(has_unique_ids(drop)))
            self.assertEqual(self.result(self.opened(drop).unique_ids()), [])

    def test_what_is_deleted_goes_with_one_sync(self):
        drop = Drop(b"a", b"b", b"c")
        self.assertEqual(self.result(self.opened(drop).expunge([1, 3])).uids, [1, 3])
        self.assertEqual(drop.synced, [[0, 2]])

    def test_if_one_cannot_be_deleted_none_is(self):
        drop = Drop(b"a", b"b", stubborn={1})
        work = Deferred.fromCoroutine(self.opened(drop).expunge([1, 2]))
        self.failureResultOf(work, MailboxFault)
        self.assertEqual((drop.deleted, drop.synced), (set(), []))

    def test_there_is_no_other_mailbox(self):
        work = Deferred.fromCoroutine(ForeignMaildrops(Drop()).open(("Sent",)))
        self.failureResultOf(work, NoSuchMailbox)


class LineEndTests(SynchronousTestCase):
    @given(st.text("\r\na", max_size=30), st.integers(1, 5))
    def test_any_size_of_reads_gives_the_same_line_ends(self, text, chunk):
        self.patch(foreign_asked, "CHUNK", chunk)
        source = BytesIO(text.encode())
        file, octets = with_crlf(source)
        with file:
            file.seek(0)
            found = file.read()
        expected = text.encode().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        self.assertEqual((found, octets), (expected, len(expected)))
        self.assertTrue(source.closed)
