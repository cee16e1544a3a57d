"""`mailtwist maildir`: Maildirs made by hand, as Courier's maildirmake does."""

from __future__ import annotations

import argparse

from ..errors import MailError
from ..store.maildir import making
from .accounts import told


def configure(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "maildir",
        help="make Maildirs and folders by hand",
        description="Makes Maildirs without an account, in /etc/skel for one.",
    )
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    make = actions.add_parser(
        "make",
        help="a Maildir, a folder in one, or a link to a shared one",
        description="Makes a Maildir for whoever runs this; with another option, "
        "something in a Maildir that is there. The options are those of Courier's "
        "maildirmake.",
    )
    make.add_argument("path", metavar="MAILDIR", help="the Maildir")
    make.add_argument(
        "-f",
        dest="folder",
        metavar="FOLDER",
        help='make a folder in it; "Sent.2026" lies in "Sent"',
    )
    make.add_argument(
        "-S",
        dest="sharable",
        action="store_true",
        help="a Maildir that others may enter, for folders made with -s",
    )
    make.add_argument(
        "-s",
        dest="mode",
        metavar="MODE",
        help="with -f: others may `read` the folder or `write` to it too; "
        "`read,group` or `write,group` for its group alone",
    )
    make.add_argument(
        "--add", metavar="NAME=PATH", help="show its owner a shared Maildir as NAME"
    )
    make.add_argument(
        "--del", dest="remove", metavar="NAME", help="do not show it any more"
    )
    make.set_defaults(run=told(run_make))


def run_make(options: argparse.Namespace) -> int:
    path = options.path.rstrip("/") or "/"
    ways = [options.folder, options.add, options.remove]
    if sum(way is not None for way in ways) > 1:
        raise MailError("one of -f, --add and --del at a time")
    if options.mode is not None and options.folder is None:
        raise MailError("-s is for a folder: add -f FOLDER")
    if options.folder is not None:
        shares = None
        if options.mode is not None or options.sharable:
            mode = "read" if options.mode is None else options.mode
            shares = making.Shares.parse(mode)
        making.make_folder(path, options.folder, shares)
    elif options.add is not None:
        name, _, target = options.add.partition("=")
        making.link(path, name, target)
    elif options.remove is not None:
        making.unlink(path, options.remove)
    else:
        making.make(path, sharable=options.sharable)
    return 0
