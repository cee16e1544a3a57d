"""`mailtwist search`: find messages of an account, and show where they have it."""

from __future__ import annotations

import argparse
import fnmatch
import json
import sys
import time
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

from attrs import frozen

from ..config.load import load
from ..errors import MailError
from ..flags import ANSWERED, FLAGGED, SEEN
from ..mailbox.interfaces import IMailbox, IMailboxes
from ..mailbox.model import Column, Path
from ..mailbox.search import search
from ..mailbox.snippet import Marked, Snippet, Sought, snippets, sought
from ..mailbox.turns import Turns
from ..mime.named_fields import named_fields
from ..search_key import (
    And,
    Body,
    Fuzzy,
    HasFlag,
    Header,
    InternalDate,
    Not,
    SearchKey,
    Text,
    When,
)
from ..service.build import MailService

MOST_SHOWN = 50
_REVERSED, _PLAIN = "\x1b[7m", "\x1b[0m"  # of a terminal
_FLAGS: dict[str, SearchKey] = {
    "seen": HasFlag(SEEN),
    "unseen": Not(HasFlag(SEEN)),
    "flagged": HasFlag(FLAGGED),
    "answered": HasFlag(ANSWERED),
}
_TEXTS: dict[str, Callable[[str], SearchKey]] = {
    "from": lambda text: Header("From", text),
    "to": lambda text: Header("To", text),
    "cc": lambda text: Header("Cc", text),
    "subject": lambda text: Header("Subject", text),
    "body": Body,
    "text": Text,
}
_DAYS = {"since": When.SINCE, "before": When.BEFORE, "on": When.ON}


def configure(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "search",
        help="find messages of an account",
        description="Prints the newest messages that have all of the words, each with "
        "mailbox, date, sender, subject and the place where it has them.  The server "
        "may run meanwhile.  Start it as the server is started: as root, or as the "
        "user that the server runs as.",
    )
    parser.add_argument("account", metavar="ACCOUNT")
    parser.add_argument(
        "words",
        metavar="WORD",
        nargs="+",
        help="a string in header or body, one argument each; or from:, to:, cc:, "
        "subject:, body: or text: with a string, since:, before: or on: with a day "
        "(2026-11-24), is: with seen, unseen, flagged or answered",
    )
    parser.add_argument(
        "--folder",
        action="append",
        default=[],
        metavar="PATTERN",
        help="only in these folders (Lists/*); may be repeated",
    )
    parser.add_argument(
        "--fuzzy",
        action="store_true",
        help="words in any order and with slips, the best first; also in the text of "
        "attachments that the index has",
    )
    parser.add_argument(
        "--limit",
        type=int,
        default=MOST_SHOWN,
        metavar="N",
        help=f"as many at most ({MOST_SHOWN}); 0 for all",
    )
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(run=run)


@frozen
class Match:
    """A message that was found."""

    path: Path
    uid: int
    arrived: int  # seconds since 1970
    score: float


def run(options: argparse.Namespace) -> int:
    """1 if nothing was found."""
    from .asking import awaited

    key = wanted(options.words, fuzzy=options.fuzzy)

    async def ask(service: MailService) -> list[dict[str, Any]]:
        account: Any = await service.auth.directory.account(options.account)
        if account is None:
            raise MailError("There is no such account")
        mailboxes = service.store.mailboxes(account)
        found = await _found(mailboxes, key, options.folder)
        found.sort(key=lambda one: (-one.score, -one.arrived, one.path, -one.uid))
        if options.limit > 0:
            found = found[: options.limit]
        return await _shown(mailboxes, found, sought(key))

    shown = awaited(load(options.config), ask, as_server=True)
    if options.json:
        told = [{name: _for_json(one[name]) for name in one} for one in shown]
        print(json.dumps(told, indent=2, ensure_ascii=False))
    else:
        for one in shown:
            for line in lines(one, terminal=sys.stdout.isatty()):
                print(line)
    return int(not shown)


