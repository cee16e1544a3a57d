"""What access tables say, looked at before the server starts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..config.model import Config
from ..config.restricting import ACCESS_WORDS, WORDS, Restriction
from ..config.routing import Table
from ..config.wiring import restrictions
from ..delivery.alias_grammar import Mistake
from ..policy.actions import ALLOWED, Ask, parsed
from .file import read
from .lines import Pair, aliases, pairs
from .regexp import HeldRules


def bad_actions(config: Config) -> Iterator[str]:
    """A sentence for each value that is no action, in every access table whose text is
    at hand; a file that cannot be read now has none.

    Tables that are named by such values are looked at too."""
    by_name = {table.name: table for table in config.table}
    classes = {one.name for one in config.restriction_class}
    left = [one.table for _, one in restrictions(config) if one.table]
    seen: set[str] = set()
    while left:
        name = left.pop(0)
        if name in seen or name not in by_name:
            continue
        seen.add(name)
        for at, key, value in _values(by_name[name]):
            try:
                action = parsed(value)
                named: Sequence[Restriction] = ()
                if isinstance(action, Ask):
                    named = action.restrictions
                wrong = _unknown(named, classes, by_name)
            except ValueError:
                named, wrong = (), f"give one of {ALLOWED}"
            left += [one.table for one in named if one.table]
            if wrong:
                yield f"{at}: {key}: {value!r} is no action: {wrong}"


def _unknown(
    named: Sequence[Restriction], classes: set[str], tables: dict[str, Table]
) -> str:
    """What is wrong with the restrictions that a value names, "" for nothing."""
    for one in named:
        if one.table and one.table not in tables:
            return f"{one.table} names no [[table]]"
        if one.word not in (*WORDS, *ACCESS_WORDS) and one.word not in classes:
            return f"give one of {ALLOWED}"
    return ""


def _values(table: Table) -> Iterator[tuple[str, str, str]]:
    """(place, key, value) of each line that says something by itself."""
    if table.kind == "inline":
        for entry in table.entries:
            yield from _of_pairs(f"table {table.name}", pairs(entry), numbered=False)
        return
    if table.kind not in ("file", "aliases", "regexp"):
        return
    try:
        _, octets = read(table.source)
    except OSError:
        return
    text = octets.decode(errors="replace")
    if table.kind == "regexp":
        rules = HeldRules()
        for _ in rules.read(text):
            continue
        for line, pattern, value in rules.values:
            if "$" not in value:  # what groups matched is not known
                yield f"{table.source}:{line}", pattern, value
        return
    parse = pairs if table.kind == "file" else aliases
    yield from _of_pairs(table.source, parse(text))


def _of_pairs(
    place: str, found: Iterator[Pair | Mistake], *, numbered: bool = True
) -> Iterator[tuple[str, str, str]]:
    for one in found:
        if isinstance(one, Pair):
            yield (f"{place}:{one.line}" if numbered else place), one.key, one.value
