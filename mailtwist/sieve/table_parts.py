"""The table's extensions that walk through a message's parts (RFC 5703)."""

from __future__ import annotations

from .signature import Extension, Kind, Parameter, Signature, TagParameter
from .table_actions import MODIFIERS

_NAME = TagParameter("name", Kind.STRING, constant=True)

PARTS = (
    Extension(
        "enclose",
        5703,
        "The message put into another",
        (
            Signature(
                "enclose",
                (Parameter("text", Kind.STRING),),
                (
                    TagParameter("subject", Kind.STRING),
                    TagParameter("headers", Kind.STRINGS),
                ),
            ),
        ),
    ),
    Extension(
        "extracttext",
        5703,
        "The text of a part as a variable",
        (
            Signature(
                "extracttext",
                (Parameter("name", Kind.STRING, "variable", constant=True),),
                (*MODIFIERS, TagParameter("first", Kind.NUMBER)),
            ),
        ),
    ),
    Extension(
        "foreverypart",
        5703,
        "A block for each part",
        (
            Signature("foreverypart", tags=(_NAME,), block=True),
            Signature("break", tags=(_NAME,)),
        ),
    ),
    Extension(
        "replace",
        5703,
        "Parts replaced by text",
        (
            Signature(
                "replace",
                (Parameter("text", Kind.STRING),),
                (
                    TagParameter("mime"),
                    TagParameter("subject", Kind.STRING),
                    TagParameter("from", Kind.STRING, role="address"),
                ),
            ),
        ),
    ),
)
