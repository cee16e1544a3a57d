"""What real clients send, as seen on the wire; each line must mean what they mean."""

from twisted.trial.unittest import SynchronousTestCase

from mailtwist.errors import MailError
from mailtwist.imap4 import types as t
from mailtwist.imap4.commands import State
from mailtwist.imap4.types_search import Search, Sort

from ..talk import asked

BEFORE = State.NOT_AUTHENTICATED

CLIENTS = {
    "Thunderbird": [
        (BEFORE, b"authenticate PLAIN AGFubgBkZW1v", t.Authenticate),
        (None, b'ID ("name" "Thunderbird" "version" "115.0")', t.Id),
        (None, b"enable CONDSTORE", t.Enable),
        (None, b'list (subscribed) "" "*" return (special-use)', t.List),
        (None, b'list "" "INBOX"', t.List),
        (None, b'lsub "" "*"', t.Lsub),
        (None, b'select "INBOX" (CONDSTORE)', t.Select),
        (None, b"UID fetch 1:* (FLAGS)", t.Fetch),
        (None, b"UID fetch 1:* (FLAGS) (CHANGEDSINCE 17)", t.Fetch),
        (
            None,
            b"UID fetch 12 (UID RFC822.SIZE FLAGS BODY.PEEK[HEADER.FIELDS (From To Cc "
            b"Bcc Subject Date Message-ID Priority X-Priority References Newsgroups "
            b"In-Reply-To Content-Type Reply-To)])",
            t.Fetch,
        ),
        (None, b"UID fetch 12 (UID RFC822.SIZE BODY.PEEK[])", t.Fetch),
        (None, b"UID fetch 12 (BODYSTRUCTURE)", t.Fetch),
        (None, b"UID fetch 12 (BODY.PEEK[1.MIME] BODY.PEEK[1])", t.Fetch),
        (None, b"uid store 12 +Flags (\\Seen)", t.Store),
        (None, b"uid store 12 +FLAGS (NonJunk)", t.Store),
        (None, b'uid copy 12 "Trash"', t.Copy),
        (None, b'uid move 12,14:20 "Archives/2024"', t.Move),
        (None, b"uid expunge 12", t.Expunge),
        (None, b'UID SEARCH UNDELETED SUBJECT "report"', Search),
        (None, b'STATUS "Sent" (UIDNEXT MESSAGES UNSEEN RECENT)', t.Status),
        (None, b'create "Archives/2024"', t.Create),
        (None, b"unselect", t.Unselect),
    ],
    "mutt": [
        (BEFORE, b'LOGIN "ann@example.test" "demo"', t.Login),
        (None, b'LIST "" ""', t.List),
        (None, b'STATUS "INBOX" (MESSAGES)', t.Status),
        (None, b'SELECT "INBOX"', t.Select),
        (
            None,
            b"FETCH 1:8 (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER.FIELDS "
            b"(DATE FROM SENDER SUBJECT TO CC MESSAGE-ID REFERENCES CONTENT-TYPE "
            b"CONTENT-DESCRIPTION IN-REPLY-TO REPLY-TO LINES LIST-POST X-LABEL)])",
            t.Fetch,
        ),
        (None, b"UID FETCH 3 BODY.PEEK[]", t.Fetch),
        (None, b"UID STORE 3 +FLAGS.SILENT (\\Deleted)", t.Store),
        (None, b'UID COPY 3 "=Trash"', t.Copy),
        (None, b"EXPUNGE", t.Expunge),
        (None, b"CLOSE", t.Close),
    ],
    "mbsync": [
        (None, b"NAMESPACE", t.Namespace),
        (None, b'LIST "" "*"', t.List),
        (None, b'SELECT "INBOX"', t.Select),
        (None, b"UID FETCH 1:2147483647 (UID FLAGS)", t.Fetch),
        (None, b"UID FETCH 4:* (UID)", t.Fetch),
        (
            None,
            b"UID FETCH 4:9 (UID FLAGS RFC822.SIZE BODY.PEEK[HEADER.FIELDS (X-TUID)])",
            t.Fetch,
        ),
        (None, b"UID FETCH 4 (FLAGS BODY.PEEK[])", t.Fetch),
        (None, b"UID STORE 4 +FLAGS.SILENT (\\Seen \\Flagged)", t.Store),
        (None, b"UID EXPUNGE 4,7", t.Expunge),
        (None, b"UID SEARCH HEADER X-TUID abcdefABCDEF", Search),
        (None, b"CHECK", t.Check),
    ],
    "Outlook": [
        (None, b'ID ("name" "Microsoft Outlook" "version" "16.0")', t.Id),
        (None, b'LIST "" "%"', t.List),
        (None, b'LSUB "" "*"', t.Lsub),
        (None, b'STATUS "INBOX" (UIDNEXT UIDVALIDITY UNSEEN)', t.Status),
        (None, b"UID FETCH 1:* (UID FLAGS)", t.Fetch),
        (
            None,
            b"UID FETCH 7 (UID FLAGS RFC822.SIZE INTERNALDATE ENVELOPE "
            b"BODY.PEEK[HEADER])",
            t.Fetch,
        ),
        (None, b"UID FETCH 7 (BODY.PEEK[] UID)", t.Fetch),
        (None, b"UID STORE 7 FLAGS.SILENT (\\Seen \\Deleted)", t.Store),
        (None, b"UID SEARCH 1:50 NOT DELETED", Search),
        (None, b"IDLE", t.Idle),
    ],
    "Apple Mail": [
        (BEFORE, b"AUTHENTICATE PLAIN", t.Authenticate),
        (
            None,
            b'ID ("name" "Mac OS X Mail" "version" "16.0" "os" "Mac OS X" '
            b'"os-version" "13.0" "vendor" "Apple Inc.")',
            t.Id,
        ),
        (None, b'LIST "" "*" RETURN (CHILDREN SPECIAL-USE)', t.List),
        (None, b'LIST (SPECIAL-USE) "" "*"', t.List),
        (None, b"SELECT INBOX (CONDSTORE)", t.Select),
        (None, b"FETCH 1:5 (FLAGS UID MODSEQ)", t.Fetch),
        (
            None,
            b"UID FETCH 9 (INTERNALDATE UID RFC822.SIZE FLAGS BODY.PEEK[HEADER])",
            t.Fetch,
        ),
        (None, b"UID FETCH 9 (BODYSTRUCTURE BODY.PEEK[HEADER])", t.Fetch),
        (None, b"UID FETCH 9 BODY.PEEK[2]<0.32768>", t.Fetch),
        (None, b"UID STORE 9 +FLAGS.SILENT (\\Seen $NotJunk NotJunk)", t.Store),
        (None, b"UID SEARCH RETURN (ALL) 1:* NOT DELETED ", Search),
        (None, b'CREATE "Sent Messages"', t.Create),
    ],
    "OfflineIMAP": [
        (None, b'LIST "" *', t.List),
        (None, b"EXAMINE INBOX", t.Examine),
        (None, b"UID FETCH 1:* (FLAGS INTERNALDATE)", t.Fetch),
        (None, b"FETCH 1:3 (FLAGS UID INTERNALDATE)", t.Fetch),
        (None, b"UID FETCH 2 (BODY.PEEK[])", t.Fetch),
        (None, b"UID SEARCH HEADER X-OfflineIMAP 1234-5678", Search),
        (None, b"UID SEARCH (SINCE 1-Feb-2024)", Search),
        (None, b"UID STORE 2,3 -FLAGS (\\Seen)", t.Store),
    ],
    "K-9 Mail": [
        (BEFORE, b"AUTHENTICATE PLAIN AGFubgBkZW1v", t.Authenticate),
        (None, b"NAMESPACE", t.Namespace),
        (None, b'LIST "" "*" RETURN (SPECIAL-USE)', t.List),
        (None, b'SELECT "INBOX"', t.Select),
        (None, b"UID SEARCH 1:25 NOT DELETED", Search),
        (None, b"UID SEARCH KEYWORD $label UNSEEN", Search),
        (
            None,
            b"UID FETCH 1,3,5 (UID FLAGS INTERNALDATE RFC822.SIZE "
            b"BODY.PEEK[HEADER.FIELDS (date subject from content-type to cc "
            b"reply-to message-id references in-reply-to X-K9mail-Identity)])",
            t.Fetch,
        ),
        (None, b"UID FETCH 5 (UID BODYSTRUCTURE)", t.Fetch),
        (None, b"UID FETCH 5 (UID BODY.PEEK[]<0.32768>)", t.Fetch),
        (None, b"UID FETCH 5 (UID BODY.PEEK[1.1])", t.Fetch),
        (None, b"UID STORE 5 +FLAGS.SILENT (\\Seen)", t.Store),
        (None, b'UID MOVE 5 "Archive"', t.Move),
        (None, b"IDLE", t.Idle),
    ],
    "Python and Perl libraries": [
        (None, b"SELECT INBOX", t.Select),
        (None, b"SEARCH ALL", Search),
        (None, b"SEARCH CHARSET UTF-8 SUBJECT {4+}\r\n\xc3\xa4\xc3\xb6", Search),
        (None, b"UID SORT (DATE) UTF-8 ALL", Sort),
        (None, b"FETCH 1 (RFC822)", t.Fetch),
        (None, b'FETCH 1 "(RFC822)"', None),
        (None, b"STORE 1 +FLAGS \\Deleted", t.Store),
        (None, b'STATUS INBOX "(MESSAGES)"', None),
    ],
}


class ClientTests(SynchronousTestCase):
    def test_lines_of_real_clients_are_understood(self):
        for client, lines in CLIENTS.items():
            for state, line, kind in lines:
                if kind is None:
                    continue
                command = asked(line, state=state or State.SELECTED)
                self.assertIsInstance(command, kind, (client, line))

    def test_what_they_get_wrong_is_told_and_not_guessed(self):
        for lines in CLIENTS.values():
            for _, line, kind in lines:
                if kind is None:
                    with self.assertRaises(MailError, msg=line):
                        asked(line)
