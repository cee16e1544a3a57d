"""Scripts run on messages in memory, with answers from plain values."""

from datetime import datetime, timedelta, timezone

from attrs import field, frozen

from mailtwist.address import Address
from mailtwist.sieve.actions import (
    Discard,
    FileInto,
    Keep,
    Notify,
    Redirect,
    Reject,
    Remember,
    Vacation,
)
from mailtwist.sieve.check import compiled
from mailtwist.sieve.circumstances import Circumstances
from mailtwist.sieve.extensions import EXTENSIONS
from mailtwist.sieve.limits import Limits
from mailtwist.sieve.message import Message
from mailtwist.sieve.questions import (
    Annotations,
    Included,
    Listed,
    ListKnown,
    MailboxIdKnown,
    MailboxKnown,
    Pause,
    Seen,
    UseKnown,
)
from mailtwist.sieve.run import Script, interpret

NOW = datetime(2026, 3, 1, 12, 30, 5, tzinfo=timezone(timedelta(hours=1)))
HERE = Circumstances(
    NOW,
    Address.parse("ann@example.org"),
    Address.parse("bob+lists@example.test"),
    environment={
        "domain": "example.test",
        "host": "mx.example.test",
        "name": "mailtwist",
    },
)
MESSAGE = b"""\
Received: from a by b; Sat, 28 Feb 2026 23:30:00 -0500\r
From: "Ann, A." <ann@example.org>\r
To: bob@example.test, Carl <carl+x@example.test>,\r
 dora@example.net\r
Cc: erik@example.org\r
Subject: =?utf-8?q?Caf=C3=A9?= [list]  folded\r
\tline\r
Date: Sun, 01 Mar 2026 09:15:30 +0200\r
X-Number: 12 apples\r
X-Empty:\r
X-Many: one\r
X-Many: two\r
X-Many: three\r
X-Star: a*c\r
X-Fold: one\r
\ttwo\r
Message-ID: <1@example.org>\r
\r
Hello Bob,\r
this is the text.\r
"""
PARTS = b"""\
From: ann@example.org\r
Subject: outer\r
MIME-Version: 1.0\r
Content-Type: multipart/mixed; boundary="boundary-a"\r
\r
--boundary-a\r
Content-Type: multipart/alternative; boundary=boundary-b\r
\r
--boundary-b\r
Content-Type: text/plain; charset=utf-8\r
Content-Transfer-Encoding: quoted-printable\r
\r
A na=C3=AFve text.\r
--boundary-b\r
Content-Type: text/html; charset=us-ascii\r
\r
<html><style>hidden {}</style><p><b>bold</b> words</html>\r
--boundary-b--\r
--boundary-a\r
Content-Type: application/octet-stream\r
Content-Disposition: attachment; filename="a.bin"\r
Content-Transfer-Encoding: base64\r
\r
YXR0YWNoZWQ=\r
--boundary-a\r
Content-Type: message/rfc822\r
\r
From: inner@example.org\r
Subject: inner\r
\r
inner words\r
--boundary-a--\r
"""
APART = {"ihave", "imapsieve"}  # what changes a script that requires all others
ALL = ", ".join(f'"{name}"' for name in sorted(EXTENSIONS.keys() - APART))
REQUIRE = f"require [{ALL}];\n"


@frozen
class Answers:
    """What is there: mailboxes (with the uses of each), ids, lists, what was seen."""

    mailboxes: dict = field(factory=dict)
    ids: frozenset = frozenset()
    annotations: dict = field(factory=dict)
    lists: dict = field(factory=dict)
    seen: frozenset = frozenset()
    scripts: dict = field(factory=dict)

    def to(self, question):
        match question:
            case Pause():
                return None
            case MailboxKnown(name):
                return name in self.mailboxes
            case MailboxIdKnown(object_id):
                return object_id in self.ids
            case UseKnown(use, None):
                return any(use in uses for uses in self.mailboxes.values())
            case UseKnown(use, mailbox):
                return use in self.mailboxes.get(mailbox, ())
            case Annotations(mailbox, name):
                return self.annotations.get((mailbox, name))
            case Listed(lists, values):
                members = {each for name in lists for each in self.lists.get(name, ())}
                return next((value for value in values if value in members), None)
            case ListKnown(name):
                return name in self.lists
            case Seen(key):
                return key in self.seen
            case Included(name, shared):
                script = self.scripts.get(f"global/{name}" if shared else name)
                return None if script is None else compiled(script.encode())
        raise AssertionError(question)


NOTHING = Answers()


def outcome(
    *scripts, message=MESSAGE, here=HERE, answers=NOTHING, limits=None, trace=False
):
    """What scripts make of a message."""
    programs = [
        Script(f"script {at}", compiled(script.encode()))
        for at, script in enumerate(scripts)
    ]
    work = interpret(programs, Message(message), here, limits or Limits(), trace=trace)
    answer = None
    try:
        while True:
            question = work.send(answer)
            try:
                answer = answers.to(question)
            except Exception as fault:
                question = work.throw(fault)
                answer = answers.to(question)
    except StopIteration as done:
        return done.value


def told(action):
    """An action in a few words."""
    flags = " ".join(sorted(getattr(action, "flags", ())))
    match action:
        case Keep():
            words = "keep" if action.place else "implicit keep"
        case FileInto(target):
            words = f"fileinto {target.name}"
        case Redirect(address, members_of):
            words = f"redirect {address or members_of}"
        case Discard():
            words = "discard" if action.place else "nothing"
        case Reject(reason):
            words = f"reject {reason}"
        case Vacation(reason):
            words = f"vacation {reason}"
        case Notify(recipients):
            words = f"notify {' '.join(map(str, recipients))}"
        case Remember():
            words = f"remember for {action.seconds}"
    return f"{words} [{flags}]" if flags else words


def actions(*scripts, **options):
    """The actions of scripts in words, or why one failed."""
    done = outcome(*scripts, **options)
    return [f"{name}: {why.text}" for name, why in done.failed] + [
        told(each) for each in done.actions
    ]


def true(test, head="", **options):
    """True if a test is, in a script that requires everything."""
    done = outcome(f"{head}{REQUIRE} if {test} {{ discard; }}", **options)
    (action,) = [each for each in done.actions if not isinstance(each, Remember)]
    return isinstance(action, Discard)
