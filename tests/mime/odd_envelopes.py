"""Headers with the ENVELOPE that the RFCs give them, written by hand.

A row: octets with LF for CRLF, the list, the reason.
"""

ABC = b'(("Ann" NIL "a" "b"))'
ENVELOPES = [
    (
        b"Date: 1 Jan 2026 00:00:00 +0000\nSubject: Hello\nFrom: Ann <a@b>\n"
        b"Sender: s@b\nReply-To: r@b\nTo: c@d, e@f\nCc: g@h\nBcc: i@j\n"
        b"In-Reply-To: <1@b>\nMessage-ID: <2@b>\n\n",
        b'("1 Jan 2026 00:00:00 +0000" "Hello" %b ((NIL NIL "s" "b")) '
        b'((NIL NIL "r" "b")) ((NIL NIL "c" "d")(NIL NIL "e" "f")) '
        b'((NIL NIL "g" "h")) ((NIL NIL "i" "j")) "<1@b>" "<2@b>")' % ABC,
        "every member",
    ),
    (b"", b"(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)", "nothing"),
    (
        b"From: Ann <a@b>\nSender:\nReply-To: \n\n",
        b"(NIL NIL %b %b %b NIL NIL NIL NIL NIL)" % (ABC, ABC, ABC),
        "an empty Sender or Reply-To is as the From",
    ),
    (
        b"Date:\nSubject:\nFrom:\nTo:\nIn-Reply-To:\nMessage-ID:\n\n",
        b'("" "" NIL NIL NIL NIL NIL NIL "" "")',
        "present but empty",
    ),
    (
        b'Subject: say "hi" \\o/\n\n',
        rb'(NIL "say \"hi\" \\o/" NIL NIL NIL NIL NIL NIL NIL NIL)',
        "quotes and backslashes",
    ),
    (
        b"Subject: \xc3\xa9\n\n",
        b"(NIL {2}\r\n\xc3\xa9 NIL NIL NIL NIL NIL NIL NIL NIL)",
        "8-bit goes in a literal",
    ),
    (
        b"Subject: a\0b\n\n",
        b"(NIL {5}\r\na\xef\xbf\xbdb NIL NIL NIL NIL NIL NIL NIL NIL)",
        "NUL has no form in IMAP",
    ),
    (
        b"Subject: =?utf-8?q?a?=\n\t=?utf-8?q?b?=\n\n",
        b'(NIL "=?utf-8?q?a?= =?utf-8?q?b?=" NIL NIL NIL NIL NIL NIL NIL NIL)',
        "encoded words as they stand, on one line",
    ),
    (
        b"To: G: a@b;\nCc: undisclosed-recipients:;\n\n",
        b'(NIL NIL NIL NIL NIL ((NIL NIL "G" NIL)(NIL NIL "a" "b")(NIL NIL NIL NIL)) '
        b'((NIL NIL "undisclosed-recipients" NIL)(NIL NIL NIL NIL)) NIL NIL NIL)',
        "groups",
    ),
    (
        b"From: <@r,@s:a@b>\n\n",
        b"(NIL NIL "
        + b" ".join([b'((NIL "@r,@s" "a" "b"))'] * 3)
        + b" NIL NIL NIL NIL NIL)",
        "a source route",
    ),
    (
        b"Subject: first\nSUBJECT: second\nTo: a@b\nTo: c@d\n\n",
        b'(NIL "first" NIL NIL NIL ((NIL NIL "a" "b")(NIL NIL "c" "d")) '
        b"NIL NIL NIL NIL)",
        "repeated fields: addresses are joined, of others the first counts",
    ),
    (
        b"From: =?iso-8859-1?q?Keld_J=F8rn?= <k@b>\nTo: =?utf-8?b?w6k=?=\n <c@d>\n\n",
        b"(NIL NIL "
        + b" ".join([b'(("=?iso-8859-1?q?Keld_J=F8rn?=" NIL "k" "b"))'] * 3)
        + b' (("=?utf-8?b?w6k=?=" NIL "c" "d")) NIL NIL NIL NIL)',
        "RFC 2047 §5: encoded words in names stay as they are, folded or not",
    ),
    (
        b'From: "Public, John \\"Q\\"" <a@b>\n\n',
        b"(NIL NIL "
        + b" ".join([rb'(("Public, John \"Q\"" NIL "a" "b"))'] * 3)
        + b" NIL NIL NIL NIL NIL)",
        "RFC 5322 §3.2.4: a quoted name without its quotes, escaped for IMAP",
    ),
    (
        b"To: A Group(Some people)\n     :Chris Jones <c@(his host.)public.example>,\n"
        b"     joe@example.org,\n     John <jdoe@one.test> (my dear friend);\n\n",
        b'(NIL NIL NIL NIL NIL ((NIL NIL "A Group" NIL)'
        b'("Chris Jones" NIL "c" "public.example")(NIL NIL "joe" "example.org")'
        b'("John" NIL "jdoe" "one.test")(NIL NIL NIL NIL)) NIL NIL NIL NIL)',
        "RFC 5322 appendix A.5: white space and comments anywhere",
    ),
    (
        b"From: Mary Smith <@node.test:mary@example.net>, , jdoe@test  . example\n\n",
        b"(NIL NIL "
        + b" ".join(
            [
                b'(("Mary Smith" "@node.test" "mary" "example.net")'
                b'(NIL NIL "jdoe" "test.example"))'
            ]
            * 3
        )
        + b" NIL NIL NIL NIL NIL)",
        "RFC 5322 appendix A.6.1 and A.6.3: obsolete routes, empty members, spaces",
    ),
    (
        b"To: A:b@c;, d@e, F: G <h@i>, j@k;\nBcc: X:;, Y:;\n\n",
        b'(NIL NIL NIL NIL NIL ((NIL NIL "A" NIL)(NIL NIL "b" "c")(NIL NIL NIL NIL)'
        b'(NIL NIL "d" "e")(NIL NIL "F" NIL)("G" NIL "h" "i")(NIL NIL "j" "k")'
        b'(NIL NIL NIL NIL)) NIL ((NIL NIL "X" NIL)(NIL NIL NIL NIL)'
        b'(NIL NIL "Y" NIL)(NIL NIL NIL NIL)) NIL NIL)',
        "groups between addresses, and empty ones",
    ),
    (
        b'From: a@[127.0.0.1]\nSender: "a b"@c\nReply-To: a.b.c@[IPv6:::1]\n\n',
        b'(NIL NIL ((NIL NIL "a" "[127.0.0.1]")) ((NIL NIL "a b" "c")) '
        b'((NIL NIL "a.b.c" "[IPv6:::1]")) NIL NIL NIL NIL NIL)',
        "address literals, and a local part without its quotes",
    ),
    (
        b"Subject:no space\nDate:1 Jan 2026\n\n",
        b'("1 Jan 2026" "no space" NIL NIL NIL NIL NIL NIL NIL NIL)',
        "RFC 5322 §2.2: the colon ends the name, a space need not follow",
    ),
    (
        b"Subject : x\nTo : a@b\n\n",
        b'(NIL "x" NIL NIL NIL ((NIL NIL "a" "b")) NIL NIL NIL NIL)',
        "RFC 5322 §4.5: white space before the colon, as it once was allowed",
    ),
    (
        b"SUBJECT: x\nfrom: a@b\ndAtE: d\n\n",
        b'("d" "x" '
        + b" ".join([b'((NIL NIL "a" "b"))'] * 3)
        + b" NIL NIL NIL NIL NIL)",
        "names in any case",
    ),
    (
        b"Subject: This\n is a test\nReferences: <no@member>\n\n",
        b'(NIL "This is a test" NIL NIL NIL NIL NIL NIL NIL NIL)',
        "RFC 5322 §2.2.3: unfolded",
    ),
    (
        b"In-Reply-To: <1@a>\n <2@b>\n\t<3@c>\nMessage-ID:\n <4@d>\n\n",
        b'(NIL NIL NIL NIL NIL NIL NIL NIL "<1@a> <2@b> <3@c>" "<4@d>")',
        "folded ids, one right behind the colon",
    ),
    (
        b"Resent-From: r@b\nResent-To: s@b\nFrom: a@b\n\n",
        b"(NIL NIL "
        + b" ".join([b'((NIL NIL "a" "b"))'] * 3)
        + b" NIL NIL NIL NIL NIL)",
        "RFC 3501 §7.4.2: resent fields are no part of it",
    ),
    (
        b"Subject: first line\nbroken line without a colon\nTo: a@b\n\n",
        b'(NIL "first line" NIL NIL NIL ((NIL NIL "a" "b")) NIL NIL NIL NIL)',
        "a line that is no field ends nothing",
    ),
    (
        b"From a@b Thu Jan  1 00:00:00 2026\nSubject: x\n\n",
        b'(NIL "x" NIL NIL NIL NIL NIL NIL NIL NIL)',
        "a From_ line of an mbox is no field",
    ),
    (
        b"Subject: {10}\nDate: NIL\n\n",
        b'("NIL" "{10}" NIL NIL NIL NIL NIL NIL NIL NIL)',
        "what looks like IMAP is a string",
    ),
    (
        b"Date: Thu, 1 Jan 2026\n 12:00:00 +0000 (a comment)\n\n",
        b'("Thu, 1 Jan 2026 12:00:00 +0000 (a comment)" '
        b"NIL NIL NIL NIL NIL NIL NIL NIL NIL)",
        "the Date as it stands, comments too",
    ),
    (
        b"Cc: (nobody)\nBcc: ,\nTo: <>\n\n",
        b"(NIL NIL NIL NIL NIL "
        b'((NIL NIL "MISSING_MAILBOX" "MISSING_DOMAIN")) NIL NIL NIL NIL)',
        "lists of nothing are NIL",
    ),
    (
        b"From: \xc3\x89ric <\xc3\xa9@b>\n\n",
        b"(NIL NIL "
        + b" ".join([b'(({5}\r\n\xc3\x89ric NIL {2}\r\n\xc3\xa9 "b"))'] * 3)
        + b" NIL NIL NIL NIL NIL)",
        "8-bit names and local parts (RFC 6532) as they stand",
    ),
]
