"""How a command logs in at another server, with no password on a command line."""

from __future__ import annotations

import argparse
import getpass
import os
import sys

from ..carry.imap import Remote
from ..errors import MailError
from ..secret import Secret

VARIABLE = "MAILTWIST_REMOTE_PASSWORD"
MOST_OCTETS = 64 * 1024


def configure(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "another IMAP server",
        "imaps:// is TLS from the start, imap:// STARTTLS.  The password is the first "
        f"line of --password-file or --password-fd, or in ${VARIABLE}; a terminal is "
        "asked if there is none.",
    )
    group.add_argument("--password-file", metavar="FILE")
    group.add_argument("--password-fd", metavar="NUMBER", type=int)
    group.add_argument(
        "--ca", metavar="FILE", default="", help="trust its certificates, in PEM"
    )
    group.add_argument(
        "--any-certificate",
        action="store_true",
        help="do not look whose certificate it is; for the same machine only",
    )
    group.add_argument(
        "--no-tls",
        action="store_true",
        help="everything in clear; passwords only to this machine, or by a challenge",
    )


def remote(url: str, options: argparse.Namespace) -> Remote:
    """Raises MailError."""
    how = {"tls": "none"} if options.no_tls and url.startswith("imap://") else {}
    check = not options.any_certificate
    named = Remote.of(url, Secret(b""), check=check, ca=options.ca, **how)
    secret = password(options, named.name)
    return Remote.of(url, secret, check=check, ca=options.ca, **how)


def password(options: argparse.Namespace, name: str) -> Secret:
    if options.password_file is not None:
        return _first_line(os.open(options.password_file, os.O_RDONLY | os.O_CLOEXEC))
    if options.password_fd is not None:
        return _first_line(options.password_fd)
    told = os.environ.pop(VARIABLE, None)
    if told is not None:
        return Secret(os.fsencode(told))
    if not sys.stdin.isatty():
        raise MailError(f"No password: say --password-file, or set ${VARIABLE}")
    return Secret(getpass.getpass(f"Password of {name}: ").encode())


def _first_line(descriptor: int) -> Secret:
    with os.fdopen(descriptor, "rb") as file:
        return Secret(file.read(MOST_OCTETS).partition(b"\n")[0].rstrip(b"\r"))
