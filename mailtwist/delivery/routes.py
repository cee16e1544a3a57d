"""The `action` and `match` of routes as text: parsed, and told what may be."""

from __future__ import annotations

import re
import shlex
from ipaddress import ip_address

from ..address import Address, ascii_domain, normal_domain
from ..errors import BadAddress, MailError
from .model import Route

ACTIONS = (
    "`smtp:`, `smtp:domain`, `smtp:[host]:port`, `lmtp:[host]:port`, "
    "`lmtp:unix:/path`, `pipe:/path/of/command`, `error:5.1.2 text`, `discard:` or "
    "`smarthost:`"
)
MATCHES = "`domain`, `.domain` for everything below it, or `user@domain`"
SENDERS = "`user@domain` or `@domain`"
SMTP_PORT, LMTP_PORT = 25, 24

_ERROR = re.compile(r"(?:([45])\.(\d{1,3})\.(\d{1,3})(?:\s+|$))?(.*)", re.DOTALL)
_FAULT = re.compile(r"(?:[2-5]\d\d )?([245]\.\d{1,3}\.\d{1,3})(?: +(.*))?", re.DOTALL)
_HOST_PORT = re.compile(r"\[([^\[\]]+)\](?::(\d{1,5}))?")


def parsed_action(text: str) -> Route:
    """The route that an action names; raises ValueError with what may be."""
    transport, colon, rest = text.strip().partition(":")
    if not colon:
        raise ValueError(ACTIONS)
    match transport:
        case "smtp":
            return Route("smtp", _next_hop(rest) if rest else "")
        case "lmtp":
            if rest.startswith("unix:/") and "\0" not in rest:
                return Route("lmtp", rest)
            return Route("lmtp", host_port(rest, LMTP_PORT))
        case "pipe":
            return Route("pipe", _command(rest))
        case "error":
            return Route("error", _error(rest))
        case "discard":
            return Route("discard")
        case "smarthost" if not rest:
            return Route("smarthost")
    raise ValueError(ACTIONS)


def _next_hop(text: str) -> str:
    if text.startswith("["):
        return host_port(text, SMTP_PORT)
    try:
        return normal_domain(text)
    except BadAddress as fault:
        raise ValueError("`smtp:domain` or `smtp:[host]:port`") from fault


def host_port(text: str, port: int) -> str:
    """ "[host]:port", the port added if there is none; raises ValueError."""
    found = _HOST_PORT.fullmatch(text)
    told = "`[host]:port` with a name or an IP address and a port from 1 to 65535"
    if found is None or not 0 < int(found[2] or port) < 65536:
        raise ValueError(told)
    host = found[1]
    if host[:5].lower() == "ipv6:":
        host = host[5:]
    try:
        host = str(ip_address(host))
    except ValueError:
        try:
            host = ascii_domain(normal_domain(host))
        except BadAddress as fault:
            raise ValueError(told) from fault
    return f"[{host}]:{int(found[2] or port)}"


def _command(text: str) -> str:
    try:
        words = shlex.split(text)
    except ValueError as fault:
        raise ValueError(f"`pipe:/path/of/command`: {fault}") from fault
    if not words or not words[0].startswith("/") or not text.isprintable():
        raise ValueError("`pipe:/path/of/command` with an absolute path")
    return text.strip()


def _error(text: str) -> str:
    found = _ERROR.match(text.strip())
    told = found[4].strip() if found is not None else ""
    if found is None or not told.isascii() or not (told.isprintable()):
        raise ValueError("`error:5.1.2 text` with a text in printable ASCII")
    status = f"{found[1]}.{found[2]}.{found[3]}" if found[1] else "5.0.0"
    return f"{status} {told or 'Mail for that address is not taken'}"


def route_fault(text: str) -> MailError:
    """The fault of an "error" route: "5.1.2 text", or the text alone (5.0.0)."""
    found = _FAULT.match(text)
    status, public = (found[1], found[2]) if found else ("5.0.0", text)
    return MailError(public or "Mail for that address is not taken", status=status)


def check_match(text: str) -> str:
    """`text` as `matches` compares it; raises ValueError."""
    try:
        if "@" in text:
            address = Address.parse(text)
            return f"{address.quoted_local_part.lower()}@{address.domain}"
        if text.startswith("."):
            return "." + normal_domain(text[1:])
        return normal_domain(text)
    except BadAddress as fault:
        raise ValueError(MATCHES) from fault


def check_domain(text: str) -> str:
    """`domain` or `.domain` as `matches` compares it; raises ValueError."""
    if "@" in text:
        raise ValueError("`domain` or `.domain`")
    return check_match(text)


def check_sender(text: str) -> str:
    """The same of a sender: a whole address, or "@domain"."""
    try:
        if text.startswith("@"):
            return "@" + normal_domain(text[1:])
        if "@" in text:
            return check_match(text)
    except BadAddress as fault:
        raise ValueError(SENDERS) from fault
    raise ValueError(SENDERS)


def matches(match: str, address: Address, separator: str = "") -> bool:
    """True if a checked `match` means this address; all are meant by ""."""
    if not match or match == address.domain:
        return True
    if match.startswith("."):
        return address.domain.endswith(match)
    if match.startswith("@"):
        return match[1:] == address.domain
    if "@" not in match:
        return False
    local_part = address.quoted_local_part.lower()
    if match == f"{local_part}@{address.domain}":
        return True
    user, mark, _ = local_part.partition(separator) if separator else ("", "", "")
    return bool(mark and user) and match == f"{user}@{address.domain}"
