"""Hundreds of odd messages, each with a name that says what is odd about it.

They come from the tables whose answers are written by hand, from values put into each
field that answers are made of, and from trees of parts grown by a seeded chance.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from .odd_envelopes import ENVELOPES
from .odd_messages import MESSAGES, crlf
from .odd_searches import SEARCHES
from .odd_structures import STRUCTURES
from .test_address_list import BROKEN, VALID

GROWN = 200  # trees of parts

TYPES = [
    b"text/plain; charset=utf-8",
    b"TEXT/PLAIN; CHARSET=UTF-8",
    b'text/plain; charset="utf-8"; format=flowed; delsp=yes',
    b"text/plain; charset=utf-8; charset=us-ascii",
    b"text/plain;charset=utf-8;",
    b"text/plain ; charset = utf-8",
    b"text/plain; (comment) charset=utf-8 (comment)",
    b"text/plain; charset=(comment)utf-8",
    b'text/plain; name="a;b"; charset=utf-8',
    b'text/plain; name="a \\"b\\" \\\\ c"',
    b'text/plain; name="never closed',
    b"text/plain; name=two words.txt",
    b"text/plain; name=",
    b"text/plain; name",
    b"text/plain; =value",
    b"text/plain; ;; name=x",
    b"text/plain, name=x",
    b"text/plain name=x",
    b"text/plain\n ; name=x\n\t; size=1",
    b"text/plain;\n\tname=\n\tx",
    b"text/plain; name=\xc3\xa9",
    b"text/plain; name=\xe9",
    b'text/plain; name="\xc3\xa9.txt"',
    b'text/plain; name="=?utf-8?q?=C3=A9?="',
    b'text/plain; name="=?utf-8?q?=C3=A9?=\n =?utf-8?q?=C3=A8?="',
    b"text/plain; name*=utf-8''%C3%A9",
    b"text/plain; name*=utf-8'de'%C3%A9; name=e",
    b"text/plain; name*0=one; name*1=two",
    b'text/plain; name*0="one "; name*1="two"',
    b"text/plain; name*0*=utf-8''%C3%A9; name*1*=%C3%A8; name*2=x",
    b"text/plain; name*1=two; name*0=one",
    b"text/plain; name*0=one; name*2=three",
    b"text/plain; name*1=two",
    b"text/plain; name*0=one; charset=utf-8; name*1=two",
    b"text/plain; charset*=us-ascii'en'utf-8",
    b"text/x-" + b"y" * 200,
    b"text/vnd.a+b",
    b"text/plain/more; charset=utf-8",
    b"text /plain",
    b"text/ plain",
    b"text/",
    b"/plain",
    b"plain",
    b"",
    b";charset=utf-8",
    b'"text/plain"',
    b'"text"/"plain"',
    b"text/plain; x=a/b",
    b"text/plain; x=a:b@c",
    b"text/plain; x=[y]",
    b"text/plain; x=y=z",
    b"text/plain; x=%41'b*c",
    b"text/plain; " + b"; ".join(b"p%d=v" % n for n in range(60)),
    b"text/plain; x=" + b"y" * 5000,
    b'application/octet-stream; name="a b.bin"',
    b"image/svg+xml",
    b"message/partial; number=1; total=2; id=x",
    b'message/external-body; access-type="anon-ftp"; site=a; name=b',
    b"message/delivery-status",
    b"message/disposition-notification",
    b"message/http",
    b"message/news",
    b"message/rfc822; charset=utf-8",
    b"video/mp4",
    b"x-unknown/x-y",
    b"x/y; a=b; A=c",
]
DISPOSITIONS = [
    b"inline",
    b"INLINE",
    b"attachment; filename=a.txt",
    b'attachment; filename="a b.txt"; size=12',
    b"attachment; filename=two words.txt",
    b"attachment; filename*=utf-8''%C3%A9.txt",
    b"attachment; filename*0=a; filename*1=b.txt",
    b"attachment; filename*0*=utf-8''%C3%A9; filename*1*=%C3%A8.txt",
    b'attachment; filename="\xc3\xa9.txt"',
    b'attachment; filename="=?utf-8?q?=C3=A9?="',
    b"attachment;",
    b"attachment; ; size=1",
    b'attachment; creation-date="Wed, 12 Feb 1997 16:29:51 -0500"',
    b'attachment; filename="a\\"b"',
    b"form-data; name=x",
    b"x-own; x=y",
    b"(comment) attachment",
    b"attachment (comment)",
    b"",
    b";filename=a",
    b"attachment filename=a",
    b"attachment, filename=a",
]
ENCODINGS = [
    b"7bit",
    b"8BIT",
    b"Base64",
    b"quoted-printable",
    b"binary",
    b"x-uuencode",
    b"base64 (comment)",
    b"(comment) base64",
    b"",
    b'"base64"',
    b"base64;",
    b"us-ascii",
    b"7-bit",
    b"quoted printable",
]
PLAIN_VALUES = [
    b"",
    b"  ",
    b"plain",
    b"  white around  ",
    b"two  spaces",
    b"with\ttab",
    b"folded\n line",
    b"folded\n\tline",
    b"folded\n  \t line",
    b"folded\n \n twice",
    b"\n begins folded",
    b'say "hi"',
    b"back\\slash",
    b"(comment) text",
    b"{5}",
    b"NIL",
    b"\xc3\xa9",
    b"\xe9",
    b"=?utf-8?q?=C3=A9?=",
    b"=?utf-8?q?=C3=A9?=\n =?utf-8?q?=C3=A8?=",
    b"a:b:c",
    b"x" * 1200,
    (b"word " * 300).strip(),
    b"\x01\x02\x7f",
    b"x\x00y",
]
DATES = [
    b"Thu, 1 Jan 2026 12:00:00 +0000",
    b"1 Jan 2026 12:00 +0000",
    b"1 Jan 26 12:00:00 GMT",
    b"Thu,  1 Jan 2026\n 12:00:00 +0000 (UTC)",
    b"thu, 01-jan-2026 12:00:00 EST",
    b"yesterday",
    b"31 Feb 2026 00:00:00 +0000",
    b"2026-01-01T12:00:00Z",
    b"Thu, 1 Jan 2026 25:61:61 +9999",
]
IDS = [
    b"<a@b>",
    b" <a@b> ",
    b"a@b",
    b"<a@b> (comment)",
    b"<a@b> <c@d>",
    b"<a b@c>",
    b"<>",
    b"",
    b'<"a b"@c>',
    b"<a@b",
    b"<a@b>\n <c@d>",
]
BASIC = b"From: Ann <a@b.test>\nTo: c@d.test\nSubject: x\nMIME-Version: 1.0\n"
LINE_ENDS = [
    (b"A: b\nSubject: x\n\nbody\n", "LF only"),
    (b"A: b\r\nSubject: x\r\n\r\nbody\r\n", "CRLF only"),
    (b"A: b\nSubject: x\r\n\nbody\r\n", "both"),
    (b"A: b\nSubject: x\n\r\nbody\n", "a CRLF blank line among LF"),
    (b"A: b\r\nSubject: x\r\n\r\none\rtwo\rthree\r\n", "bare CR in the body"),
    (b"A: b\r\nSubject: x\ry\r\n\r\nbody\r\n", "bare CR in a field"),
    (b"A: b\r\nSubject: x\r\n\r\nbody\r", "CR at the end"),
    (b"A: b\r\nSubject: x\r\n\r\nbody\r\r\n\r\r\n", "CR CR LF"),
    (b"A: b\r\nSubject: x\r\n\r\n\r\n\r\n\r\n", "only blank lines"),
    (b"Subject: x\r\n\r\nno end", "no line end"),
    (b"Subject: x\r\n\r\na\0b\r\n", "NUL in the body"),
    (b"Subject: x\0y\r\n\r\nb\r\n", "NUL in a field"),
]
HEADERS = [
    (b"Subject : white before the colon\n\nx\n", "white space before the colon"),
    (b" starts: folded\nSubject: x\n\ny\n", "the first line is a fold"),
    (b"no field\nSubject: x\n\ny\n", "a line without a colon first"),
    (b"Subject: x\nno field\nTo: a@b\n\ny\n", "a line without a colon between"),
    (b"From a@b Thu Jan  1 00:00:00 2026\nSubject: x\n\ny\n", "a From_ line"),
    (b">From a@b Thu Jan  1\nSubject: x\n\ny\n", "an escaped From_ line"),
    (b": x\nSubject: y\n\nz\n", "an empty name"),
    (b"Subject:x\nTo:a@b\nCC:c@d\n\ny\n", "no white space behind the colon"),
    (b"SUBJECT: x\nfRoM: a@b\n\ny\n", "names in any case"),
    (b"Subject: x\nSubject: y\nFrom: a@b\nFrom: c@d\n\nz\n", "Subject and From twice"),
    (b"To: a@b\nTo: c@d\nCc: e@f\nCc: g@h\n\nz\n", "To and Cc twice"),
    (b"Date: 1 Jan 2026\nDate: 2 Jan 2026\n\nz\n", "Date twice"),
    (b"Message-ID: <a@b>\nMessage-ID: <c@d>\n\nz\n", "Message-ID twice"),
    (b"X-%s: y\n" % (b"x" * 3000) + b"Subject: z\n\ny\n", "a long name"),
    (b"".join(b"X-%d: y\n" % n for n in range(3000)) + b"Subject: z\n\ny\n", "3000"),
    (b"X: " + b"y\n " * 3000 + b"z\nSubject: z\n\ny\n", "3000 folds"),
    (b"X: " + b"y" * 120_000 + b"\nSubject: z\n\ny\n", "a field of 120 KB"),
    (b"To: " + b", ".join(b"a%d@b" % n for n in range(2000)) + b"\n\ny\n", "2000 to"),
    (b"S\xc3\xbcbject: x\nSubject: y\n\nz\n", "8-bit in a name"),
    (b"Subject: x\n\t\nTo: a@b\n\nz\n", "a line of one tab"),
    (b"Content-Type: text/html\nContent-Type: text/plain\n\nz\n", "two types"),
]
BODIES = [
    (b"text/plain; charset=utf-8", b"base64", b"w6k=\n"),
    (b"text/plain; charset=utf-8", b"base64", b"w6\nk=\n!!\n"),
    (b"text/plain; charset=iso-8859-1", b"quoted-printable", b"=E9 =\nx=\n"),
    (b"text/plain; charset=utf-16", b"base64", b"//5hAGIA\n"),
    (b"text/plain; charset=nonsense", b"8bit", b"\xe9\n"),
    (b"text/plain; charset=utf-8", b"8bit", b"\xff\xfe\n"),
    (b"text/plain; charset=utf-8", b"nonsense", b"x\n"),
    (b"message/rfc822", b"base64", b"U3ViamVjdDogeAoKeQo=\n"),
    (b"multipart/mixed; boundary=b", b"base64", b"--b\n\nx\n--b--\n"),
]


def in_table() -> Iterator[tuple[str, bytes]]:
    for at, (message, _, reason) in enumerate(MESSAGES):
        yield f"shape {at}: {reason}", crlf(message)
    for at, (message, _, reason) in enumerate(STRUCTURES):
        yield f"structure {at}: {reason}", crlf(message)
    for at, (header, _, reason) in enumerate(ENVELOPES):
        yield f"envelope {at}: {reason}", crlf(header + b"body\n")
    for at, (message, *_, reason) in enumerate(SEARCHES):
        yield f"search {at}: {reason}", crlf(message)


def by_field() -> Iterator[tuple[str, bytes]]:
    for at, row in enumerate([*VALID, *BROKEN]):
        value = row[0].strip(b"\r\n")
        yield f"From {at}: {value!r}", crlf(b"From: %b\nSubject: x\n\ny\n" % value)
        yield f"To {at}: {value!r}", crlf(b"From: a@b\nTo: %b\n\ny\n" % value)
    part = BASIC + b"Content-Type: %b\n%b\nbody\nof two lines\n"
    for at, value in enumerate(TYPES):
        yield f"type {at}: {value[:60]!r}", crlf(part % (value, b""))
        inner = b"Content-Type: %b\n\nbody\n" % value
        outer = BASIC + b"Content-Type: multipart/mixed; boundary=b\n\n--b\n%b\n--b--\n"
        yield f"type of a part {at}: {value[:60]!r}", crlf(outer % inner)
    for at, value in enumerate(DISPOSITIONS):
        field = b"Content-Disposition: %b\n" % value
        yield f"disposition {at}: {value!r}", crlf(part % (b"text/plain", field))
    for at, value in enumerate(ENCODINGS):
        field = b"Content-Transfer-Encoding: %b\n" % value
        yield f"encoding {at}: {value!r}", crlf(part % (b"text/plain", field))
    for at, value in enumerate(PLAIN_VALUES):
        for name in (b"Subject", b"In-Reply-To", b"Content-Description", b"Content-ID"):
            octets = BASIC.replace(b"Subject: x\n", b"") + name + b": " + value
            yield f"{name.decode()} {at}: {value[:60]!r}", crlf(octets + b"\n\ny\n")
    for at, value in enumerate(DATES):
        yield f"Date {at}: {value!r}", crlf(BASIC + b"Date: %b\n\ny\n" % value)
    for at, value in enumerate(IDS):
        ids = b"Message-ID: %b\nIn-Reply-To: %b\nContent-ID: %b\n\ny\n"
        yield f"id {at}: {value!r}", crlf(BASIC + ids % (value, value, value))
    for name in (b"Content-Language", b"Content-Location", b"Content-MD5"):
        for at, value in enumerate(
            [b"en", b"en, de", b"(c) en", b"", b"a\n b", b'"x"']
        ):
            octets = BASIC + b"%b: %b\n\ny\n" % (name, value)
            yield f"{name.decode()} {at}: {value!r}", crlf(octets)


def by_line() -> Iterator[tuple[str, bytes]]:
    for octets, reason in LINE_ENDS:
        yield f"line ends: {reason}", octets  # as they stand
    for octets, reason in HEADERS:
        yield f"header: {reason}", crlf(octets)
    for at, (kind, encoding, body) in enumerate(BODIES):
        fields = b"Content-Type: %b\nContent-Transfer-Encoding: %b\n\n"
        yield f"body {at}: {kind!r}", crlf(BASIC + fields % (kind, encoding) + body)


def grown(seed: int) -> bytes:
    """A tree of parts as mail programs write it."""
    chance = random.Random(seed)
    return crlf(BASIC.replace(b"x", b"tree %d" % seed, 1) + _part(chance, 0))


def _part(chance: random.Random, depth: int) -> bytes:
    """Header fields, blank line and body."""
    kind = chance.choice(["text", "text", "html", "data", "multipart", "message"])
    if depth < 2 and chance.random() < 0.6 or depth == 0:
        kind = chance.choice(["multipart", "multipart", "message"])
    if depth > 4 and kind in ("multipart", "message"):
        kind = "text"
    if kind == "multipart":
        return _multipart(chance, depth)
    if kind == "message":
        inner = b"Subject: inner %d\nFrom: G: a@b;\n" % depth + _part(chance, depth + 1)
        return b"Content-Type: message/rfc822\n\n" + inner
    header = {
        "text": b"",
        "html": b"Content-Type: text/html; charset=utf-8\n",
        "data": b'Content-Type: application/pdf; name="x.pdf"\n'
        b"Content-Transfer-Encoding: base64\nContent-Disposition: attachment\n",
    }[kind]
    body = chance.choice([b"one", b"one\n", b"one\ntwo\n", b"\nx\n\n\n"])
    return header + b"\n" + body


def _multipart(chance: random.Random, depth: int) -> bytes:
    boundary = b"=_%d_%d" % (depth, chance.randrange(10**9, 10**10))
    subtype = chance.choice([b"mixed", b"mixed", b"alternative", b"digest", b"x-own"])
    lines = b'Content-Type: multipart/%b; boundary="%b"\n\n' % (subtype, boundary)
    if chance.random() < 0.3:
        lines += chance.choice([b"preamble\n", b"\n", b"--\n", b"--z\n"])
    for _ in range(chance.randint(1, 3)):
        padding = chance.choice([b"", b"", b"", b" ", b"\t"])
        part = _part(chance, depth + 1)
        if subtype == b"digest" and not part.startswith(b"Content-Type:"):
            part = b"\nSubject: digested\n" + part
        lines += b"--%b%b\n%b\n" % (boundary, padding, part)
    lines += b"--%b--\n" % boundary
    if chance.random() < 0.2:
        lines += chance.choice([b"epilogue\n", b"\n\n", b"--%b\n\nx\n" % boundary])
    return lines


def messages() -> dict[str, bytes]:
    """Octets by name, all with CRLF but for those whose line ends are what is odd."""
    found = [*in_table(), *by_field(), *by_line()]
    found += [(f"tree {seed}", grown(seed)) for seed in range(GROWN)]
    named = dict(found)
    if len(named) != len(found):
        raise AssertionError("two messages have one name")
    return named
