"""`mailtwist sendmail`: the command that cron, mail and scripts know.

A message is durable in the drop folder before the command ends, also while the server
does not run.  Exit statuses are those of sysexits.h, as callers look at them.  Sending
loads no more of the house than it needs, as scripts do it often.
"""

from __future__ import annotations

import argparse
import os
import pwd
import secrets
import socket
import sys
from collections.abc import Sequence
from email.utils import formatdate
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import define, field

from ..address import Address, normal_domain
from ..config.load import load
from ..config.model import Config
from ..delivery.model import Notify, Wishes
from ..errors import BadAddress, ConfigError, MailError, MessageTooBig
from ..mime.typed import complete, until_dot
from ..queue.drop import Dropped, put

if TYPE_CHECKING:
    from ..service.build import MailService

EX_USAGE, EX_DATAERR, EX_NOUSER, EX_UNAVAILABLE = 64, 65, 67, 69
EX_TEMPFAIL, EX_CONFIG = 75, 78

# Letters that take a value, attached or as the next word, and those that take none.
_WITH_VALUE = "ABCFLNORVXbfhopr"
_ALONE = "GIUcegimntvw"


class Usage(MailError):
    """The command line cannot be understood."""

    status = "5.5.4"


@define
class Options:
    """What a sendmail command line asks."""

    mode: str = "m"  # of -b: m sends, p lists, s talks SMTP, v verifies, i newaliases
    sender: str | None = None  # of -f; "" and "<>" are the null path
    full_name: str = ""
    from_fields: bool = False  # -t
    dot_ends: bool = True  # not -i
    verbose: bool = False
    flush: str = ""  # of -q: "all", "I<id>" or "R<domain>"
    body: str = ""
    envid: str = ""
    ret: str = ""
    notify: frozenset[str] | None = None
    config: str = ""
    recipients: list[str] = field(factory=list)


