"""The table of Sieve: every command, test and tag, and the extension it comes with.

The checker, the capability of ManageSieve and the page of the documentation are made
from it.
"""

from __future__ import annotations

from .signature import (
    MATCHING,
    Extension,
    Kind,
    Parameter,
    Signature,
    TagParameter,
    Tests,
)
from .table_actions import ACTIONS
from .table_parts import PARTS
from .table_tests import TESTS

NUMBER, STRING, STRINGS = Kind.NUMBER, Kind.STRING, Kind.STRINGS

_MATCH = tuple(TagParameter(n, group="match") for n in ("is", "contains", "matches"))
_COMPARATOR = TagParameter("comparator", STRING, role="comparator", constant=True)
_KEYS = Parameter("keys", STRINGS)
_HEADERS = Parameter("headers", STRINGS)
_PARTS = tuple(TagParameter(n, group="part") for n in ("localpart", "domain", "all"))

BASE = Extension(
    "",
    5228,
    "The base language",
    (
        Signature("require", (Parameter("extensions", STRINGS, constant=True),)),
        Signature("if", tests=Tests.ONE, block=True),
        Signature("elsif", tests=Tests.ONE, block=True),
        Signature("else", block=True),
        Signature("stop"),
        Signature("keep"),
        Signature("discard"),
        Signature("redirect", (Parameter("address", STRING, role="address"),)),
        Signature("address", (_HEADERS, _KEYS), _PARTS, matching=True, test=True),
        Signature("allof", test=True, tests=Tests.LIST),
        Signature("anyof", test=True, tests=Tests.LIST),
        Signature("exists", (_HEADERS,), test=True),
        Signature("false", test=True),
        Signature("header", (_HEADERS, _KEYS), matching=True, test=True),
        Signature("not", test=True, tests=Tests.ONE),
        Signature(
            "size",
            (Parameter("limit", NUMBER),),
            tuple(TagParameter(n, group="limit") for n in ("over", "under")),
            ("limit",),
            test=True,
        ),
        Signature("true", test=True),
    ),
)

COMPARATORS = tuple(
    Extension(f"comparator-{name}", rfc, does)
    for name, rfc, does in (
        ("i;octet", 4790, "Strings compared by their octets"),
        ("i;ascii-casemap", 4790, "Strings compared without case in ASCII"),
        ("i;ascii-numeric", 4790, "Numbers at the start of strings compared"),
        ("i;unicode-casemap", 5051, "Strings compared without case in any script"),
    )
)

EXTENSIONS: dict[str, Extension] = {
    each.name: each
    for each in sorted(
        (*COMPARATORS, *TESTS, *ACTIONS, *PARTS), key=lambda each: each.name
    )
}


def _signatures() -> dict[str, tuple[Signature, frozenset[str]]]:
    found: dict[str, tuple[Signature, frozenset[str]]] = {}
    for extension in (BASE, *EXTENSIONS.values()):
        for signature in extension.signatures:
            _, names = found.get(signature.name, (signature, frozenset()))
            found[signature.name] = (signature, names | {extension.name})
    return found


def _tags() -> dict[str, dict[str, tuple[TagParameter, str]]]:
    found: dict[str, dict[str, tuple[TagParameter, str]]] = {}
    for name, (signature, _) in SIGNATURES.items():
        own = (*signature.tags, *((*_MATCH, _COMPARATOR) if signature.matching else ()))
        tags = {tag.name: (tag, "") for tag in own}
        for extension in EXTENSIONS.values():
            for target, added in extension.adds:
                if target == name or (target == MATCHING and signature.matching):
                    tags |= {tag.name: (tag, extension.name) for tag in added}
        found[name] = tags
    return found


# Name -> what it takes, and the extensions of which any one brings it ("" is the base).
SIGNATURES = _signatures()
# Command -> tag -> what it takes, and the extension it comes from ("" if none).
TAGS = _tags()
# RFC 6785 §3.11: not for messages that were delivered before.
OF_DELIVERY = frozenset({"ereject", "reject", "vacation", "vacation-seconds"})
# RFC 5228 §2.7.3: these need no require.
BUILT_IN = frozenset({"comparator-i;octet", "comparator-i;ascii-casemap"})
