"""The `mailtwist` command: one file a subcommand, one parser for all."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from .. import __version__
from ..errors import ConfigError, MailError
from . import (
    alias,
    auth,
    backup,
    carry,
    check,
    completion,
    config,
    dkim,
    fsck,
    index,
    maildir,
    mailing_list,
    man,
    queue,
    quota,
    reports,
    restore,
    route,
    search,
    sendmail,
    serve,
    server,
    share,
    sieve,
    undelete,
    user,
)
from .place import DEFAULT_CONFIG, config_file

COMMANDS = (
    serve,
    server,
    check,
    config,
    user,
    share,
    mailing_list,
    auth,
    alias,
    dkim,
    route,
    queue,
    reports,
    sieve,
    search,
    index,
    quota,
    fsck,
    maildir,
    carry.IMPORT,
    carry.EXPORT,
    backup,
    restore,
    undelete,
    sendmail,
    completion,
    man,
)


def parser() -> argparse.ArgumentParser:
    """The whole grammar of the command line; completion is printed from it."""
    made = argparse.ArgumentParser(
        prog="mailtwist", description="A whole mail server in one program."
    )
    made.add_argument("--version", action="version", version=f"mailtwist {__version__}")
    made.add_argument(
        "-c",
        "--config",
        metavar="FILE",
        default=config_file(),
        help="the TOML file that describes the server (default: $MAILTWIST_CONFIG "
        f"or {DEFAULT_CONFIG})",
    )
    subparsers = made.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.configure(subparsers)
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit status: 0 done, 1 refused, 2 wrong usage."""
    options = parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except ConfigError as fault:
        print(fault, file=sys.stderr)
    except MailError as fault:
        print(f"mailtwist: {fault.public}", file=sys.stderr)
    except KeyboardInterrupt:
        print(file=sys.stderr)
    except BrokenPipeError:  # the reader of our output went away
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


def run() -> None:
    """The console script."""
    sys.exit(main())