def configure(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    # With a prefix that nobody types, every word comes here as it is.
    parser = subparsers.add_parser(
        "sendmail",
        prefix_chars="\0",
        add_help=False,
        help="send a message from standard input, as the sendmail command does",
    )
    parser.add_argument("words", nargs="*", metavar="ARGUMENT")
    parser.set_defaults(run=lambda options: main(options.words, options.config))


def main(arguments: Sequence[str], config_file: str) -> int:
    """Do what the command line asks; a status of sysexits.h."""
    try:
        options = parse(arguments)
        return _run(options, options.config or config_file)
    except ConfigError as fault:
        print(fault, file=sys.stderr)
        return EX_CONFIG
    except MailError as fault:
        print(f"sendmail: {fault.public}", file=sys.stderr)
        if isinstance(fault, Usage):
            return EX_USAGE
        if isinstance(fault, BadAddress):
            return EX_DATAERR
        return EX_TEMPFAIL if fault.temporary else EX_UNAVAILABLE


def _run(options: Options, config_file: str) -> int:
    config = load(config_file)
    match options.mode:
        case "p":
            from .queue import print_mailq

            return print_mailq(config)
        case "i":
            from .alias import checked

            # Nothing to rebuild: files are read anew when they change.
            wrong, lines = checked(config)
            for line in lines:
                print(f"newaliases: {line}", file=sys.stderr)
            return EX_DATAERR if wrong else 0
        case "s":
            from twisted.internet import reactor

            from . import standalone

            standalone.serve(config, drop_folder(config), reactor)
        case "v":
            return verify(options, config)
        case "m":
            if options.flush:
                from .queue import flush

                return flush(config, options.flush)
            submit(options, config, sys.stdin.buffer.read())
        case _:
            raise Usage(f"-b{options.mode} starts no server here: use mailtwist serve")
    return 0


def parse(arguments: Sequence[str]) -> Options:
    """Letters may be put together and values attached, as Sendmail takes them.

    Raises Usage.
    """
    options, words = Options(), list(arguments)
    while words:
        word = words.pop(0)
        if word == "--":
            options.recipients += words
            break
        if not word.startswith("-") or word == "-":
            options.recipients.append(word)
            continue
        letters = word[1:]
        while letters:
            letter, letters = letters[0], letters[1:]
            if letter == "q":
                options.flush, letters = letters or "all", ""
            elif letter in _WITH_VALUE:
                if not letters and not words:
                    raise Usage(f"-{letter} needs a value")
                value, letters = letters or words.pop(0), ""
                _take(options, letter, value)
            elif letter in _ALONE:
                _take(options, letter, "")
            else:
                raise Usage(f"-{letter} is not an option of sendmail")
    return options


def _take(options: Options, letter: str, value: str) -> None:
    match letter:
        case "b":
            if value not in ("m", "p", "s", "v", "i", "d", "l", "h", "H"):
                raise Usage(f"-b{value} is not a mode of sendmail")
            options.mode = value
        case "f" | "r":
            options.sender = "" if value == "<>" else value
        case "F":
            options.full_name = value
        case "t":
            options.from_fields = True
        case "i":
            options.dot_ends = False
        case "o":
            options.dot_ends = options.dot_ends and value != "i"
        case "I":
            options.mode = "i"
        case "v":
            options.verbose = True
        case "B":
            options.body = value.upper()
        case "V":
            options.envid = value
        case "R":
            options.ret = value.upper()
        case "N":
            options.notify = frozenset(value.upper().replace(" ", "").split(","))
        case "C":
            options.config = value
        case _:
            pass  # taken and without meaning here, as in other mail systems


def wishes_of(options: Options, octets: bytes, utf8: bool) -> Wishes:
    """Raises Usage for values that no server would take."""
    if options.body not in ("", "7BIT", "8BITMIME", "BINARYMIME"):
        raise Usage(f"-B{options.body}: 7BIT or 8BITMIME")
    if options.ret not in ("", "FULL", "HDRS"):
        raise Usage(f"-R{options.ret}: full or hdrs")
    known = {"NEVER", "SUCCESS", "FAILURE", "DELAY"}
    when = options.notify
    if when is not None and (not when <= known or (len(when) > 1 and "NEVER" in when)):
        raise Usage("-N: never, or some of success, failure, delay with commas")
    body = options.body or ("7BIT" if octets.isascii() else "8BITMIME")
    return Wishes(body, utf8, options.ret, options.envid)


def submit(options: Options, config: Config, octets: bytes) -> str:
    """Drop the message that was piped in; its name in the folder.  Raises MailError."""
    folder = drop_folder(config)
    hostname = config.server.hostname or socket.getfqdn()
    domain = config.domain[0].name if config.domain else hostname
    user = pwd.getpwuid(os.getuid())
    sender = Address(user.pw_name, domain)
    reverse_path: Address | None = sender
    full_name = options.full_name
    if options.sender is None:
        full_name = full_name or user.pw_gecos.partition(",")[0]
    else:
        reverse_path = address(options.sender, domain) if options.sender else None
    typed = complete(
        until_dot(octets) if options.dot_ends else octets,
        sender=str(reverse_path or Address("MAILER-DAEMON", domain)),
        full_name=full_name,
        date=formatdate(localtime=True).encode(),
        message_id=f"<{secrets.token_hex(12)}@{hostname}>".encode(),
    )
    recipients = [address(text, domain) for text in options.recipients]
    if options.from_fields:
        for local_part, host in typed.recipients:
            name = local_part.decode("utf-8", "replace")
            at = normal_domain(host.decode("utf-8", "replace")) if host else domain
            recipients.append(Address(name, at))
    if not recipients:
        raise Usage("Recipient addresses must be given, or -t with a To, Cc or Bcc")
    if len(typed.octets) > config.smtp.message_octets:
        raise MessageTooBig()
    paths = [*recipients, *([reverse_path] if reverse_path else [])]
    header = typed.octets.partition(b"\r\n\r\n")[0]
    utf8 = not header.isascii() or not all(path.ascii for path in paths)
    dropped = Dropped(
        reverse_path,
        tuple(dict.fromkeys(recipients)),
        wishes_of(options, typed.octets, utf8),
        Notify(options.notify),
    )
    return put(folder, dropped, typed.octets)


def verify(options: Options, config: Config) -> int:
    """-bv: say of each recipient where its mail would go; nothing is sent."""
    from ..delivery.explain import Decision, decision_lines
    from .asking import awaited

    domain = config.domain[0].name if config.domain else ""
    wanted = [address(text, domain) for text in options.recipients]
    if not wanted:
        raise Usage("Recipient addresses must be given")
    sender = address(options.sender, domain) if options.sender else None

    async def decided(service: MailService) -> list[Decision]:
        return [
            await service.router.explain(one, may_relay=True, sender=sender)
            for one in wanted
        ]

    decisions = awaited(config, decided)
    for decision in decisions:
        print("\n".join(decision_lines(decision)))
    return EX_NOUSER if any(decision.fault for decision in decisions) else 0


def drop_folder(config: Config) -> Path:
    """Raises ConfigError if there is none."""
    if not config.queue.drop:
        raise ConfigError("queue.drop is not set: name a folder for sendmail")
    return Path(config.queue.drop)


def address(text: str, domain: str) -> Address:
    """An address as typed, with or without brackets and domain; raises BadAddress."""
    if text.startswith("<") and text.endswith(">"):
        text = text[1:-1]
    try:
        found = Address.parse(text)
    except BadAddress as fault:
        raise BadAddress(f"{text}: {fault.public}") from fault
    return found if found.domain else Address(found.local_part, domain)
