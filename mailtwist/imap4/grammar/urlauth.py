"""GENURLAUTH, URLFETCH and RESETKEY (RFC 4467 §9, RFC 5524 §5)."""

from __future__ import annotations

from ...errors import BadParameter
from ..types_urlauth import GenUrlAuth, ResetKey, UrlFetch, UrlItem
from .mailbox import mailbox
from .scanner import CommandScanner
from .strings import astring, atom, sp, word

MOST_URLS = 1000  # of one command

_ITEMS = {item.value: item for item in UrlItem}


def gen_url_auth(s: CommandScanner) -> GenUrlAuth:
    """1*(SP url-rump SP mechanism)."""
    urls: list[tuple[bytes, str]] = []
    while not urls or not s.done:
        _check(len(urls))
        sp(s)
        url = astring(s, "a URL")
        sp(s)
        urls.append((url, _mechanism(s)))
    return GenUrlAuth(tuple(urls))


def url_fetch(s: CommandScanner) -> UrlFetch:
    """1*(SP url-fetch-arg)."""
    urls: list[tuple[bytes, tuple[UrlItem, ...]]] = []
    while not urls or not s.done:
        _check(len(urls))
        sp(s)
        if not s.skip(b"("):
            urls.append((astring(s, "a URL"), ()))
            continue
        url = astring(s, "a URL")
        items: dict[UrlItem, None] = {}
        while not s.skip(b")"):
            sp(s)
            name = word(s, "what to fetch")
            if name not in _ITEMS:
                raise BadParameter(f"Unknown item {name[:40]}")
            items[_ITEMS[name]] = None
        urls.append((url, tuple(items)))
    return UrlFetch(tuple(urls))


def reset_key(s: CommandScanner) -> ResetKey:
    """[SP mailbox *(SP mechanism)]."""
    if s.done:
        return ResetKey()
    sp(s)
    path = mailbox(s)
    mechanisms = []
    while not s.done:
        sp(s)
        mechanisms.append(_mechanism(s))
    return ResetKey(path, tuple(mechanisms))


def _mechanism(s: CommandScanner) -> str:
    return atom(s, "a mechanism").decode().upper()


def _check(urls: int) -> None:
    if urls >= MOST_URLS:
        raise BadParameter(f"At most {MOST_URLS} URLs")