def wanted(words: list[str], *, fuzzy: bool) -> SearchKey:
    """Raises MailError for what cannot be looked for."""
    keys: list[SearchKey] = []
    for word in words:
        name, colon, value = word.partition(":")
        if not colon or name not in {*_TEXTS, *_DAYS, "is"}:
            name, value = "text", word
        if name in _DAYS:
            try:
                keys.append(InternalDate(_DAYS[name], date.fromisoformat(value)))
            except ValueError:
                raise MailError(f"{word}: a day is written 2026-11-24") from None
        elif name == "is":
            if value not in _FLAGS:
                raise MailError(f"{word}: it may be one of {', '.join(_FLAGS)}")
            keys.append(_FLAGS[value])
        else:
            text = _TEXTS[name](value)
            keys.append(Fuzzy(text) if fuzzy else text)
    return keys[0] if len(keys) == 1 else And(tuple(keys))


async def _nothing() -> None:
    """Nobody else waits in this process."""


async def _found(
    mailboxes: IMailboxes, key: SearchKey, patterns: list[str]
) -> list[Match]:
    found: list[Match] = []
    for info in await mailboxes.listed():
        name = "/".join(info.path)
        asked = not patterns or any(fnmatch.fnmatchcase(name, p) for p in patterns)
        if not info.selectable or not asked:
            continue
        mailbox = await mailboxes.open(info.path, read_only=True)
        try:
            found += await _in_one(mailbox, key)
        finally:
            await mailbox.close()
    return found


async def _in_one(mailbox: IMailbox, key: SearchKey) -> list[Match]:
    rows, scores = await mailbox.rows(), dict[int, float]()
    uids = await search(
        mailbox,
        key,
        rows.uids,
        recent=(),
        pause=_nothing,
        now=time.time(),
        scores=scores,
    )
    arrived = dict(zip(rows.uids, rows.internal_dates, strict=True))
    return [
        Match(mailbox.path, uid, arrived[uid], scores.get(uid, 1.0)) for uid in uids
    ]


async def _shown(
    mailboxes: IMailboxes, found: list[Match], marked: Sought
) -> list[dict[str, Any]]:
    """What is told of each, in their order; those that went meanwhile left out."""
    told: dict[Match, dict[str, Any]] = {}
    for path in dict.fromkeys(one.path for one in found):
        mailbox = await mailboxes.open(path, read_only=True)
        try:
            some = [one for one in found if one.path == path]
            uids = [one.uid for one in some]
            headers = await mailbox.rendered(uids, (Column.FIELDS,))
            made = await snippets(mailbox, uids, marked, Turns(_nothing))
        finally:
            await mailbox.close()
        for one, header in zip(some, headers, strict=True):
            if header is not None and one.uid in made:
                told[one] = _told(one, named_fields(header[0]), made[one.uid])
    return [told[one] for one in found if one in told]


def _told(one: Match, named: dict[str, str], snippet: Snippet) -> dict[str, Any]:
    return {
        "mailbox": "/".join(one.path),
        "uid": one.uid,
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(one.arrived)),
        "from": named.get("from", ""),
        "subject": named.get("subject", ""),
        "score": round(one.score, 2),
        "snippet": snippet,
    }


def _for_json(value: Any) -> Any:
    """A snippet as that of RFC 8621 §5."""
    if not isinstance(value, Snippet):
        return value
    return {
        "subject": value.subject and value.subject.html(),
        "preview": value.preview and value.preview.html(),
    }


def lines(told: dict[str, Any], *, terminal: bool) -> Iterator[str]:
    """ "INBOX  2026-11-24 21:40  Ann <ann@example.net>  Subject" and the snippet."""
    start, end = (_REVERSED, _PLAIN) if terminal else ("[", "]")
    snippet: Snippet = told["snippet"]
    when = time.strptime(told["date"], "%Y-%m-%dT%H:%M:%SZ")
    columns = [told["mailbox"], time.strftime("%Y-%m-%d %H:%M", when), told["from"]]
    subject = snippet.subject or Marked(told["subject"])
    shown = [*map(_printable, columns), subject.told(start, end, _printable)]
    yield "  ".join(shown)
    if snippet.preview is not None:
        yield "    " + snippet.preview.told(start, end, _printable)


def _printable(text: str) -> str:
    """Nothing that a terminal would take for a command."""
    return "".join(one if one.isprintable() else "?" for one in text)
