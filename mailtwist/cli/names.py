"""One program under the names of the commands that it replaces.

Link `sendmail`, `mailq`, `newaliases`, `postqueue` and `postsuper` to
`mailtwist-sendmail`: the name it is called by says what it does.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from . import sendmail
from .place import config_file

POSTQUEUE = {"-p": ["list"], "-f": ["flush", "--all"], "-j": ["list", "--json"]}
POSTSUPER = {"-d": "remove", "-h": "hold", "-H": "release", "-r": "requeue"}


def words_for(name: str, arguments: Sequence[str]) -> list[str] | str:
    """The words of `mailtwist` that mean the same, or what is wrong with them."""
    match name:
        case "mailq":
            return ["sendmail", "-bp", *arguments]
        case "newaliases":
            return ["sendmail", "-bi", *arguments]
        case "postqueue":
            return _postqueue(list(arguments))
        case "postsuper":
            return _postsuper(list(arguments))
    return ["sendmail", *arguments]


def _postqueue(arguments: list[str]) -> list[str] | str:
    match arguments:
        case [one] if one in POSTQUEUE:
            return ["queue", *POSTQUEUE[one]]
        case ["-i", queue_id]:
            return ["queue", "flush", queue_id]
        case ["-s", domain]:
            return ["queue", "flush", "--recipient", f"@{domain}"]
    return "postqueue: -p lists, -j in JSON, -f tries all, -i ID or -s DOMAIN some"


def _postsuper(arguments: list[str]) -> list[str] | str:
    match arguments:
        case [letter, "ALL"] if letter in POSTSUPER:
            # Whoever types -d ALL has said so; postsuper does not ask either.
            sure = ["--yes"] if letter == "-d" else []
            return ["queue", POSTSUPER[letter], "--all", *sure]
        case [letter, "-"] if letter in POSTSUPER:
            ids = sys.stdin.read().split()
            return ["queue", POSTSUPER[letter], *ids] if ids else "postsuper: no ids"
        case [letter, *ids] if letter in POSTSUPER and ids:
            wanted = [one for one in ids if one != letter]
            return ["queue", POSTSUPER[letter], *wanted]
    return "postsuper: -d removes, -h holds, -H releases, -r requeues: ID... or ALL"


def run() -> None:
    """The console script."""
    name = os.path.basename(sys.argv[0])
    words = words_for(name, sys.argv[1:])
    if isinstance(words, str):
        print(words, file=sys.stderr)
        sys.exit(64)
    if words[0] == "sendmail":
        sys.exit(sendmail.main(words[1:], config_file()))
    from .main import main

    sys.exit(main(words))
