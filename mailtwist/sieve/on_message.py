"""Tests on the message: header, address, exists, size, body (RFC 5228 §5, RFC 5173,
RFC 5260 §6, RFC 5703 §4)."""

from __future__ import annotations

from ..mime.compose import octets_of
from ..mime.parameters import content_type, decoded_parameter, disposition
from ..mime.part import Part
from .compiled import Call
from .faults import Place
from .message import Header, address_parts
from .part_text import body_octets, text_of
from .questions import Asking
from .state import Run

# RFC 5228 §5.1: fields with addresses; no other is looked at for any.
ADDRESS_FIELDS = frozenset(
    (
        *(b"from", b"to", b"cc", b"bcc", b"sender", b"reply-to", b"return-path"),
        *(b"resent-from", b"resent-to", b"resent-cc", b"resent-bcc"),
        *(b"resent-sender", b"resent-reply-to", b"delivered-to", b"envelope-to"),
        *(b"x-original-to", b"apparently-to", b"errors-to", b"mail-reply-to"),
        *(b"mail-followup-to", b"disposition-notification-to", b"list-post"),
    )
)


def name_of(text: str) -> bytes:
    """A field name to compare with; what is none fits nothing (RFC 5228 §2.4.2.2)."""
    return octets_of(text).lower()


def headers(run: Run, call: Call) -> list[Header]:
    """The headers that a test looks at: those of :mime, else the message's."""
    if "mime" not in call.tags:
        return [run.message.header]
    part = run.parts[-1] if run.parts else run.message.root
    return [run.message.header_of(each) for each in tree(run, call, part)]


def tree(run: Run, call: Call, part: Part) -> list[Part]:
    """The part, with :anychild all in it too."""
    if "anychild" not in call.tags:
        return [part]
    found: list[Part] = []
    waiting = [part]
    while waiting and len(found) < run.limits.parts:
        found.append(waiting.pop())
        waiting.extend(reversed(found[-1].children))
    run.budget.spend(4 * len(found))
    return found


def indexed(call: Call, values: list[bytes]) -> list[bytes]:
    """The one that :index names (RFC 5260 §6)."""
    index = call.numbers.get("index")
    if index is None:
        return values
    if "last" in call.tags:
        values = values[::-1]
    return values[index - 1 : index]


def header(run: Run, call: Call) -> bool | Asking[bool]:
    found: list[str] = []
    names = [name_of(name) for name in run.some(call, "headers")]
    for each in headers(run, call):
        for name in names:
            found += _values(run, call, each, name)
    return run.matches(call, found)


def _values(run: Run, call: Call, header: Header, name: bytes) -> list[str]:
    options = call.tags & {"type", "subtype", "contenttype", "param"}
    if not options:
        texts = header.texts(name)
        index = call.numbers.get("index")
        if index is not None:
            texts = (texts[::-1] if "last" in call.tags else texts)[index - 1 : index]
        return texts
    found: list[str] = []
    for raw in indexed(call, header.raw(name)):
        found += _part_of_value(run, call, name, raw)
    return found


def _part_of_value(run: Run, call: Call, name: bytes, raw: bytes) -> list[str]:
    """What the options of :mime want of a value (RFC 5703 §4.2)."""
    if name == b"content-type":
        typed = content_type(raw)
        if typed is None:
            return []
        first, second, parameters = typed
    else:
        disposed = disposition(raw)
        if disposed is None:
            return []
        first, second, parameters = disposed[0], b"", disposed[1]
    if "param" in call.tags:
        wanted = [name_of(each) for each in run.some(call, "param")]
        found = [decoded_parameter(parameters, each) for each in wanted]
        return [each for each in found if each is not None]
    if "type" in call.tags:
        return [first.decode("latin-1")]
    if "subtype" in call.tags:
        return [second.decode("latin-1")]
    whole = first + b"/" + second if second else first
    return [whole.decode("latin-1")]


