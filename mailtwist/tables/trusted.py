"""CAs of database servers."""

from __future__ import annotations

import ssl
from pathlib import Path

from ..errors import ConfigError


def trusted_cas(path: str) -> str | None:
    """PEM text of the file; None, for the system's CAs, if no file is named.

    It is read once, with the settings that name it: both may be root's alone.  Raises
    ConfigError if it cannot be read or holds no certificate."""
    if not path:
        return None
    try:
        text = Path(path).read_bytes().decode("ascii", "ignore")  # notes are in UTF-8
        if "-----BEGIN CERTIFICATE-----" not in text:
            raise ValueError("there is no certificate in it")
        ssl.create_default_context(cadata=text)
    except (OSError, ValueError) as fault:
        why = fault.strerror if isinstance(fault, OSError) else fault
        raise ConfigError(f"{path}: {why}") from fault
    return text
