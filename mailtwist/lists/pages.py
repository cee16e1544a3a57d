"""The web pages that links in mail lead to, as a function: whoever listens mounts it.

    GET  URL/u/TOKEN   asks whether to leave the list
    POST URL/u/TOKEN   leaves it, one click (RFC 8058 §3.1)
    GET  URL/c/TOKEN   shows what waits for an answer
    POST URL/c/TOKEN   answers: `verdict` is what a moderator decides

GET changes nothing, as programs that look at mail follow its links.  The token alone
says who asks: no cookie is read or set, and nothing is ever redirected.
"""

from __future__ import annotations

from html import escape
from typing import Protocol
from urllib.parse import parse_qs

from attrs import frozen

from ..errors import MailError
from .model import MailingList, Member, Pending

MOST_BODY = 64 * 1024  # octets of a form; who mounts this reads no more
VERDICTS = ("accept", "reject", "discard")

_HEADERS = (
    ("Content-Type", "text/html; charset=utf-8"),
    ("Cache-Control", "no-store"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Robots-Tag", "noindex"),
    ("X-Content-Type-Options", "nosniff"),
    (
        "Content-Security-Policy",
        "default-src 'none'; form-action 'self'; frame-ancestors 'none'",
    ),
)
_QUESTIONS = {
    "subscribe": "Put {address} on {list}?",
    "unsubscribe": "Take {address} off {list}?",
    "admit": "Let {address} join {list}?",
    "post": "A post of {address} to {list} waits: {subject}",
}


class IAnswers(Protocol):
    """What the pages ask of the desk; raises NoSuchUser for a token that is over."""

    async def link_names(self, token: str) -> tuple[MailingList, Member]:
        """Whose link that is."""

    async def unsubscribed(self, token: str) -> str:
        """That member leaves; what to tell."""

    async def waits(self, token: str) -> tuple[MailingList, Pending]:
        """What waits for that token."""

    async def confirmed(self, token: str, verdict: str = "", reason: str = "") -> str:
        """It is answered; what to tell."""


@frozen
class Request:
    """`path` is what stands behind `lists.url`; `body` a form's octets."""

    method: str
    path: str
    body: bytes = b""


@frozen
class Response:
    """`status` of HTTP; `headers` as (name, value)."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = _HEADERS


async def answer(request: Request, desk: IAnswers) -> Response:
    """Raises nothing but what is no MailError."""
    kind, _, token = request.path.strip("/").partition("/")
    if kind not in ("u", "c") or not token or not token.isalnum():
        return _page(404, "There is no such page.")
    if request.method not in ("GET", "HEAD", "POST"):
        allow = (*_HEADERS, ("Allow", "GET, HEAD, POST"))
        return Response(405, b"", allow)
    try:
        told = await _answered(kind, token.lower(), request, desk)
    except MailError as fault:
        status = 503 if fault.temporary else 404
        return _page(status, f"{fault.public}.")
    return told


async def _answered(
    kind: str, token: str, request: Request, desk: IAnswers
) -> Response:
    posts = request.method == "POST"
    if kind == "u":
        if posts:
            return _page(200, await desk.unsubscribed(token))
        mailing_list, member = await desk.link_names(token)
        question = f"Take {member.address} off {mailing_list.address}?"
        return _page(200, question, _button("Unsubscribe"))
    mailing_list, pending = await desk.waits(token)
    known = _QUESTIONS.get(pending.kind)
    if known is None:
        return _page(404, "There is no such page.")
    if posts:
        form = parse_qs(request.body[:MOST_BODY].decode("utf-8", "replace"))
        verdict, reason = _one(form, "verdict"), _one(form, "reason")
        return _page(200, await desk.confirmed(token, verdict, reason[:2000]))
    question = known.format(
        address=pending.address, list=mailing_list.address, subject=pending.subject
    )
    if pending.kind in ("subscribe", "unsubscribe"):
        return _page(200, question, _button("Yes"))
    buttons = "".join(_button(word.title(), word) for word in VERDICTS)
    return _page(200, question, buttons)


def _one(form: dict[str, list[str]], name: str) -> str:
    return form.get(name, [""])[0]


def _button(label: str, verdict: str = "") -> str:
    value = f' name="verdict" value="{verdict}"' if verdict else ""
    return f'<form method="post"><button{value}>{label}</button></form>'


def _page(status: int, told: str, more: str = "") -> Response:
    text = (
        "<!DOCTYPE html>\n<html><head><title>Mailing list</title></head>"
        f"<body><p>{escape(told)}</p>{more}</body></html>\n"
    )
    return Response(status, text.encode("utf-8", "replace"))
