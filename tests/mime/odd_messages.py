"""Odd messages with the structure the RFCs give them, written by hand.

A row: octets with LF for CRLF, the shape, the reason.  A shape is (type, header octets,
body octets, children), the octets again with LF.
"""

from hypothesis import strategies as st


def crlf(octets):
    return octets.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def text(header, body):
    return ("text/plain", header, body, [])


def multipart(body, *, subtype=b"mixed", boundary=b"b"):
    """A message of that body, and its header."""
    header = b'Content-Type: multipart/%b; boundary="%b"\n\n' % (subtype, boundary)
    return header + body, header


def row(body, children, reason, *, subtype=b"mixed", boundary=b"b", shown=None):
    message, header = multipart(body, subtype=subtype, boundary=boundary)
    kind = "multipart/" + subtype.decode()
    return message, (kind, header, shown or body, children), reason


HTML = b"Content-Type: text/html\n"
EMBEDDED = b"Content-Type: message/rfc822\n\n"
INNER = b"Content-Type: multipart/alternative; boundary=c\n\n"
SAME = b"Content-Type: multipart/alternative; boundary=b\n\n"

MESSAGES = [
    (b"", text(b"", b""), "no octet"),
    (b"\n", text(b"\n", b""), "only the blank line"),
    (b"\n\n", text(b"\n", b"\n"), "no header"),
    (b"Subject: x\n", text(b"Subject: x\n", b""), "header only, no blank line"),
    (b"Subject: x", text(b"Subject: x", b""), "header only, no line end"),
    (b"Subject: x\n\nbody", text(b"Subject: x\n\n", b"body"), "no line end at the end"),
    (b"\nSubject: x\n", text(b"\n", b"Subject: x\n"), "a blank line first"),
    (b"A: b\n \nC: d\n\nx", text(b"A: b\n \nC: d\n\n", b"x"), "a white line is a fold"),
    (b"A: b\n\n\0\xff\n", text(b"A: b\n\n", b"\0\xff\n"), "NUL and 8-bit"),
    (
        b"Content-Type: text\n\nx",
        text(b"Content-Type: text\n\n", b"x"),
        "RFC 2045 §5.2: no subtype",
    ),
    (
        b"Content-Type: nonsense\n\nx",
        text(b"Content-Type: nonsense\n\n", b"x"),
        "RFC 2045 §5.2: no type",
    ),
    (
        EMBEDDED + b"Subject: x\n\ny\n",
        (
            "message/rfc822",
            EMBEDDED,
            b"Subject: x\n\ny\n",
            [text(b"Subject: x\n\n", b"y\n")],
        ),
        "a message as the whole body",
    ),
    (
        b"Content-Type: multipart/mixed\n\n--b\n\nx\n",
        (
            "multipart/mixed",
            b"Content-Type: multipart/mixed\n\n",
            b"--b\n\nx\n",
            [text(b"", b"--b\n\nx\n")],
        ),
        "no boundary parameter: its text can be read",
    ),
    row(
        b"pre\n--b\n\none\n--b\n" + HTML + b"\ntwo\n--b--\nepilogue\n",
        [text(b"\n", b"one"), ("text/html", HTML + b"\n", b"two", [])],
        "preamble and epilogue belong to no part",
    ),
    row(b"--b\n\none\n\n--b--", [text(b"\n", b"one\n")], "ends with the boundary"),
    row(
        b"--b\n\none\n--b\n\ntwo\n",
        [text(b"\n", b"one"), text(b"\n", b"two\n")],
        "no end",
    ),
    row(b"--b\n\none", [text(b"\n", b"one")], "no end and no line end"),
    row(b"--b\n--b--\n", [text(b"", b"")], "a part of nothing"),
    row(b"--b\n\n--b--\n", [text(b"", b"")], "its line end is the boundary's"),
    row(b"--b\n\n\n--b--\n", [text(b"\n", b"")], "a part of a blank line"),
    row(
        b"--b\n" + HTML + b"--b--\n",
        [("text/html", HTML[:-1], b"", [])],
        "a header only",
    ),
    row(
        b"--b\n" + HTML + b"\n--b--\n", [("text/html", HTML, b"", [])], "and a line end"
    ),
    row(b"--b\n", [text(b"", b"")], "opened only"),
    row(b"--b", [text(b"", b"")], "opened only, no line end"),
    row(b"--b--\n", [text(b"", b"--b--\n")], "closed only: read as text"),
    row(b"nothing\n", [text(b"", b"nothing\n")], "no boundary line: read as text"),
    row(b"", [text(b"", b"")], "no body"),
    row(b"--b \t\n\none\n--b-- \n", [text(b"\n", b"one")], "padding (RFC 2046 §5.1.1)"),
    row(
        b" --b\n\none\n--b\n\ntwo\n", [text(b"\n", b"two\n")], "not at the line's start"
    ),
    row(
        b"--b\n\none\n--bb\nx\n--b--\n", [text(b"\n", b"one\n--bb\nx")], "only a prefix"
    ),
    row(
        b"--b\n\n1\n--b--\n--b\n\n2\n--b--\n",
        [text(b"\n", b"1")],
        "parts behind the end",
    ),
    row(
        b"--b\n\nSubject: x\n\n1\n--b\n" + HTML + b"\n2\n--b--\n",
        [
            (
                "message/rfc822",
                b"\n",
                b"Subject: x\n\n1",
                [text(b"Subject: x\n\n", b"1")],
            ),
            ("text/html", HTML + b"\n", b"2", []),
        ],
        "RFC 2046 §5.1.5: the default in a digest",
        subtype=b"digest",
    ),
    row(
        b"--b\n" + INNER + b"--c\n\n1\n--c\n\n2\n--c--\n\n--b\n\n3\n--b--\n",
        [
            (
                "multipart/alternative",
                INNER,
                b"--c\n\n1\n--c\n\n2\n--c--\n",
                [text(b"\n", b"1"), text(b"\n", b"2")],
            ),
            text(b"\n", b"3"),
        ],
        "one in the other",
    ),
    row(
        b"--b\n" + INNER + b"--c\n\n1\n--c\n\n2\n--b\n\n3\n--b--\n",
        [
            (
                "multipart/alternative",
                INNER,
                b"--c\n\n1\n--c\n\n2",
                [text(b"\n", b"1"), text(b"\n", b"2")],
            ),
            text(b"\n", b"3"),
        ],
        "the inner one never closed",
    ),
    row(
        b"--cc\n" + INNER + b"--c\n\n1\n--c--\n--cc\n\n2\n--cc--\n",
        [
            ("multipart/alternative", INNER, b"--c\n\n1\n--c--", [text(b"\n", b"1")]),
            text(b"\n", b"2"),
        ],
        "the inner boundary begins the outer one",
        boundary=b"cc",
    ),
    row(
        b"--b\n" + SAME + b"--b\n\n1\n--b\n\n2\n--b--\n\n--b\n\n3\n--b--\n",
        [
            (
                "multipart/alternative",
                SAME,
                b"--b\n\n1\n--b\n\n2\n--b--\n",
                [text(b"\n", b"1"), text(b"\n", b"2")],
            ),
            text(b"\n", b"3"),
        ],
        "the same boundary in both: the inner one has it until its end",
    ),
    row(
        b"--b\n" + EMBEDDED + SAME + b"--b\n\n1\n--b--\n\n--b\n\n2\n--b--\n",
        [
            (
                "message/rfc822",
                EMBEDDED,
                SAME + b"--b\n\n1\n--b--\n",
                [
                    (
                        "multipart/alternative",
                        SAME,
                        b"--b\n\n1\n--b--\n",
                        [text(b"\n", b"1")],
                    )
                ],
            ),
            text(b"\n", b"2"),
        ],
        "the same boundary in a forwarded message",
    ),
    row(
        b"--b\n" + EMBEDDED + b"Subject: x\n\ny\n--b--\n",
        [
            (
                "message/rfc822",
                EMBEDDED,
                b"Subject: x\n\ny",
                [text(b"Subject: x\n\n", b"y")],
            )
        ],
        "a forwarded message",
    ),
    row(
        b"--b\n" + EMBEDDED + b"Subject: x\n--b--\n",
        [("message/rfc822", EMBEDDED, b"Subject: x", [text(b"Subject: x", b"")])],
        "a forwarded message without a body",
    ),
    row(
        b"--b\n" + EMBEDDED + b"--b--\n",
        [("message/rfc822", EMBEDDED[:-1], b"", [text(b"", b"")])],
        "a forwarded message of nothing",
    ),
    row(
        b"--a.b*+?\n\n1\n--a.b*+?--\n",
        [text(b"\n", b"1")],
        "no pattern",
        boundary=b"a.b*+?",
    ),
    row(
        b"--b--\n\n1\n--b----\n",
        [text(b"\n", b"1")],
        "dashes at its end",
        boundary=b"b--",
    ),
]

# Messages made of what parsers trip over.
HOSTILE = st.lists(
    st.sampled_from(
        [
            b"\r\n",
            b"\n",
            b"--b",
            b"--c",
            b"--bb",
            b"--",
            b" ",
            b"\t",
            b"x",
            b"\0",
            b"\xff",
        ]
        + [
            b"Content-Type: multipart/mixed; boundary=b\r\n",
            b"\r\n--b\r\n",
            b"\r\n--b--",
        ]
        + [b"Content-Type: multipart/digest; boundary=c\r\n\r\n", b"\r\n\r\n", b"\r"]
        + [b"Content-Type: message/rfc822\r\n\r\n", b"From: a@b, \r\n", b'To: "x:;<,'],
    ),
    max_size=30,
).map(b"".join)
