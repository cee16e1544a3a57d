"""The table's extensions of tests and of how strings are compared."""

from __future__ import annotations

from .signature import (
    MATCHING,
    Extension,
    Kind,
    Parameter,
    Signature,
    TagParameter,
    of_copies,
)

NUMBER, STRING, STRINGS = Kind.NUMBER, Kind.STRING, Kind.STRINGS
_KEYS = Parameter("keys", STRINGS)
_ZONE = TagParameter("zone", STRING, "zone", "zone")
_PART = Parameter("part", STRING, "date part")
_SPAM = Signature(
    "spamtest",
    (Parameter("key", STRING),),
    (TagParameter("percent"),),
    matching=True,
    test=True,
)
_INDEX = (
    TagParameter("index", NUMBER, role="index"),
    TagParameter("last", needs="index"),
)
_MIME = (TagParameter("mime"), TagParameter("anychild", needs="mime"))
_MIME_OPTIONS = (
    *(
        TagParameter(name, group="option", needs="mime")
        for name in ("type", "subtype", "contenttype")
    ),
    TagParameter("param", STRINGS, "option", needs="mime"),
)

TESTS = (
    Extension(
        "body",
        5173,
        "The body tested",
        (
            Signature(
                "body",
                (_KEYS,),
                (
                    TagParameter("raw", group="transform"),
                    TagParameter("text", group="transform"),
                    TagParameter("content", STRINGS, "transform"),
                ),
                matching=True,
                test=True,
            ),
        ),
    ),
    Extension(
        "date",
        5260,
        "Dates of the message and of now tested",
        (
            Signature(
                "date",
                (Parameter("header", STRING), _PART, _KEYS),
                (_ZONE, TagParameter("originalzone", group="zone")),
                matching=True,
                test=True,
            ),
            Signature(
                "currentdate", (_PART, _KEYS), (_ZONE,), matching=True, test=True
            ),
        ),
    ),
    Extension(
        "duplicate",
        7352,
        "Messages that came before",
        (
            Signature(
                "duplicate",
                tags=(
                    TagParameter("handle", STRING),
                    TagParameter("header", STRING, "id"),
                    TagParameter("uniqueid", STRING, "id"),
                    TagParameter("seconds", NUMBER),
                    TagParameter("last"),
                ),
                test=True,
            ),
        ),
    ),
    Extension(
        "envelope",
        5228,
        "The addresses of SMTP tested",
        (
            Signature(
                "envelope",
                (Parameter("parts", STRINGS, "envelope part"), _KEYS),
                tuple(
                    TagParameter(n, group="part")
                    for n in ("localpart", "domain", "all")
                ),
                matching=True,
                test=True,
            ),
        ),
    ),
    Extension("envelope-deliverby", 6009, "What DELIVERBY asked for tested"),
    Extension("envelope-dsn", 6009, "What DSN asked for tested"),
    Extension(
        "environment",
        5183,
        "Where the script runs",
        (
            Signature(
                "environment",
                (Parameter("name", STRING), _KEYS),
                matching=True,
                test=True,
            ),
        ),
    ),
    Extension(
        "extlists",
        6134,
        "Lists kept outside of scripts",
        (Signature("valid_ext_list", (Parameter("lists", STRINGS),), test=True),),
        (
            (MATCHING, (TagParameter("list", group="match"),)),
            ("redirect", (TagParameter("list"),)),
        ),
    ),
    Extension(
        "ihave",
        5463,
        "Scripts that ask what there is",
        (
            Signature(
                "ihave",
                (Parameter("extensions", STRINGS, constant=True),),
                test=True,
            ),
            Signature("error", (Parameter("message", STRING),)),
        ),
    ),
    Extension("imapsieve", 6785, "Scripts for what IMAP clients do"),
    Extension(
        "index",
        5260,
        "One of several fields of a name",
        adds=(("header", _INDEX), ("address", _INDEX), ("date", _INDEX)),
    ),
    Extension(
        "mailbox",
        5490,
        "Mailboxes tested and created",
        (Signature("mailboxexists", (Parameter("mailboxes", STRINGS),), test=True),),
        (
            ("fileinto", (TagParameter("create"),)),
            *of_copies(TagParameter("create", needs="fcc")),
        ),
    ),
    Extension(
        "mailboxid",
        9042,
        "Mailboxes by their object id",
        (Signature("mailboxidexists", (Parameter("ids", STRINGS),), test=True),),
        (
            ("fileinto", (TagParameter("mailboxid", STRING, "place"),)),
            *of_copies(TagParameter("mailboxid", STRING, "place", needs="fcc")),
        ),
    ),
    Extension(
        "mboxmetadata",
        5490,
        "Annotations of mailboxes tested",
        (
            Signature(
                "metadata",
                (
                    Parameter("mailbox", STRING, "mailbox"),
                    Parameter("annotation", STRING),
                    _KEYS,
                ),
                matching=True,
                test=True,
            ),
            Signature(
                "metadataexists",
                (
                    Parameter("mailbox", STRING, "mailbox"),
                    Parameter("annotations", STRINGS),
                ),
                test=True,
            ),
        ),
    ),
    Extension(
        "mime",
        5703,
        "Fields of the message's parts tested",
        adds=(
            ("header", (*_MIME, *_MIME_OPTIONS)),
            ("address", _MIME),
            ("exists", _MIME),
        ),
    ),
    Extension(
        "regex",
        0,
        "Regular expressions",
        adds=(
            (MATCHING, (TagParameter("regex", group="match"),)),
            ("set", (TagParameter("quoteregex", group="quote"),)),
        ),
    ),
    Extension(
        "relational",
        5231,
        "Values counted and put in order",
        adds=(
            (
                MATCHING,
                tuple(
                    TagParameter(n, STRING, "match", "relation", constant=True)
                    for n in ("count", "value")
                ),
            ),
        ),
    ),
    Extension(
        "servermetadata",
        5490,
        "Annotations of the server tested",
        (
            Signature(
                "servermetadata",
                (Parameter("annotation", STRING), _KEYS),
                matching=True,
                test=True,
            ),
            Signature(
                "servermetadataexists", (Parameter("annotations", STRINGS),), test=True
            ),
        ),
    ),
    Extension("spamtest", 5235, "The verdict about spam tested", (_SPAM,)),
    Extension(
        "spamtestplus",
        5235,
        "The verdict about spam tested, in percent",
        (_SPAM,),
    ),
    Extension(
        "special-use",
        8579,
        "Mailboxes by their use",
        (
            Signature(
                "specialuse_exists",
                (
                    Parameter("mailbox", STRING, "mailbox", optional=True),
                    Parameter("uses", STRINGS),
                ),
                test=True,
            ),
        ),
        (
            ("fileinto", (TagParameter("specialuse", STRING, "place"),)),
            *of_copies(TagParameter("specialuse", STRING, "place", needs="fcc")),
        ),
    ),
    Extension(
        "subaddress",
        5233,
        "User and detail of an address",
        adds=tuple(
            (test, tuple(TagParameter(n, group="part") for n in ("user", "detail")))
            for test in ("address", "envelope")
        ),
    ),
    Extension(
        "virustest",
        5235,
        "The verdict about viruses tested",
        (
            Signature(
                "virustest", (Parameter("key", STRING),), matching=True, test=True
            ),
        ),
    ),
)
