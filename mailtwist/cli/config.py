"""`mailtwist config`: the commented sample and the manual of every option."""

from __future__ import annotations

import argparse

from ..config import reference


def configure(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("config", help="a sample configuration, the manual")
    leaves = parser.add_subparsers(metavar="WHAT", required=True)
    sample = leaves.add_parser("sample", help="print a commented sample file")
    sample.set_defaults(run=lambda options: show(reference.sample()))
    manual = leaves.add_parser("manual", help="print what every option means")
    manual.set_defaults(run=lambda options: show(reference.manual()))


def show(text: str) -> int:
    print(text, end="")
    return 0
