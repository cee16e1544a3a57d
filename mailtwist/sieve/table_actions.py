"""The table's extensions of actions, variables and the flow of a script."""

from __future__ import annotations

from .signature import (
    Extension,
    Kind,
    Parameter,
    Signature,
    TagParameter,
    of_copies,
)

NUMBER, STRING, STRINGS = Kind.NUMBER, Kind.STRING, Kind.STRINGS
_FLAGS = TagParameter("flags", STRINGS)
_VARIABLE = Parameter("variable", STRING, "variable", optional=True)
_REASON = Parameter("reason", STRING)
MODIFIERS = (  # RFC 5229 §4.1: of each precedence one, the highest first
    TagParameter("lower", group="case"),
    TagParameter("upper", group="case"),
    TagParameter("lowerfirst", group="first"),
    TagParameter("upperfirst", group="first"),
    TagParameter("quotewildcard", group="quote"),
    TagParameter("length"),
)


def _flag_action(name: str) -> Signature:
    return Signature(name, (_VARIABLE, Parameter("flags", STRINGS)))


ACTIONS = (
    Extension(
        "copy",
        3894,
        "Actions beside the keep",
        adds=tuple(
            (name, (TagParameter("copy"),)) for name in ("fileinto", "redirect")
        ),
    ),
    Extension(
        "editheader",
        5293,
        "Fields added and deleted",
        (
            Signature(
                "addheader",
                (Parameter("field", STRING, "field"), Parameter("value", STRING)),
                (TagParameter("last"),),
            ),
            Signature(
                "deleteheader",
                (
                    Parameter("field", STRING, "field"),
                    Parameter("keys", STRINGS, optional=True),
                ),
                (
                    TagParameter("index", NUMBER, role="index"),
                    TagParameter("last", needs="index"),
                ),
                matching=True,
            ),
        ),
    ),
    Extension("encoded-character", 5228, "Characters by their number in strings"),
    Extension(
        "enotify",
        5435,
        "Notifications, by mailto: (RFC 5436)",
        (
            Signature(
                "notify",
                (Parameter("method", STRING),),
                (
                    TagParameter("from", STRING),
                    TagParameter("importance", STRING, role="importance"),
                    TagParameter("options", STRINGS),
                    TagParameter("message", STRING),
                ),
            ),
            Signature("valid_notify_method", (Parameter("uris", STRINGS),), test=True),
            Signature(
                "notify_method_capability",
                (
                    Parameter("uri", STRING),
                    Parameter("capability", STRING),
                    Parameter("keys", STRINGS),
                ),
                matching=True,
                test=True,
            ),
        ),
        (("set", (TagParameter("encodeurl"),)),),
    ),
    Extension(
        "ereject",
        5429,
        "Refusing a message, in SMTP where it can be",
        (Signature("ereject", (_REASON,)),),
    ),
    Extension(
        "fcc",
        8580,
        "Copies of what a script sends",
        adds=of_copies(TagParameter("fcc", STRING, role="mailbox")),
    ),
    Extension(
        "fileinto",
        5228,
        "Mail into mailboxes",
        (Signature("fileinto", (Parameter("mailbox", STRING, "mailbox"),)),),
    ),
    Extension(
        "imap4flags",
        5232,
        "Flags for what is kept",
        (
            *map(_flag_action, ("setflag", "addflag", "removeflag")),
            Signature(
                "hasflag",
                (
                    Parameter("variables", STRINGS, "variable", optional=True),
                    Parameter("keys", STRINGS),
                ),
                matching=True,
                test=True,
            ),
        ),
        (
            ("keep", (_FLAGS,)),
            ("fileinto", (_FLAGS,)),
            *of_copies(TagParameter("flags", STRINGS, needs="fcc")),
        ),
    ),
    Extension(
        "include",
        6609,
        "Scripts in scripts",
        (
            Signature(
                "include",
                (Parameter("script", STRING, "script", constant=True),),
                (
                    TagParameter("personal", group="location"),
                    TagParameter("global", group="location"),
                    TagParameter("once"),
                    TagParameter("optional"),
                ),
            ),
            Signature("return"),
            Signature(
                "global", (Parameter("names", STRINGS, "variable", constant=True),)
            ),
        ),
    ),
    Extension(
        "redirect-deliverby",
        6009,
        "Redirects that are in a hurry",
        adds=(
            (
                "redirect",
                (
                    TagParameter("bytimerelative", NUMBER, "by"),
                    TagParameter("bytimeabsolute", STRING, "by", "moment"),
                    TagParameter("bymode", STRING, role="by mode"),
                    TagParameter("bytrace"),
                ),
            ),
        ),
    ),
    Extension(
        "redirect-dsn",
        6009,
        "Redirects that ask for reports",
        adds=(
            (
                "redirect",
                (
                    TagParameter("notify", STRING, role="dsn notify"),
                    TagParameter("ret", STRING, role="dsn ret"),
                ),
            ),
        ),
    ),
    Extension(
        "reject",
        5429,
        "Refusing a message, by a notice where it must be",
        (Signature("reject", (_REASON,)),),
    ),
    Extension(
        "vacation",
        5230,
        "Answering while away",
        (
            Signature(
                "vacation",
                (_REASON,),
                (
                    TagParameter("days", NUMBER, "period"),
                    TagParameter("subject", STRING),
                    TagParameter("from", STRING, role="address"),
                    TagParameter("addresses", STRINGS),
                    TagParameter("mime"),
                    TagParameter("handle", STRING),
                ),
            ),
        ),
    ),
    Extension(
        "vacation-seconds",
        6131,
        "Answering while away, by seconds",
        adds=(("vacation", (TagParameter("seconds", NUMBER, "period"),)),),
    ),
    Extension(
        "variables",
        5229,
        "Values kept by name",
        (
            Signature(
                "set",
                (
                    Parameter("name", STRING, "variable", constant=True),
                    Parameter("value", STRING),
                ),
                MODIFIERS,
            ),
            Signature(
                "string",
                (Parameter("sources", STRINGS), Parameter("keys", STRINGS)),
                matching=True,
                test=True,
            ),
        ),
    ),
)
