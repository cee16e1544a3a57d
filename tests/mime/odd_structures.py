"""Messages with the BODYSTRUCTURE that the RFCs give them, written by hand.

A row: octets with LF for CRLF, the list, the reason.
"""

PLAIN = b'"text" "plain" ("charset" "us-ascii") NIL NIL "7bit"'
STRUCTURES = [
    (b"", b"(%b 0 0 NIL NIL NIL NIL)" % PLAIN, "no octet"),
    (b"\na\nb", b"(%b 4 1 NIL NIL NIL NIL)" % PLAIN, "lines are line ends"),
    (
        b"Content-Type: TEXT/HTML; Charset=UTF-8\nContent-Transfer-Encoding: BASE64\n"
        b"Content-ID: <1@x>\nContent-Description: d\nContent-MD5: m==\n"
        b'Content-Disposition: attachment; filename="a b"\n'
        b"Content-Language: en, de\nContent-Location: http://x/\n\nYQ==\n",
        b'("text" "html" ("charset" "UTF-8") "<1@x>" "d" "base64" 6 1 "m==" '
        b'("attachment" ("filename" "a b")) ("en" "de") "http://x/")',
        "every field",
    ),
    (
        b"Content-Type: image/gif\nContent-Disposition: inline\n\nx",
        b'("image" "gif" NIL NIL NIL "7bit" 1 NIL ("inline" NIL) NIL NIL)',
        "no lines and no default charset in other types",
    ),
    (
        b"Content-Type: message/rfc822\n\nSubject: x\n\na\nb\n",
        b'("message" "rfc822" NIL NIL NIL "7bit" 20 '
        b'(NIL "x" NIL NIL NIL NIL NIL NIL NIL NIL) (%b 6 2 NIL NIL NIL NIL) 4 '
        b"NIL NIL NIL NIL)" % PLAIN,
        "a message has its envelope, structure and lines",
    ),
    (
        b"Content-Type: message/delivery-status\n\nx",
        b'("message" "delivery-status" NIL NIL NIL "7bit" 1 NIL NIL NIL NIL)',
        "other message types have none of these",
    ),
    (
        b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\na\n--b--\n",
        b'((%b 1 0 NIL NIL NIL NIL) "mixed" ("boundary" "b") NIL NIL NIL)' % PLAIN,
        "multipart has no basic fields",
    ),
    (
        b"Content-Type: multipart/mixed\n\nx\n",
        b'((%b 3 1 NIL NIL NIL NIL) "mixed" NIL NIL NIL NIL)' % PLAIN,
        "the grammar wants a part",
    ),
    (
        b"Content-Type: multipart/digest; boundary=b\n\n--b\n\n\na\n--b--\n",
        b'(("message" "rfc822" NIL NIL NIL "7bit" 3 '
        b"(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) (%b 1 0 NIL NIL NIL NIL) 1 "
        b'NIL NIL NIL NIL) "digest" ("boundary" "b") NIL NIL NIL)' % PLAIN,
        "the default type in a digest",
    ),
    (
        b"Content-Type: application/x; name*0*=utf-8''%41; name*1=b\n\n",
        b'("application" "x" ("name*" "utf-8\'\'%41b") NIL NIL "7bit" 0 '
        b"NIL NIL NIL NIL)",
        "RFC 2231 continuations are joined",
    ),
    (
        b"Content-Type: message/external-body; access-type=URL;\n"
        b' URL*0="ftp://";\n URL*1="cs.utk.edu/pub/x.tar"\n\nContent-Type: a/b\n\n',
        b'("message" "external-body" ("access-type" "URL" "url" '
        b'"ftp://cs.utk.edu/pub/x.tar") NIL NIL "7bit" 21 NIL NIL NIL NIL)',
        "RFC 2231 §3 and §6: continuations are put together for IMAP",
    ),
    (
        b"Content-Type: application/x-stuff;\n"
        b" title*=us-ascii'en-us'This%20is%20%2A\n\n",
        b'("application" "x-stuff" ("title*" "us-ascii\'en-us\'This%20is%20%2A") '
        b'NIL NIL "7bit" 0 NIL NIL NIL NIL)',
        "RFC 2231 §4: a parameter in another charset and language",
    ),
    (
        b"Content-Type: application/x-stuff;\n"
        b" title*0*=us-ascii'en'This%20is%20even%20more%20;\n"
        b' title*1*=%2A%2A%2Afun%2A%2A%2A%20;\n title*2="isn\'t it!"\n\n',
        b'("application" "x-stuff" ("title*" "us-ascii\'en\'This%20is%20even%20more%20'
        b'%2A%2A%2Afun%2A%2A%2A%20isn\'t it!") NIL NIL "7bit" 0 NIL NIL NIL NIL)',
        "RFC 2231 §4.1: both together",
    ),
    (
        b"Content-Type: text/plain; charset=us-ascii (Plain text)\n\nx",
        b"(%b 1 0 NIL NIL NIL NIL)" % PLAIN,
        "RFC 2045 §5.1: a comment is no part of the value",
    ),
    (
        b'Content-Type: text/plain; charset="us-ascii"\n\nx',
        b"(%b 1 0 NIL NIL NIL NIL)" % PLAIN,
        "RFC 2045 §5.1: nor are its quotes",
    ),
    (
        b'Content-Type: text/plain; charset=x; name="a \\"b\\" \\\\"\n\n',
        rb'("text" "plain" ("charset" "x" "name" "a \"b\" \\") NIL NIL "7bit" 0 0 '
        b"NIL NIL NIL NIL)",
        "quoted pairs, escaped again for IMAP",
    ),
    (
        b"Content-Type: text/plain; charset=x;\n name==?utf-8?q?=C3=A9?=\n\n",
        b'("text" "plain" ("charset" "x" "name" "=?utf-8?q?=C3=A9?=") NIL NIL "7bit" '
        b"0 0 NIL NIL NIL NIL)",
        "an encoded word where none may be (RFC 2047 §5) stays as it is",
    ),
    (
        b"Content-Type: multipart/mixed; boundary=b\n\n"
        b"--b\nContent-Type: multipart/alternative; boundary=c\n\n"
        b"--c\n\none\n--c\nContent-Type: text/html\n\n<p>\n--c--\n\n"
        b"--b\nContent-Type: image/png; name=x.png\n"
        b"Content-Transfer-Encoding: base64\nContent-ID: <i@x>\n"
        b"Content-Disposition: attachment; filename=x.png\n\niVBORw==\n--b--\n",
        b"(((%b 3 0 NIL NIL NIL NIL)"
        b'("text" "html" ("charset" "us-ascii") NIL NIL "7bit" 3 0 NIL NIL NIL NIL) '
        b'"alternative" ("boundary" "c") NIL NIL NIL)'
        b'("image" "png" ("name" "x.png") "<i@x>" NIL "base64" 8 NIL '
        b'("attachment" ("filename" "x.png")) NIL NIL) '
        b'"mixed" ("boundary" "b") NIL NIL NIL)' % PLAIN,
        "text in two forms with an attachment",
    ),
    (
        b"Content-Type: message/rfc822\n\nSubject: one\n"
        b"Content-Type: message/rfc822\n\nSubject: two\n"
        b"Content-Type: message/rfc822\n\nSubject: three\n\nend\n",
        b'("message" "rfc822" NIL NIL NIL "7bit" 115 '
        b'(NIL "one" NIL NIL NIL NIL NIL NIL NIL NIL) '
        b'("message" "rfc822" NIL NIL NIL "7bit" 69 '
        b'(NIL "two" NIL NIL NIL NIL NIL NIL NIL NIL) '
        b'("message" "rfc822" NIL NIL NIL "7bit" 23 '
        b'(NIL "three" NIL NIL NIL NIL NIL NIL NIL NIL) '
        b"(%b 5 1 NIL NIL NIL NIL) 3 NIL NIL NIL NIL) 6 NIL NIL NIL NIL) 9 "
        b"NIL NIL NIL NIL)" % PLAIN,
        "messages in messages, three deep",
    ),
    (
        b"Content-Type: multipart/digest; boundary=b\n\n"
        b"--b\n\nSubject: 1\n\none\n--b\nContent-Type: text/plain\n\ntwo\n--b--\n",
        b'(("message" "rfc822" NIL NIL NIL "7bit" 17 '
        b'(NIL "1" NIL NIL NIL NIL NIL NIL NIL NIL) (%b 3 0 NIL NIL NIL NIL) 2 '
        b"NIL NIL NIL NIL)(%b 3 0 NIL NIL NIL NIL) "
        b'"digest" ("boundary" "b") NIL NIL NIL)' % (PLAIN, PLAIN),
        "RFC 2046 §5.1.5: a part of a digest may say another type",
    ),
    (
        b"Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n"
        b"--b\n\nIt failed.\n--b\nContent-Type: message/delivery-status\n\n"
        b"Reporting-MTA: dns; x\n\nAction: failed\n\n--b\n"
        b"Content-Type: text/rfc822-headers\n\nSubject: x\n\n--b--\n",
        b'((%b 10 0 NIL NIL NIL NIL)("message" "delivery-status" NIL NIL NIL "7bit" 41 '
        b'NIL NIL NIL NIL)("text" "rfc822-headers" ("charset" "us-ascii") NIL NIL '
        b'"7bit" 12 1 NIL NIL NIL NIL) "report" '
        b'("report-type" "delivery-status" "boundary" "b") NIL NIL NIL)' % PLAIN,
        "RFC 6522: a report, whose header part is text",
    ),
    (
        b"Content-Type: message/partial; id=x; number=1; total=2\n\nSubject: y\n\nz\n",
        b'("message" "partial" ("id" "x" "number" "1" "total" "2") NIL NIL "7bit" 17 '
        b"NIL NIL NIL NIL)",
        "RFC 2046 §5.2.2: a piece of a message is no message",
    ),
    (
        b"Content-Type: message/rfc822\nContent-Transfer-Encoding: 8bit\n\n\n",
        b'("message" "rfc822" NIL NIL NIL "8bit" 2 '
        b"(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) (%b 0 0 NIL NIL NIL NIL) 1 "
        b"NIL NIL NIL NIL)" % PLAIN,
        "a message of a blank line",
    ),
    (
        b'Content-Type: multipart/mixed; boundary="=_a b:(c)/\'?"\n\n'
        b"--=_a b:(c)/'?\n\nx\n--=_a b:(c)/'?--\n",
        b'((%b 1 0 NIL NIL NIL NIL) "mixed" ("boundary" "=_a b:(c)/\'?") '
        b"NIL NIL NIL)" % PLAIN,
        "RFC 2046 §5.1.1: every octet that a boundary may have",
    ),
    (
        b"Content-Type: multipart/mixed; boundary=b\nContent-Description: d\n"
        b"Content-ID: <m@x>\nContent-Disposition: inline\nContent-Language: en\n"
        b"Content-Location: l\n\n--b\n\nx\n--b--\n",
        b'((%b 1 0 NIL NIL NIL NIL) "mixed" ("boundary" "b") ("inline" NIL) ("en") "l")'
        % PLAIN,
        "RFC 3501 §7.4.2: a multipart has no place for an id or a description",
    ),
    (
        b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\n--b\n\n\n--b\n--b--\n",
        b"(%b"
        b' "mixed" ("boundary" "b") NIL NIL NIL)'
        % (b"(%b 0 0 NIL NIL NIL NIL)" % PLAIN * 3),
        "parts of nothing",
    ),
    (
        b"Content-Type: text/plain; charset=utf-8\n"
        b"Content-Transfer-Encoding: quoted-printable\n\na=\nb=C3=A9\n",
        b'("text" "plain" ("charset" "utf-8") NIL NIL "quoted-printable" 13 2 '
        b"NIL NIL NIL NIL)",
        "RFC 3501 §7.4.2: octets and lines are those of the encoded body",
    ),
    (
        b"Content-Transfer-Encoding: (c) BASE64 (d)\nContent-Language: (c) en , de\n\n",
        b'("text" "plain" ("charset" "us-ascii") NIL NIL "base64" 0 0 '
        b'NIL NIL ("en" "de") NIL)',
        "comments in other fields (RFC 2045 §6.1)",
    ),
    (
        b"Content-Type: text/html\nContent-Type: image/gif\n\nx",
        b'("text" "html" ("charset" "us-ascii") NIL NIL "7bit" 1 0 NIL NIL NIL NIL)',
        "of two types the first counts",
    ),
    (
        b"Content-Disposition: attachment;\n"
        b' modification-date="Wed, 12 Feb 1997 16:29:51 -0500";\n size=7\n\n',
        b'(%b 0 0 NIL ("attachment" ("modification-date" '
        b'"Wed, 12 Feb 1997 16:29:51 -0500" "size" "7")) NIL NIL)' % PLAIN,
        "what a disposition tells of a file",
    ),
]
