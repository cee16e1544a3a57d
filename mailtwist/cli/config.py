"""`mailtwist config`: what is in force, changes to it, the sample and the manual."""

from __future__ import annotations

import argparse
import getpass
import json
import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from ..config import reference
from ..config.edit import change
from ..config.keys import Key, every_value
from ..config.load import load, toml
from ..errors import ConfigError, MailError
from ..tables.build import kind_lines


def configure(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("config", help="show and change the configuration")
    leaves = parser.add_subparsers(metavar="WHAT", required=True)

    shown = leaves.add_parser(
        "show", help="every option with the value in force (postconf)"
    )
    shown.add_argument("key", metavar="KEY", nargs="*", help="only these")
    shown.add_argument(
        "--changed", action="store_true", help="only what is not the default (-n)"
    )
    shown.add_argument("--json", action="store_true", help="for programs")
    shown.set_defaults(run=run_show)

    changed = leaves.add_parser(
        "set",
        help="change options in the file (postconf -e)",
        description="Comments in the file stay.  A change that the server could not "
        "start with is refused.  Each change is written down in FILE.journal.",
    )
    changed.add_argument(
        "pairs",
        metavar="KEY VALUE",
        nargs="+",
        help="like smtp.errors 30; listener[2].tls is one of many, listener[+].tls a "
        "new one",
    )
    changed.set_defaults(run=run_set)

    unset = leaves.add_parser(
        "unset", help="take options out of the file, back to their defaults"
    )
    unset.add_argument("keys", metavar="KEY", nargs="+")
    unset.set_defaults(run=run_unset)

    tables = leaves.add_parser(
        "tables", help="the kinds of lookup tables and what each needs (postconf -m)"
    )
    tables.set_defaults(run=lambda options: show("\n".join([*kind_lines(), ""])))

    sample = leaves.add_parser("sample", help="print a commented sample file")
    sample.set_defaults(run=lambda options: show(reference.sample()))
    manual = leaves.add_parser("manual", help="print what every option means")
    manual.set_defaults(run=lambda options: show(reference.manual()))


def show(text: str) -> int:
    print(text, end="")
    return 0


def run_show(options: argparse.Namespace) -> int:
    config = load(options.config)
    asked = [str(Key.parse(key)) for key in options.key]
    found = {
        str(key): plain(value)
        for key, value in every_value(config)
        if not options.changed or value != key.option.default
    }
    if asked:
        missing = [key for key in asked if key not in found and not options.changed]
        if missing:
            raise ConfigError(f"{missing[0]}: the file has no such table")
        found = {key: found[key] for key in asked if key in found}
    if options.json:
        print(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        for key, value in found.items():
            print(f"{key} = {toml(value)}")
    return 0


def plain(value: Any) -> Any:
    """As TOML and JSON know it: networks become texts."""
    if isinstance(value, tuple):
        return [plain(one) for one in value]
    return value if isinstance(value, bool | int | float | str) else str(value)


def run_set(options: argparse.Namespace) -> int:
    keys, values = options.pairs[::2], options.pairs[1::2]
    if len(keys) != len(values):
        raise MailError(f"{keys[-1]}: give a value behind each key")
    made = zip(
        keys, written(options, list(zip(keys, values, strict=True))), strict=True
    )
    for key, value in made:
        print(f"{key} = {toml(value)}")
    return 0


def run_unset(options: argparse.Namespace) -> int:
    written(options, [(key, None) for key in options.keys])
    for key in options.keys:
        print(f"{key} is back to its default")
    return 0


def written(
    options: argparse.Namespace, changes: Sequence[tuple[str, str | None]]
) -> list[Any]:
    """Have `changes` made in the name of whoever types."""
    user = os.environ.get("SUDO_USER") or getpass.getuser()
    now = datetime.now().astimezone().isoformat(timespec="seconds")
    try:
        return change(Path(options.config), changes, user, now)
    except OSError as fault:
        raise MailError(f"{fault.filename}: {fault.strerror}") from fault
