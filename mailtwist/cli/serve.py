"""`mailtwist serve`: the server in the foreground, the same as twistd."""

from __future__ import annotations

import argparse
import sys


def configure(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "serve", help="run the server (as twistd mailtwist does)"
    )
    parser.add_argument(
        "--daemon", action="store_true", help="go to the background, write a pid file"
    )
    parser.add_argument("--pidfile", metavar="FILE", help="where the pid is written")
    parser.add_argument(
        "--user", metavar="NAME", help="whom to run as, ports once open"
    )
    parser.add_argument("--group", metavar="NAME", help="the group to run as")
    parser.set_defaults(run=serve)


def serve(options: argparse.Namespace) -> int:
    """Hand over to twistd, which ends the process."""
    from twisted.scripts.twistd import run

    arguments = ["twistd"]
    if not options.daemon:
        arguments.append("--nodaemon")
    # Without a pid file wanted, the folder we are started in stays clean.
    arguments.append(f"--pidfile={options.pidfile or ''}")
    if options.user:
        arguments.append(f"--uid={options.user}")
    if options.group:
        arguments.append(f"--gid={options.group}")
    sys.argv = [*arguments, "mailtwist", "--config", options.config]
    run()
    return 0
