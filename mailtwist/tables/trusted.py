"""CAs of database servers."""

from __future__ import annotations

import os
import ssl

from ..errors import ConfigError


def trusted_cas(path: str) -> str | None:
    """PEM text of the file; None, for the system's CAs, if no file is named.

    Raises ConfigError if it cannot be read or holds no certificate."""
    if not path:
        return None
    try:
        opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as fault:
        raise ConfigError(f"{path}: {fault.strerror}") from fault
    return cas_in(path, opened)


def cas_in(path: str, opened: int) -> str:
    """As trusted_cas, from a descriptor, which is closed."""
    try:
        with os.fdopen(opened, "rb") as file:
            text = file.read().decode("ascii", "ignore")  # notes are in UTF-8
        if "-----BEGIN CERTIFICATE-----" not in text:
            raise ValueError("there is no certificate in it")
        ssl.create_default_context(cadata=text)
    except (OSError, ValueError) as fault:
        why = fault.strerror if isinstance(fault, OSError) else fault
        raise ConfigError(f"{path}: {why}") from fault
    return text
