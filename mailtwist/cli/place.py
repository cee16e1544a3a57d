"""Where the configuration is if nobody says."""

from __future__ import annotations

import os

DEFAULT_CONFIG = "/etc/mailtwist/mailtwist.toml"


def config_file() -> str:
    return os.environ.get("MAILTWIST_CONFIG", DEFAULT_CONFIG)
