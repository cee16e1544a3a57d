"""Messages with SEARCH keys that match them and keys that do not, written by hand.

A row: octets with LF for CRLF, keys that match, keys that do not, the reason.  Keys are
as a client sends them, non-ASCII in UTF-8.
"""

from __future__ import annotations

import re

_WORD = re.compile(r'"(?:[^"\\]|\\.)*"|[^ "]+')


def sent(key: str) -> bytes:
    """The key as octets of a command: what is not ASCII in literals (RFC 7888)."""
    words = []
    for word in _WORD.findall(key):
        if not word.isascii():
            octets = word.strip('"').encode()
            words.append(b"{%d+}\r\n%b" % (len(octets), octets))
        else:
            words.append(word.encode())
    return b" ".join(words)


B64 = b"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\n"
QP = b"Content-Type: text/plain; charset=iso-8859-1\n"
QP += b"Content-Transfer-Encoding: quoted-printable\n\n"
MIXED = b"Subject: outside\nContent-Type: multipart/mixed; boundary=b\n\n"
FORWARD = MIXED + b"--b\n\nfirst text\n--b\nContent-Type: message/rfc822\n\n"
FORWARD += b"Subject: inside\nFrom: carl@c.test\n\nsecond text\n--b--\n"

SEARCHES: list[tuple[bytes, list[str], list[str], str]] = [
    (
        b"Subject: Hello World\nFrom: Ann Bee <ann@a.test>\n\nbody\n",
        ["SUBJECT hello", 'SUBJECT "O W"', "FROM ANN@A", "FROM bee", "TEXT world"],
        ["SUBJECT worldly", "FROM carl", "BODY hello", "TO ann", "CC ann"],
        "RFC 3501 §6.4.4: a substring, case does not count",
    ),
    (
        b"Subject: one\n two\nTo: a@b.test,\n c@d.test\n\nx\n",
        ['SUBJECT "one two"', "TO c@d", "TO b.test"],
        ['SUBJECT "onetwo"', "TO onetwo"],
        "over folded lines",
    ),
    (
        b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= =?utf-8?b?IGF1cw==?=\n\nx\n",
        ["SUBJECT Grüße", "SUBJECT GRÜSSE", 'SUBJECT "grüße aus"'],
        ["SUBJECT C3=BC", "SUBJECT utf-8", "SUBJECT gruesse"],
        "RFC 3501 §6.4.4: encoded words are decoded first",
    ),
    (
        b"Subject: =?utf-8?q?M=C3=BC?=\n =?utf-8?q?nchen?=\nFrom: x@y\n\nx\n",
        ["SUBJECT München", "TEXT münchen"],
        ['SUBJECT "mü nchen"'],
        "RFC 2047 §6.2: a word over two lines",
    ),
    (
        b"From: =?iso-8859-1?q?Andr=E9?= <andre@a.test>\nTo: b@c.test\n\nx\n",
        ["FROM André", "FROM andre@a", "HEADER FROM andré"],
        ["TO André", "FROM E9"],
        "names in another charset",
    ),
    (
        B64 + b"SGVsbG8sIMOpdMOpIQ==\n",
        ["BODY été", "BODY hello", "TEXT ÉTÉ", "TEXT base64"],
        ["BODY SGVsbG8s", "BODY base64"],
        "a transfer encoding is taken off the body; TEXT has the header too",
    ),
    (
        QP + b"caf=E9 au=\n lait\n",
        ["BODY café", 'BODY "café au lait"'],
        ["BODY caf=E9", "BODY =E9"],
        "quoted-printable with a soft line end",
    ),
    (
        FORWARD,
        ["SUBJECT outside", "BODY first", "BODY second", "BODY inside", "TEXT carl"],
        ["SUBJECT inside", "FROM carl", "BODY outside"],
        "the text of a forwarded message is body, its header too",
    ),
    (
        MIXED + b"--b\nContent-Type: application/pdf\n"
        b"Content-Transfer-Encoding: base64\n\nSGVsbG8=\n--b--\n",
        ["SUBJECT outside", "TEXT outside"],
        ["BODY hello", "TEXT hello", "BODY SGVsbG8"],
        "what is not text is not searched",
    ),
    (
        b"X-One: value one\nX-Two:\nX-One: other\n\nx\n",
        [
            "HEADER X-One value",
            "HEADER x-one OTHER",
            'HEADER X-Two ""',
            'HEADER X-One ""',
        ],
        ["HEADER X-Two x", 'HEADER X-Three ""', "HEADER X-One valueone"],
        "RFC 3501 §6.4.4: any field, and the empty string for those that are there",
    ),
    (
        b"Date: Thu, 31 Dec 2020 23:30:00 -0800\nSubject: d\n\nx\n",
        ["SENTON 31-Dec-2020", "SENTBEFORE 1-Jan-2021", "SENTSINCE 31-Dec-2020"],
        ["SENTON 1-Jan-2021", "SENTSINCE 1-Jan-2021", "SENTBEFORE 31-Dec-2020"],
        "RFC 3501 §6.4.4: the day of Date, disregarding time and zone",
    ),
    (
        b"Subject: no date\n\nx\n",
        ["NOT SENTON 1-Jan-2021", "UNKEYWORD $Work", "SMALLER 1000", "ALL"],
        ["SENTON 1-Jan-2021", "LARGER 1000", "KEYWORD $Work", "DELETED"],
        "no Date has no day",
    ),
    (
        b'Subject: a "quoted" \\ word\nFrom: b@c\n\nx\n',
        ['SUBJECT "a \\"quoted\\" \\\\ word"', "SUBJECT quoted"],
        ['SUBJECT "a \\\\\\"quoted"'],
        "quotes and backslashes in a needle",
    ),
    (
        b"Subject: x\nCc: Dee <d@e.test>\nBcc: f@g.test\n\ny\n",
        ["CC dee", "BCC f@g", "OR CC nobody BCC g.test", "NOT CC eve", "CC d@e BCC f"],
        ["CC f@g", "BCC dee", "CC dee BCC dee", "NOT CC dee", "OR CC x@ BCC y@"],
        "Cc and Bcc, all of several, one of two, none",
    ),
    (
        b"Content-Type: text/plain; charset=utf-16le\n"
        b"Content-Transfer-Encoding: base64\n\nSADkAG4AZABlAA==\n",
        ["BODY hände", "BODY HÄNDE"],
        ["BODY hande?"],
        "a charset of two octets a character",
    ),
    (
        b"Content-Type: text/plain; charset=nonsense\n\nplain caf\xc3\xa9\n",
        ["BODY plain", "BODY café"],
        ["BODY nonsense"],
        "an unknown charset is read as well as it goes",
    ),
    (
        b"Content-Type: text/html; charset=utf-8\n\n<p>Hello&nbsp;<b>W</b>orld</p>\n",
        ["BODY hello"],
        ["BODY moon"],
        "HTML is text",
    ),
    (
        b"Subject: last\n\n" + b"filler line\n" * 9000 + b"needle at the end",
        ["BODY needle", 'BODY "at the end"', "LARGER 100000"],
        ["BODY haystack"],
        "far behind in a long body, without a line end",
    ),
    (
        b"Subject:\n\n",
        ['HEADER SUBJECT ""', "NOT SUBJECT x", 'BODY ""', 'TEXT ""'],
        ["SUBJECT x", "BODY x"],
        "an empty field, an empty body",
    ),
]
