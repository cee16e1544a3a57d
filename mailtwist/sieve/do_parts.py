"""Parts of a message replaced, enclosed and read (RFC 5703 §5 to §7)."""

from __future__ import annotations

from functools import partial
from hashlib import blake2b

from ..mime.compose import field_of, octets_of, text_entity
from ..mime.header import fields
from ..mime.part import Part
from .check_values import ROLES
from .compiled import Call
from .do_variables import modified
from .part_text import text_of
from .state import Run


def _fits(run: Run, octets: bytes) -> bytes:
    """Raises ScriptFailed for more than a script may add."""
    if len(octets) > run.limits.message_octets:
        raise run.budget.fail("it adds too much to the message")
    run.budget.spend(len(octets) // 64)
    return octets


def replace(run: Run, call: Call) -> None:
    run.need_whole_header()
    text = run.one(call, "text")
    part = run.parts[-1] if run.parts else run.message.root
    if "mime" in call.tags:
        octets = octets_of(text)
        head, blank, body = octets.partition(b"\r\n\r\n")
        if not blank and octets.startswith(b"\r\n"):
            head, body = b"", octets[2:]
        names = [name for name, _ in fields(head)]
        if any(not name.lower().startswith(b"content-") for name in names):
            raise run.budget.fail("a replacement may have only fields of MIME")
        octets = (head + b"\r\n" if head else b"") + b"\r\n" + body
    else:
        octets = text_entity(text)
    run.message.replace(part, _fits(run, octets))
    if part is run.message.root:
        for name in ("subject", "from"):
            value = run.one(call, name)
            if value:
                wanted = name.encode()
                kept = [one for one in run.message.header.fields if one[0] != wanted]
                made = (wanted, field_of(name.capitalize(), value))
                run.message.edit([*kept, made])
    run.note(call.place, lambda: "replace")


def enclose(run: Run, call: Call) -> None:
    """The message becomes a part of another with the same fields (RFC 5703 §6).

    In a foreverypart that waits until its parts are through."""
    run.need_whole_header()
    fields_said = []
    if "subject" in call.tags:
        fields_said.append(("Subject", run.one(call, "subject")))
    for said in run.some(call, "headers"):
        name, colon, value = said.partition(":")
        if not colon or not ROLES["field"][0](name.strip()):
            raise run.budget.fail(f'"{said[:80]}" is not a header field')
        fields_said.append((name.strip(), value))
    text = text_entity(run.one(call, "text"))
    change = partial(_enclosed, run, fields_said, text)
    if run.parts:
        run.later.append(change)
    else:
        change()
    run.note(call.place, lambda: "enclose")


def _enclosed(run: Run, said: list[tuple[str, str]], text: bytes) -> None:
    inner = run.message.octets_now()
    names = {name.lower().encode() for name, _ in said}
    head = [
        raw
        for name, raw in run.message.header.fields
        if not name.startswith(b"content-")
        and name != b"mime-version"
        and name not in names
    ]
    head += [field_of(name, value) for name, value in said]
    boundary = b"=_enclosed_" + blake2b(inner, digest_size=16).hexdigest().encode()
    while boundary in inner or boundary in text:
        boundary += b"_"
    mixed = b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="%b"\r\n\r\n'
    wide = b"" if inner.isascii() else b"Content-Transfer-Encoding: 8bit\r\n"
    octets = b"".join(
        (
            *head,
            mixed % boundary,
            b"--%b\r\n%b\r\n" % (boundary, text),
            b"--%b\r\nContent-Type: message/rfc822\r\n%b\r\n" % (boundary, wide),
            inner,
            b"\r\n--%b--\r\n" % boundary,
        )
    )
    _fits(run, octets[: len(octets) - len(inner)])
    run.message.become(octets)


def extracttext(run: Run, call: Call) -> None:
    """The text of the part at hand (RFC 5703 §7)."""
    if not run.parts:
        raise run.budget.fail('"extracttext" outside of a "foreverypart"')
    part: Part = run.parts[-1]
    first = call.numbers.get("first", run.limits.variable_characters)
    most = min(first, run.limits.variable_characters)
    text = text_of(run, part, most)[:most]
    name = run.one(call, "name")
    run.set(name, modified(text, call.tags))
    run.note(call.place, lambda: f'extracttext to {name}: "{text[:100]}"')


COMMANDS = {"replace": replace, "enclose": enclose, "extracttext": extracttext}