def address(run: Run, call: Call) -> bool | Asking[bool]:
    values: list[str] = []
    names = [name_of(name) for name in run.some(call, "headers")]
    for each in headers(run, call):
        for name in names:
            if name in ADDRESS_FIELDS:
                raw = indexed(call, each.raw(name))
                for local_part, domain in address_parts(raw):
                    values += address_text(run, call, local_part, domain)
    return run.matches(call, values)


def address_text(
    run: Run, call: Call, local_part: str, domain: str | None
) -> list[str]:
    """What the address part of a test sees of an address (RFC 5228 §2.7.4, RFC 5233);
    nothing of an address that has no such part."""
    if domain is None:  # not a valid one
        parts = {"localpart", "domain", "user", "detail"}
        return [] if call.tags & parts else [local_part]
    if "domain" in call.tags:
        return [domain]
    if "localpart" in call.tags:
        return [local_part]
    if "user" in call.tags or "detail" in call.tags:
        user, detail = _apart(local_part, run.circumstances.separators)
        if "user" in call.tags:
            return [user]
        return [] if detail is None else [detail]
    return [f"{local_part}@{domain}"]


def _apart(local_part: str, separators: str) -> tuple[str, str | None]:
    """(user, detail); None without a separator."""
    places = [local_part.find(one, 1) for one in separators]
    places = [at for at in places if at > 0]
    if not places:
        return local_part, None
    at = min(places)
    return local_part[:at], local_part[at + 1 :]


def exists(run: Run, call: Call) -> bool:
    there = {name for each in headers(run, call) for name, _ in each.fields}
    names = [name_of(name) for name in run.some(call, "headers")]
    return all(name and name in there for name in names)


def size(run: Run, call: Call) -> bool:
    limit = call.numbers["limit"]
    return run.message.size > limit if "over" in call.tags else run.message.size < limit


def body(run: Run, call: Call) -> bool | Asking[bool]:
    """RFC 5173; §6: wildcards leave ${1} alone."""
    root = run.message.root
    if "raw" in call.tags:
        octets = body_octets(run, root)
        run.budget.spend(len(octets) // 256)
        return run.matches(
            call, [octets.decode("utf-8", "surrogateescape")], keep=False
        )
    wanted = None
    if "content" in call.tags:
        wanted = [kind.lower() for kind in run.some(call, "content")]
    values = []
    for part in tree(run, _ALL, root):
        if wanted is None:
            if part.media_type == "text":
                values.append(text_of(run, part))
        elif any(_is_of(part, kind) for kind in wanted):
            values += _content(run, part)
    return run.matches(call, values, keep=False)


_ALL = Call("body", Place(1, 1), frozenset({"anychild"}))


def _is_of(part: Part, kind: str) -> bool:
    """RFC 5173 §5.2: "" for all, "text" for a whole type, "text/html" for one."""
    if not kind:
        return True
    if kind.startswith("/") or kind.endswith("/") or kind.count("/") > 1:
        return False
    return kind in (part.media_type, f"{part.media_type}/{part.subtype}")


def _content(run: Run, part: Part) -> list[str]:
    """What :content sees of a part: of a multipart what stands around its parts, of a
    message its header."""
    octets = run.message.octets
    if part.multipart:
        start, count = part.body
        first, last = part.children[0], part.children[-1]
        around = (
            octets[start : first.header[0]],
            octets[sum(last.body) : start + count],
        )
        return [each.decode("utf-8", "surrogateescape") for each in around]
    if part.encapsulates:
        start, count = part.children[0].header
        run.budget.spend(1 + count // 64)
        return [octets[start : start + count].decode("utf-8", "surrogateescape")]
    return [text_of(run, part, shown=False)]


def _truth(run: Run, call: Call) -> bool:
    return call.name == "true"


TESTS = {
    "address": address,
    "body": body,
    "exists": exists,
    "false": _truth,
    "header": header,
    "size": size,
    "true": _truth,
}
