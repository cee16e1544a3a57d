"""`mailtwist server`: what a running server does, and replacing its workers."""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

from ..config.load import load
from ..service.control import ask


def configure(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "server",
        help="ask a running server what it does, or have it reload",
        description="Ask the server that runs with this configuration. Start it as "
        "root, or as the user that started the server.",
    )
    leaves = parser.add_subparsers(metavar="WHAT", required=True)
    status = leaves.add_parser("status", help="its processes and their sessions")
    status.add_argument("--json", action="store_true", help="all of it, for programs")
    status.set_defaults(run=run_status)
    reload = leaves.add_parser(
        "reload",
        help="read the configuration again and replace all workers, one by one",
        description="Read the configuration again and replace all workers, one by one, "
        "as SIGHUP does; returns when that is done. Clients in the old ones are told "
        "to come again, and no connection is refused.",
    )
    reload.set_defaults(run=run_reload)


def run_status(options: argparse.Namespace) -> int:
    told: dict[str, Any] = ask(load(options.config).server.data, "status")
    if options.json:
        print(json.dumps(told))
        return 0
    print(f"pid {told['pid']}, up {span(time.time() - told['since_s'])}")
    for worker in told["workers"]:
        print(line_of(worker))
    return 0


def run_reload(options: argparse.Namespace) -> int:
    done: str = ask(load(options.config).server.data, "reload")
    print(done)
    return 0


def line_of(worker: dict[str, Any]) -> str:
    """One process, for people."""
    sessions = worker.get("sessions")
    words = [f"worker {worker['number']}", f"pid {worker['pid']}", worker["state"]]
    if sessions is not None:
        counts = [f"{count} {name}" for name, count in sorted(sessions.items())]
        words.append(", ".join(counts) or "no sessions")
    if worker.get("queue"):
        words.append("runs the queue")
    return "  ".join(words)


def span(seconds: float) -> str:
    """As people say it: the two largest units."""
    left, parts = max(0, round(seconds)), list[str]()
    for unit, scale in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, left = divmod(left, scale)
        if count or (unit == "s" and not parts):
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])
