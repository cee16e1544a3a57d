"""The manual (docs/config.md) and the sample (etc/mailtwist.toml), from the model."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

from attrs import Attribute, fields, resolve_types

from .load import SECONDS, is_list, needed, told, toml, units_of
from .model import Config
from .sizes import OCTETS

HEAD = """# Configuration

One TOML file, given as `twistd mailtwist --config FILE`.  All of it is checked before
any of it is used; `mailtwist check` does only that.  This page is printed by
`mailtwist config manual`.

"""
UNITS = f"""A time is a number of seconds or a text with a unit ({", ".join(SECONDS)});
a size is a number of octets or a text with a unit ({", ".join(OCTETS)}).
"""


def manual() -> str:
    """Markdown: every section and option with kind, default and meaning."""
    return HEAD + UNITS + "".join(_page(Config, ""))


def _page(section: type, at: str) -> Iterator[str]:
    """A section's options, then its subsections."""
    resolve_types(section)
    plain = [o for o in fields(section) if "of" not in o.metadata]
    if plain:
        yield "\n| option | value | default | meaning |\n| --- | --- | --- | --- |\n"
    for option in plain:
        row = (f"`{option.name}`", told(option), _default(option), _help(option))
        yield "| " + " | ".join(text.replace("|", "\\|") for text in row) + " |\n"
    for option in fields(section):
        kind = option.metadata.get("of")
        if kind is not None:
            name = f"[[{option.name}]]" if is_list(option) else f"[{option.name}]"
            yield f"\n## `{name}`\n\n{_help(option)}\n"
            yield from _page(kind, option.name)


def _help(option: Attribute[Any]) -> str:
    return " ".join(str(option.metadata["help"]).split())


def _default(option: Attribute[Any]) -> str:
    return "(needed)" if needed(option) else f"`{_shown(option)}`"


def _shown(option: Attribute[Any]) -> str:
    """The default as a person would write it."""
    value, units = option.default, units_of(option)
    if units and value:
        for unit, scale in sorted(units.items(), key=lambda item: -item[1]):
            if value % scale == 0 and unit not in ("w", "B", "s"):
                name = unit.replace("IB", "iB")
                return toml(f"{value / scale:g} {name}")
    return toml(value)


SAMPLE_HEAD = """# mailtwist: a sample configuration.  Every option is here, with its
# default behind "#".  `mailtwist check --config FILE` tells whether a file can be used.

"""
SAMPLE_TABLES: dict[str, list[str]] = {  # what the sample has switched on
    "domain": ['name = "example.org"'],
    "listener": [
        'protocol = "smtp"\nendpoint = "tcp:25"',
        'protocol = "submission"\nendpoint = "tcp:587"',
        'protocol = "submission"\nendpoint = "tcp:465"\ntls = "implicit"',
        'protocol = "pop3"\nendpoint = "tcp:110"',
        'protocol = "pop3"\nendpoint = "tcp:995"\ntls = "implicit"',
        'protocol = "imap4"\nendpoint = "tcp:143"',
        'protocol = "imap4"\nendpoint = "tcp:993"\ntls = "implicit"',
        'protocol = "manage_sieve"\nendpoint = "tcp:4190"',
    ],
}


def sample() -> str:
    """A complete file for example.org on the standard ports, defaults commented."""
    resolve_types(Config)
    parts = [SAMPLE_HEAD]
    parts.extend(
        _sample_option(option)
        for option in fields(Config)
        if "of" not in option.metadata
    )
    for option in fields(Config):
        kind = option.metadata.get("of")
        if kind is None:
            continue
        parts.append(f"# {'-' * 70}\n{_comment(_help(option))}")
        resolve_types(kind)
        options = "".join(_sample_option(one) for one in fields(kind))
        if is_list(option):
            parts.append(f"{_comment('Options of each table:')}#\n{options}")
            parts.extend(
                f"[[{option.name}]]\n{table}\n\n"
                for table in SAMPLE_TABLES.get(option.name, [])
            )
        else:
            parts.append(f"[{option.name}]\n{options}")
    return "".join(parts)


def _sample_option(option: Attribute[Any]) -> str:
    shown = "..." if needed(option) else _shown(option)
    about = f"{_help(option)} Value: {told(option)}."
    return f"{_comment(about)}#{option.name} = {shown}\n\n"


def _comment(text: str) -> str:
    return textwrap.fill(text, 84, initial_indent="# ", subsequent_indent="# ") + "\n"
