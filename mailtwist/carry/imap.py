"""Another IMAP server as an end: the personal folders of one user.

What the server can do is used, and nothing is asked of it beyond RFC 3501: without
UIDPLUS a message that was put in is found by its date and size, and one that is to go
is only marked.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

from attrs import field, frozen
from twisted.internet.defer import DeferredList
from twisted.internet.endpoints import HostnameEndpoint, connectProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from ..errors import BadMailboxName, MailError
from ..flags import RECENT, Flags, canonical
from ..imap4 import utf7
from ..imap4.client import IMAPClient, Literal, ServerRefuses
from ..imap4.client_answer import Value, code_of, pairs, quoted, values
from ..imap4.framer import Frame
from ..imap4.grammar.date import date_time, encode_date_time
from ..imap4.grammar.scanner import CommandScanner
from ..mailbox.model import INBOX, SPECIAL_USES, Path
from ..queue.model import Host, TlsRule
from ..sasl.client_mechanisms import conversations
from ..secret import Secret
from ..seqset import SequenceSet
from ..smtp.client_tls import ClientTls
from .model import Folder, IEnd, Item, Letter, Listed

PIECE_OCTETS = 4 * 1024 * 1024  # of a large message, asked for at a time
CONNECT_S = 30.0
_USES = {use.lower(): use for use in SPECIAL_USES}


@frozen(kw_only=True)
class Remote:
    """How to log in.  `tls` is "implicit", "starttls" or "none"; `check`: the
    certificate has to be for `host` and from the CAs of `ca`, or the system's."""

    host: str
    port: int
    user: str
    password: Secret = field(repr=False)
    tls: str = "starttls"
    check: bool = True
    ca: str = ""

    @classmethod
    def of(cls, url: str, password: Secret, **how: Any) -> Remote:
        """Of imap://USER@HOST[:PORT] with STARTTLS, or imaps://.  Raises MailError."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as fault:
            raise MailError(f"{url}: is no URL of an IMAP server") from fault
        if parts.scheme not in ("imap", "imaps") or not parts.hostname:
            raise MailError("Say imap://USER@HOST or imaps://USER@HOST")
        if parts.password is not None:
            raise MailError("A password in a URL would be seen by others")
        if not parts.username:
            raise MailError("The URL names no user: imap://USER@HOST")
        implicit = parts.scheme == "imaps"
        how.setdefault("tls", "implicit" if implicit else "starttls")
        return cls(
            host=parts.hostname,
            port=port or (993 if implicit else 143),
            user=unquote(parts.username),
            password=password,
            **how,
        )

    @property
    def name(self) -> str:
        return f"imap:{self.user}@{self.host}:{self.port}"


async def logged_in(remote: Remote, reactor: Any) -> IMAPClient:
    """A connection after LOGIN; raises MailError."""
    tls = None
    if remote.tls != "none":
        rule = TlsRule(level="verify" if remote.check else "may")
        host = Host(remote.host, remote.port, (), rule)
        tls = ClientTls(remote.ca).connection(host)
    endpoint = HostnameEndpoint(reactor, remote.host, remote.port, timeout=CONNECT_S)
    client = IMAPClient(reactor)
    try:
        await connectProtocol(endpoint, client)
    except Exception as fault:
        raise MailError(
            f"{remote.host} port {remote.port}: no connection: {type(fault).__name__}"
        ) from fault
    if tls is not None and remote.tls == "implicit":
        client.secure(tls)
    greeting = await client.greeted
    if remote.tls == "implicit":
        await client.learn(greeting)
    else:
        await client.learn()
    if remote.tls == "starttls":
        if "STARTTLS" not in client.capabilities:
            raise MailError(f"{remote.host} offers no TLS")
        await client.start_tls(tls)
        await client.learn()
    await _log_in(client, remote)
    return client


async def _log_in(client: IMAPClient, remote: Remote) -> None:
    offered = tuple(
        word[5:] for word in client.capabilities if word.startswith("AUTH=")
    )
    secure = remote.tls != "none" or remote.host in ("localhost", "127.0.0.1", "::1")
    user, password = remote.user, remote.password
    nonce = os.urandom(18).hex().encode()
    ways = conversations(offered, user, password, nonce, secure=secure)
    if ways:
        await client.authenticate(*ways[0])
        return
    if not secure or "LOGINDISABLED" in client.capabilities:
        raise MailError(f"{remote.host} takes no password in a way that is safe")
    done = await client.command(
        b"LOGIN ",
        _string(remote.user.encode()),
        b" ",
        Literal(remote.password.reveal()),
    )
    await client.learn(done.text)


def _string(octets: bytes) -> bytes | Literal:
    text = quoted(octets)
    return Literal(octets) if text is None else text


@implementer(IEnd)
class ImapEnd:
    """`remote` is connected to when something is asked first, and again after the
    connection was lost.  `read_only`: its mailboxes are opened by EXAMINE, so that
    nobody sees that we were there."""

    def __init__(
        self, remote: Remote, reactor: Any, *, read_only: bool = False
    ) -> None:
        self.name, self._remote, self._reactor = remote.name, remote, reactor
        self._open = b"EXAMINE " if read_only else b"SELECT "
        self._connected: IMAPClient | None = None
        self._delimiter, self._prefix = "/", ""
        self._wire: dict[Path, bytes] = {}  # names as the server writes them
        self._selected: Path | None = None
        self._uid_next = 0  # of the selected mailbox, when it was
        self._sizes: dict[str, int] = {}  # of the selected mailbox's messages

    async def _client(self) -> IMAPClient:
        if self._connected is None or self._connected.lost:
            self._selected = None
            self._connected = await logged_in(self._remote, self._reactor)
            await self._learn_names(self._connected)
        return self._connected

    # -- names ----------------------------------------------------------------

    async def _learn_names(self, client: IMAPClient) -> None:
        """RFC 2342: where personal mailboxes are, and the delimiter."""
        if "NAMESPACE" in client.capabilities:
            done = await client.command(b"NAMESPACE")
            for line in done.untagged:
                personal = _namespace(line)
                if personal is not None:
                    self._prefix, self._delimiter = personal
                    return
        done = await client.command(b'LIST "" ""')
        for line in done.untagged:
            match _list(line):
                case _, str(delimiter), _:
                    self._delimiter = delimiter

    def _path(self, wire: bytes) -> Path | None:
        """None for a name that is not among the personal mailboxes."""
        try:
            text = utf7.decode(wire)
        except BadMailboxName:
            text = wire.decode("utf-8", "replace")
        if text.upper() == "INBOX":
            return INBOX
        if not text.startswith(self._prefix):
            return None
        path = tuple(text[len(self._prefix) :].split(self._delimiter))
        if not all(path):
            return None
        if path[0].upper() == "INBOX":
            path = (INBOX[0], *path[1:])
        return path

    def _wire_of(self, path: Path) -> bytes:
        known = self._wire.get(path)
        if known is not None or path == INBOX:
            return known or b"INBOX"
        parts = [part.replace(self._delimiter, "_") for part in path]
        return utf7.encode(self._prefix + self._delimiter.join(parts))

    async def folders(self) -> list[Folder]:
        client = await self._client()
        done = await client.command(b'LIST "" "*"')
        lists = [found for line in done.untagged if (found := _list(line))]
        done = await client.command(b'LSUB "" "*"')
        lsubs = [found for line in done.untagged if (found := _list(line, b"LSUB"))]
        subscribed = {wire for _, _, wire in lsubs}
        folders = []
        for attributes, _, wire in lists:
            path = self._path(wire)
            if path is None or attributes & {"\\noselect", "\\nonexistent"}:
                continue
            if path in self._wire and self._wire[path] != wire:
                continue  # two names for one path: the first counts
            self._wire[path] = wire
            uses = frozenset(_USES[use] for use in attributes if use in _USES)
            folders.append(Folder(path, uses, wire in subscribed))
        return sorted(folders, key=lambda one: (one.path != INBOX, one.path))

    async def make(self, folder: Folder) -> None:
        client = await self._client()
        wire = _string(self._wire_of(folder.path))
        there = {one.path for one in await self.folders()}
        if folder.path not in there:
            uses = " ".join(sorted(folder.special_uses)).encode()
            with_uses = uses and "CREATE-SPECIAL-USE" in client.capabilities
            try:
                use = b" (USE (%b))" % uses if with_uses else b""
                await client.command(b"CREATE ", wire, use)
            except ServerRefuses:
                if not with_uses:
                    raise
                await client.command(b"CREATE ", wire)
        if folder.subscribed:
            await client.command(b"SUBSCRIBE ", wire)

    # -- what is there --------------------------------------------------------

    async def _select(self, path: Path) -> IMAPClient:
        client = await self._client()
        if self._selected != path:
            await self._select_anew(client, path)
        return client

    async def _select_anew(self, client: IMAPClient, path: Path) -> tuple[str, int]:
        """(UIDVALIDITY, messages)"""
        self._selected, self._sizes = None, {}
        done = await client.command(self._open, _string(self._wire_of(path)))
        self._selected = path
        validity, exists = b"", 0
        for line in (*done.untagged, b"OK " + done.text):
            words = line.split(b" ", 2)
            if len(words) > 1 and words[1].upper() == b"EXISTS":
                exists = int(words[0])
            code, told = code_of(line.partition(b" ")[2])
            if code == b"UIDVALIDITY":
                validity = told
        return validity.decode("ascii", "replace"), exists

    async def listed(self, path: Path) -> Listed:
        client = await self._client()
        validity, exists = await self._select_anew(client, path)
        items: list[Item] = []
        if exists:
            items = await self._items(client, b"1:*")
        self._sizes = {item.key: item.octets or 0 for item in items}
        return Listed(validity, items)

    async def _items(self, client: IMAPClient, which: bytes) -> list[Item]:
        done = await client.command(
            b"UID FETCH ", which, b" (UID FLAGS INTERNALDATE RFC822.SIZE)"
        )
        found = {}
        for fetched in map(_fetched, done.untagged):
            match fetched:
                case {
                    b"UID": bytes(uid),
                    b"FLAGS": list(flags),
                    b"INTERNALDATE": bytes(date),
                    b"RFC822.SIZE": bytes(size),
                }:
                    found[int(uid)] = Item(
                        uid.decode(), _flags(flags), _date(date), int(size)
                    )
        return [found[uid] for uid in sorted(found)]

    async def read(self, path: Path, keys: Sequence[str]) -> list[bytes | None]:
        client = await self._select(path)
        large = {key for key in keys if self._sizes.get(key, 0) > PIECE_OCTETS}
        small = sorted({int(key) for key in keys if key not in large})
        found: dict[str, bytes] = {}
        if small:
            which = SequenceSet.of_numbers(small).encode()
            done = await client.command(b"UID FETCH ", which, b" (UID BODY.PEEK[])")
            for fetched in map(_fetched, done.untagged):
                match fetched:
                    case {b"UID": bytes(uid), b"BODY[]": bytes(octets)}:
                        found[uid.decode()] = octets
        for key in large:
            whole = await self._large(client, key)
            if whole is not None:
                found[key] = whole
        return [found.get(key) for key in keys]

    @staticmethod
    async def _large(client: IMAPClient, key: str) -> bytes | None:
        """A message in pieces, so that no answer is as large as it."""
        pieces: list[bytes] = []
        at = 0
        while True:
            done = await client.command(
                b"UID FETCH %b (UID BODY.PEEK[]<%d.%d>)"
                % (key.encode(), at, PIECE_OCTETS)
            )
            piece = None
            for fetched in map(_fetched, done.untagged):
                got = fetched.get(b"BODY[]<%d>" % at)
                if isinstance(got, bytes):
                    piece = got
            if piece is None:
                return None
            pieces.append(piece)
            at += len(piece)
            if len(piece) < PIECE_OCTETS:
                return b"".join(pieces)

    # -- what changes ---------------------------------------------------------

    async def add(self, path: Path, letters: Sequence[Letter]) -> list[str | MailError]:
        client = await self._select(path)
        before = await self._next(client, path)
        wire = _string(self._wire_of(path))
        asked = [
            client.command(
                b"APPEND ",
                wire,
                b" (%b) " % _written(letter.flags),
                encode_date_time(letter.internal_date),
                b" ",
                Literal(letter.octets),
            )
            for letter in letters
        ]
        keys: list[str | MailError | None] = []
        for _, done in await DeferredList(asked, consumeErrors=True):
            if isinstance(done, Failure):
                if not isinstance(done.value, ServerRefuses):
                    done.raiseException()
                keys.append(done.value)
                continue
            code, told = code_of(done.text)
            uid = told.split()[-1:] if code == b"APPENDUID" else []
            keys.append(uid[0].decode() if uid else None)
        if None in keys:
            await client.command(b"NOOP")
            new = await self._items(client, b"%d:*" % before)
            _find(keys, letters, [one for one in new if int(one.key) >= before])
        return [
            MailError("The other server does not tell which message that is")
            if key is None
            else key
            for key in keys
        ]

    async def _next(self, client: IMAPClient, path: Path) -> int:
        """UIDNEXT; not asked for where it is not needed."""
        if "UIDPLUS" in client.capabilities:
            return 1
        done = await client.command(
            b"STATUS ", _string(self._wire_of(path)), b" (UIDNEXT)"
        )
        for line in done.untagged:
            found = values(line)
            uid = pairs(found[-1]).get(b"UIDNEXT") if found else None
            if isinstance(uid, bytes) and uid.isdigit():
                return int(uid)
        return 1

    async def set_flags(self, path: Path, changes: Sequence[tuple[str, Flags]]) -> None:
        client = await self._select(path)
        by_flags: dict[Flags, list[int]] = {}
        for key, flags in changes:
            by_flags.setdefault(flags, []).append(int(key))
        for flags, uids in by_flags.items():
            which = SequenceSet.of_numbers(uids).encode()
            await client.command(
                b"UID STORE %b FLAGS.SILENT (%b)" % (which, _written(flags))
            )

    async def remove(self, path: Path, keys: Sequence[str]) -> None:
        client = await self._select(path)
        which = SequenceSet.of_numbers(map(int, keys)).encode()
        await client.command(b"UID STORE %b +FLAGS.SILENT (\\Deleted)" % which)
        if "UIDPLUS" in client.capabilities:
            await client.command(b"UID EXPUNGE " + which)

    async def close(self) -> None:
        if self._connected is not None:
            connected, self._connected = self._connected, None
            await connected.log_out()


# -- what answers mean ------------------------------------------------------------


def _list(
    line: bytes, word: bytes = b"LIST"
) -> tuple[frozenset[str], str | None, bytes] | None:
    """(attributes in lower case, delimiter, name) of an untagged LIST."""
    if line[: len(word) + 1].upper() != word + b" ":
        return None
    match values(line, len(word)):
        case [list(attributes), delimiter, bytes(name), *_]:
            told = _text(delimiter)[:1] or None
            return frozenset(_text(one).lower() for one in attributes), told, name
    return None


def _text(value: Value) -> str:
    return value.decode("ascii", "replace") if isinstance(value, bytes) else ""


def _namespace(line: bytes) -> tuple[str, str] | None:
    if line[:10].upper() != b"NAMESPACE ":
        return None
    match values(line, 10):
        case [[[bytes(prefix), bytes(delimiter), *_], *_], *_]:
            return prefix.decode("ascii", "replace"), delimiter.decode("ascii", "?")
    return None


def _fetched(line: bytes) -> dict[bytes, Value]:
    """The items of an untagged FETCH; nothing of another answer."""
    _, _, rest = line.partition(b" ")
    if rest[:6].upper() != b"FETCH ":
        return {}
    found = values(rest, 6)
    return pairs(found[0]) if found else {}


def _flags(told: list[Value]) -> Flags:
    words = [one.decode("utf-8", "replace") for one in told if isinstance(one, bytes)]
    return frozenset(canonical(word) for word in words) - {RECENT}


def _written(flags: Flags) -> bytes:
    return " ".join(sorted(flags - {RECENT})).encode()


def _date(told: bytes) -> int:
    try:
        return date_time(CommandScanner(Frame(b'"%b"' % told)))
    except MailError:
        return 0


def _find(
    keys: list[str | MailError | None], letters: Sequence[Letter], new: list[Item]
) -> None:
    """Fill in keys that the server did not tell: of messages that came since then."""
    for at, letter in enumerate(letters):
        if keys[at] is not None:
            continue
        for item in new:
            same = item.octets == len(letter.octets)
            if same and item.internal_date == letter.internal_date:
                keys[at] = item.key
                new.remove(item)
                break
