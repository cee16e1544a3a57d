"""Flags and the info part of a file name; keywords have letters by mailbox.

A Maildir has 26 letters for keywords; further ones are kept in the state alone.
Letters that mean nothing to us, and what stands behind them, are left as they are.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...errors import OverQuota
from ...flags import FORWARDED, LETTERS, RECENT, SYSTEM, Flags, canonical
from .names import INFO, KEYWORD_LETTERS, flags_of, letters_for

MOST_KEYWORDS = 500  # of a mailbox; each flag change looks through them


class FlagNames:
    """What the info parts of one mailbox's files mean; equal sets are one object."""

    def __init__(self, letters: dict[str, str]) -> None:
        """`letters` is keywords by letter; not changed afterwards."""
        self.letters = letters
        self._known: dict[tuple[str, str], Flags] = {}

    def flags(self, info: str, keywords: str) -> Flags:
        """The flags of a message by info part and keywords without a letter."""
        key = (info, keywords)
        found = self._known.get(key)
        if found is None:
            letters = letters_in(info)
            found = flags_of(letters, self.letters) | frozenset(keywords.split())
            self._known[key] = found
        return found

    def column(self, infos: Sequence[str], keywords: Sequence[str]) -> list[Flags]:
        """`flags` of many messages."""
        known = self._known
        for key in set(zip(infos, keywords, strict=True)):
            self.flags(*key)
        return [known[key] for key in zip(infos, keywords, strict=True)]

    @property
    def others(self) -> set[str]:
        """Keywords without a letter that were met so far."""
        return {word for _, words in self._known for word in words.split()}


def letters_in(info: str) -> str:
    return info[len(INFO) :].partition(",")[0] if info.startswith(INFO) else ""


class Spelling:
    """Flags that a client names, as this mailbox spells and keeps them.

    `added` is what becomes a keyword with a letter by that; it is the caller's to make
    durable, and the mailbox's FlagNames do not know it before.
    """

    def __init__(self, names: FlagNames) -> None:
        self.letters = dict(names.letters)
        self.added: list[tuple[str, str]] = []
        self._by_name = {name.lower(): key for key, name in self.letters.items()}
        self._others = {word.lower(): word for word in names.others}
        self._written: dict[tuple[str, Flags], tuple[str, str]] = {}

    def named(self, flags: Flags) -> Flags:
        """`flags` as spelled here; \\Recent is nobody's to store."""
        return frozenset(self._one(flag) for flag in flags) - {RECENT}

    def _one(self, flag: str) -> str:
        key = flag.lower()
        letter = self._by_name.get(key)
        if letter is not None:
            return self.letters[letter]
        return self._others.get(key) or canonical(flag)

    def written(self, flags: Flags, info: str = INFO) -> tuple[str, str]:
        """(info part, keywords without a letter) for these flags, given the old info.

        Raises OverQuota if the mailbox has too many keywords."""
        key = (info, flags)
        found = self._written.get(key)
        if found is None:
            found = self._written[key] = self._write(flags, info)
        return found

    def _write(self, flags: Flags, info: str) -> tuple[str, str]:
        keywords = [f for f in sorted(flags) if f not in SYSTEM and f != FORWARDED]
        for keyword in keywords:
            self._name(keyword)
        letters = set(letters_for(flags, self._by_name))
        old, comma, rest = info[len(INFO) :].partition(",")
        if not info.startswith(INFO):
            old = comma = rest = ""
        letters.update(
            letter
            for letter in old
            if letter not in LETTERS and letter not in self.letters
        )
        others = [k for k in keywords if k.lower() in self._others]
        return f"{INFO}{''.join(sorted(letters))}{comma}{rest}", " ".join(others)

    def _name(self, keyword: str) -> None:
        key = keyword.lower()
        if key in self._by_name or key in self._others:
            return
        if len(self._by_name) + len(self._others) >= MOST_KEYWORDS:
            raise OverQuota("Too many keywords in this mailbox")
        free = next((c for c in KEYWORD_LETTERS if c not in self.letters), None)
        if free is None:
            self._others[key] = keyword
        else:
            self.letters[free], self._by_name[key] = keyword, free
            self.added.append((free, keyword))
