"""Account files of other programs, as rows: Dovecot's passwd-file, Courier's userdb,
passwd(5) and shadow(5).

A hash stays the text that the file has (`hashes_schemes` judges it).  A line that
cannot be used is a `BadLine`, which never repeats what stood there: it may be a secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from attrs import evolve, field, frozen

from .model import INBOX_IS, MAILDIR, MBOX, USES

DAY_S = 86_400
NO_LIMIT_DAYS = 99_999  # how shadow(5) writes "never"

_NO_HASH = ("", "x")  # in passwd(5): the hash is in shadow, or anybody may come in
_SPOOLS = ("/var/mail/", "/var/spool/mail/")
_DOVECOT_SIZE = re.compile(r"(\d+)\s*([BKMGT]?)(?:I?B)?", re.IGNORECASE)
_POWER = {"B": 0, "": 1, "K": 1, "M": 2, "G": 3, "T": 4}  # KiB if nobody says
_COURIER_OFF = {"disableimap": "imap4", "disablepop3": "pop3", "disablewebmail": "web"}
# Courier's passwords of one service, and what they are for.
_COURIER_SERVICES = {"imappw": "imap4", "pop3pw": "pop3", "esmtppw": "send"}


@frozen
class PasswdRow:
    """One account of a file.

    `hash` is None if no password lets it in, else `{SCHEME}text` or `$id$...` as the
    file has it ("!" and "*" in front lock it).  `mailbox` as in `Account`; `quota` as
    in docs/accounts.md ("1000S,5C" or ""); `uses` of `USES`, None for all.  `extra` has
    the other fields as texts; `ignored` names those of them that would mean something
    and are not obeyed here.
    """

    name: str
    line: int  # from 1
    hash: str | None = field(default=None, repr=False)
    uid: int | None = None
    gid: int | None = None
    home: str = ""
    mailbox: str = ""
    quota: str = ""
    uses: frozenset[str] | None = None
    login_until_s: float | None = None  # Unix time
    extra: Mapping[str, str] = field(factory=dict, repr=False)
    ignored: tuple[str, ...] = ()

    @property
    def locked(self) -> bool:
        return self.hash is None or self.hash.startswith(("!", "*"))

    def texts(self) -> dict[str, str]:
        """By the names of docs/accounts.md, as `fields.Fields` wants them."""
        found = {
            "name": self.name,
            "password": self.hash or "",
            "uid": _text(self.uid),
            "gid": _text(self.gid),
            "home": self.home,
            "mailbox": self.mailbox,
            "quota": self.quota,
            "uses": "" if self.uses is None else ",".join(sorted(self.uses)) or "none",
            "login_until_s": _text(self.login_until_s),
        }
        return {name: text for name, text in found.items() if text}


@frozen
class BadLine:
    """A line that is no account; `why` for people, without what stood there."""

    line: int
    why: str


Found = PasswdRow | BadLine


def rows_of(format_name: str, text: str) -> Iterator[Found]:
    """The rows of a whole file in the format `dovecot`, `courier`, `passwd` or
    `shadow`; empty lines and comments are none.  Raises KeyError for other formats."""
    parse = FORMATS[format_name]
    for number, line in enumerate(text.split("\n"), 1):
        line = line.removesuffix("\r")
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            yield parse(line, number)
        except ValueError as fault:
            yield BadLine(number, str(fault))


def system_rows(passwd: str, shadow: str) -> Iterator[Found]:
    """The rows of passwd(5) with the hashes and dates of shadow(5)."""
    secret: dict[str, PasswdRow] = {}
    for row in rows_of("shadow", shadow):
        if isinstance(row, PasswdRow):
            secret.setdefault(row.name, row)
        else:
            yield row
    for row in rows_of("passwd", passwd):
        if isinstance(row, PasswdRow) and row.name in secret and row.hash is None:
            known = secret[row.name]
            row = evolve(row, hash=known.hash, login_until_s=known.login_until_s)
        yield row


def passwd_line(line: str, number: int) -> PasswdRow:
    """name:hash:uid:gid:gecos:home:shell"""
    parts = line.split(":")
    if len(parts) != 7:
        raise ValueError("expected 7 fields between colons")
    name, hashed, uid, gid, gecos, home, shell = parts
    return PasswdRow(
        _name(name),
        number,
        None if hashed in _NO_HASH else hashed,
        _number(uid, "uid"),
        _number(gid, "gid"),
        home,
        extra={"gecos": gecos, "shell": shell},
    )


def shadow_line(line: str, number: int) -> PasswdRow:
    """name:hash:changed:least:most:warn:inactive:expires:reserved, in days."""
    parts = line.split(":")
    if not 2 <= len(parts) <= 9:
        raise ValueError("expected 9 fields between colons")
    name, hashed, *days = [*parts, *[""] * (9 - len(parts))]
    changed, most, expires = _days(days[0]), _days(days[2]), _days(days[5])
    ends = [] if expires is None else [expires]
    if changed == 0:  # it is to be changed at the next login, which we cannot do
        ends.append(0)
    elif changed is not None and most is not None and most < NO_LIMIT_DAYS:
        ends.append(changed + most + 1)
    until = float(min(ends) * DAY_S) if ends else None
    return PasswdRow(_name(name), number, hashed or None, login_until_s=until)


def dovecot_line(line: str, number: int) -> PasswdRow:
    """user:password:uid:gid:gecos:home:shell:extra fields, all but the user optional.

    Extra fields are `key` or `key=value` between spaces; those of the userdb begin with
    `userdb_`, and may have colons."""
    parts = line.split(":", 7)
    name, hashed, uid, gid, _, home, _, more = [*parts, *[""] * (8 - len(parts))]
    extra: dict[str, str] = {}
    for word in more.split():
        key, _, value = word.partition("=")
        extra[key.lower().removeprefix("userdb_")] = value
    name = _name(name)
    home = _dovecot_filled(extra.pop("home", "") or home, name, "")
    no_login = "nologin" in extra and extra.pop("nologin").lower() not in ("n", "no")
    mailbox = _dovecot_mailbox(extra, name, home)
    quota = _dovecot_quota(extra)
    if "nopassword" in extra:  # anybody's password would do
        hashed = ""
    return PasswdRow(
        name,
        number,
        hashed or None,
        _number(extra.pop("uid", "") or uid, "uid"),
        _number(extra.pop("gid", "") or gid, "gid"),
        home,
        mailbox,
        quota,
        frozenset({"receive"}) if no_login else None,
        extra=extra,
        ignored=tuple(sorted(extra)),
    )


def _dovecot_mailbox(extra: dict[str, str], name: str, home: str) -> str:
    """`mail=maildir:~/Maildir`, `mbox:~/mail:INBOX=/var/mail/ann`, or as Dovecot 2.4
    has it; a location that cannot be used here stays in `extra`."""
    said = extra.get("mail") or extra.get("mail_location", "")
    driver, _, place = said.partition(":")
    path, *options = place.split(":")
    inbox = next((o[6:] for o in options if o.startswith("INBOX=")), "")
    if not said:
        driver, path = extra.get("mail_driver", ""), extra.get("mail_path", "")
        inbox = extra.get("mail_inbox_path", "")
    path = _dovecot_filled(path, name, home)
    inbox = _dovecot_filled(inbox, name, home)
    if driver not in ("maildir", "mbox") or not path or "%" in path + inbox:
        return ""
    for key in ("mail", "mail_location", "mail_driver", "mail_path", "mail_inbox_path"):
        extra.pop(key, None)
    path = path.removeprefix("~/").rstrip("/")
    if driver == "maildir":
        mixed = inbox and inbox[-1] != "/"
        return f"{MAILDIR}{path}{INBOX_IS}{inbox}" if mixed else f"{path}/"
    return f"{MBOX}{path}{INBOX_IS}{inbox}" if inbox else f"{MBOX}{path}"


def _dovecot_filled(text: str, name: str, home: str) -> str:
    user, _, domain = name.partition("@")
    known = {"%u": name, "%n": user, "%d": domain, "%h": home or "~", "%%": "%"}
    for letter, long in (("u", "user"), ("n", "user | username"), ("h", "home")):
        text = text.replace("%{" + long + "}", f"%{letter}")
    if ("%n" in text or "%u" in text) and ("/" in name or user in (".", "..")):
        raise ValueError("the name is no name of a folder")
    return re.sub("%[undh%]", lambda code: known[code[0]], text)


def _dovecot_quota(extra: dict[str, str]) -> str:
    """`quota_rule=*:storage=1G:messages=1000`, or as Dovecot 2.4 has it."""
    octets: str | None = extra.pop("quota_storage_size", None)
    messages: str | None = extra.pop("quota_message_count", None)
    root, _, limits = extra.get("quota_rule", "").partition(":")
    if root == "*":
        del extra["quota_rule"]
        for word in limits.split(":"):
            key, _, value = word.partition("=")
            match key:
                case "storage":
                    octets = value
                case "bytes":
                    octets = f"{value}B"
                case "messages":
                    messages = value
    words = []
    if octets:
        found = _DOVECOT_SIZE.fullmatch(octets)
        if found is None:
            raise ValueError("the quota is no size")
        words.append(f"{int(found[1]) * 1024 ** _POWER[found[2].upper()]}S")
    if messages:
        words.append(f"{_number(messages, 'number of messages')}C")
    return ",".join(words)


def courier_line(line: str, number: int) -> PasswdRow:
    """name, white space, field=value|field=value ..."""
    found = re.fullmatch(r"(\S+)(?:\s+(.*))?", line.rstrip())
    if found is None:
        raise ValueError("expected a name at the beginning of the line")
    fields: dict[str, str] = {}
    for word in (found[2] or "").split("|"):
        key, _, value = word.partition("=")
        if key:
            fields[key.strip()] = value
    hashed, uses = _courier_password(fields)
    options = dict(o.partition("=")[::2] for o in fields.get("options", "").split(","))
    off = {use for key, use in _COURIER_OFF.items() if options.get(key) == "1"}
    if off:
        uses = (frozenset(USES) if uses is None else uses) - off
    mail = fields.pop("mail", "")
    if mail and not mail.startswith(_SPOOLS):
        mail = mail.removeprefix("./").rstrip("/") + "/"
    known = {"uid", "gid", "home", "quota", "options", "shell", "gecos"}
    return PasswdRow(
        _name(found[1]),
        number,
        hashed,
        _number(fields.get("uid", ""), "uid"),
        _number(fields.get("gid", ""), "gid"),
        fields.get("home", ""),
        mail,
        _courier_quota(fields.get("quota", "")),
        uses,
        extra={key: value for key, value in fields.items() if key not in known},
        ignored=tuple(sorted({*fields, *options} - known - {""} - {*_COURIER_OFF})),
    )


def _courier_password(
    fields: dict[str, str],
) -> tuple[str | None, frozenset[str] | None]:
    """(hash, what it is for); takes away what was used.

    The password of all services counts; without one, the first service's, for those
    services that have the same."""
    system = fields.pop("systempw", "")
    if system:
        return system, None
    own = {
        service: fields[service] for service in _COURIER_SERVICES if service in fields
    }
    hashed = next((text for text in own.values() if text), "")
    if not hashed:
        return None, None
    same = [service for service, text in own.items() if text == hashed]
    for service in same:
        del fields[service]
    return hashed, frozenset({"receive", *(_COURIER_SERVICES[one] for one in same)})


def _courier_quota(text: str) -> str:
    if text and not re.fullmatch(r"\d+[SC](,\d+[SC])*", text, re.IGNORECASE):
        raise ValueError("the quota is not like 1000S,5C")
    return text


def _name(text: str) -> str:
    if not text or text != text.strip() or text.startswith(("+", "-")):
        raise ValueError("there is no name at the beginning of the line")
    if not text.isprintable():
        raise ValueError("the name is not UTF-8, or has control characters")
    return text


def _number(text: str, what: str) -> int | None:
    if not text:
        return None
    if not re.fullmatch("[0-9]{1,10}", text):
        raise ValueError(f"the {what} is no number")
    return int(text)


def _days(text: str) -> int | None:
    """None for what shadow(5) leaves empty; -1 means the same."""
    return None if text in ("", "-1") else _number(text, "number of days")


def _text(value: object) -> str:
    return "" if value is None else str(value)


FORMATS: dict[str, Callable[[str, int], PasswdRow]] = {
    "dovecot": dovecot_line,
    "courier": courier_line,
    "passwd": passwd_line,
    "shadow": shadow_line,
}
