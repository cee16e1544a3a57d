"""Tables of regular expressions, as regexp_table(5) and pcre_table(5) write them.

`/pattern/flags value`, `!/pattern/flags value`, `if /pattern/` ... `endif`; the first
that is found in the key counts.  `$1` or `${1}` in a value is what a group matched.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from attrs import frozen

from ..delivery.alias_grammar import Mistake, logical_lines

_LINE = re.compile(
    r"(?P<word>if\s*)?(?P<no>!\s*)?(?P<mark>[^\w\s\\])"
    r"(?P<pattern>(?:\\.|(?!(?P=mark)).)*)(?P=mark)"
    r"(?P<flags>[imx]*)(?:\s+(?P<value>.*))?",
    re.DOTALL,
)
_GROUP = re.compile(r"\$(?:(\d)|\{(\d+)\}|\((\d+)\)|(\$))")
_FORM = '"/pattern/flags value"'


@frozen
class Rule:
    """`value` None opens a block that is looked at only where the pattern fits."""

    pattern: re.Pattern[str]
    negated: bool
    value: str | None
    end: int = 0  # of a block: the place behind its last rule
    line: int = 0


class HeldRules:
    """A table of regular expressions in memory, in the order of its lines."""

    def __init__(self) -> None:
        self._rules: list[Rule] = []
        self._open: list[int] = []
        self.mistakes: list[Mistake] = []

    def read(self, text: str) -> Iterator[None]:
        """Takes the lines in; the caller may pause after each."""
        line = 0
        for line, logical in logical_lines(text):
            expected = self._take(logical, line)
            if expected:
                self.mistakes.append(Mistake(line, expected))
            yield
        if self._open:
            self.mistakes.append(Mistake(line, '"endif" for each "if"'))
        while self._open:
            self._close()

    @property
    def values(self) -> Iterator[tuple[int, str, str]]:
        """(line, pattern, value) of each rule that has a value."""
        for rule in self._rules:
            if rule.value is not None:
                yield rule.line, rule.pattern.pattern, rule.value

    def _take(self, logical: str, line: int) -> str:
        """Keep one line; what was expected if it cannot be."""
        if logical.strip() == "endif":
            return "" if self._close() else 'an "if" before "endif"'
        found = _LINE.fullmatch(logical)
        if found is None:
            return _FORM
        try:
            pattern = re.compile(found["pattern"], _flags(found["flags"]))
        except re.error as fault:
            return f"a regular expression: {fault}"
        value, negated = found["value"], found["no"] is not None
        if found["word"]:
            if value:
                return '"if /pattern/" with nothing behind'
            self._open.append(len(self._rules))
            self._rules.append(Rule(pattern, negated, None))
            return ""
        if not value:
            return _FORM
        wrong = _wrong_group(value, 0 if negated else pattern.groups)
        if wrong:
            return wrong
        self._rules.append(Rule(pattern, negated, value.strip(), line=line))
        return ""

    def _close(self) -> bool:
        if not self._open:
            return False
        at = self._open.pop()
        rule = self._rules[at]
        self._rules[at] = Rule(rule.pattern, rule.negated, None, len(self._rules))
        return True

    def keys(self) -> Collection[str] | None:
        return None

    def find(self, key: str) -> str | None:
        at = 0
        while at < len(self._rules):
            rule = self._rules[at]
            found = rule.pattern.search(key)
            fits = (found is not None) != rule.negated
            if rule.value is None:
                at = at + 1 if fits else rule.end
                continue
            if fits:
                return rule.value if found is None else _filled(rule.value, found)
            at += 1
        return None


def _flags(letters: str) -> int:
    """Case does not matter unless `i` says so; `m` as in Python, `x` is always on."""
    flags = 0 if letters.count("i") % 2 else re.IGNORECASE
    if letters.count("m") % 2:
        flags |= re.MULTILINE
    return flags


def _wrong_group(value: str, groups: int) -> str:
    for found in _GROUP.finditer(value):
        number = found[1] or found[2] or found[3]
        if number is not None and not 0 < int(number) <= groups:
            return f"${number} to be one of {groups} groups"
    return ""


def _filled(value: str, found: re.Match[str]) -> str:
    def group(code: re.Match[str]) -> str:
        number = code[1] or code[2] or code[3]
        return "$" if number is None else found[int(number)] or ""

    return _GROUP.sub(group, value)
