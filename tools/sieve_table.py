"""docs/sieve-extensions.md from the table of mailtwist.sieve.extensions."""

from mailtwist.sieve.extensions import BASE, EXTENSIONS
from mailtwist.sieve.signature import (
    MATCHING,
    Extension,
    Signature,
    TagParameter,
    Tests,
)

HEAD = """# Sieve extensions

What a script may `require`, and what that brings.  Printed from the table that the
checker works by, by `make docs`.  Tests marked `MATCH` take `:is`, `:contains`,
`:matches`, `:comparator` and what other extensions add to them; their default
comparator is `i;ascii-casemap`.

| extension | RFC | does | commands and tests | tags for others |
| --- | --- | --- | --- | --- |
"""


def page() -> str:
    rows = [_row(each) for each in (BASE, *EXTENSIONS.values())]
    return HEAD + "".join(rows)


def _row(extension: Extension) -> str:
    name = f"`{extension.name}`" if extension.name else "(none)"
    rfc = str(extension.rfc) if extension.rfc else "draft"
    commands = "<br>".join(f"`{_usage(each)}`" for each in extension.signatures)
    adds = "<br>".join(
        f"{'MATCH' if target == MATCHING else target}: "
        + " ".join(f"`{_tag(tag)}`" for tag in tags)
        for target, tags in extension.adds
    )
    return f"| {name} | {rfc} | {extension.does} | {commands} | {adds} |\n"


def _usage(signature: Signature) -> str:
    words = [signature.name, *(f"[{_tag(tag)}]" for tag in signature.tags)]
    if signature.matching:
        words.append("MATCH")
    for each in signature.parameters:
        word = f"<{each.name}: {each.kind.value}>"
        words.append(f"[{word}]" if each.optional else word)
    if signature.tests is not Tests.NONE:
        words.append(f"<{signature.tests.value}>")
    if signature.block:
        words.append("{...}")
    return " ".join(words)


def _tag(tag: TagParameter) -> str:
    return f":{tag.name} <{tag.value.value}>" if tag.value else f":{tag.name}"
