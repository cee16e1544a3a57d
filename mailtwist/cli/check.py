"""`mailtwist check`: can the server start with this file, and is it safe?"""

from __future__ import annotations

import argparse
import os
import pwd
import stat
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509

from ..auth.checkers.system import service_at
from ..auth.credentials import Door
from ..config.listener import parameters, translated
from ..config.load import load
from ..config.model import Config
from ..errors import ConfigError
from ..host_port import host_port
from ..keeper.tasks import SERVICE_FOLDERS
from ..log.setup import SYSLOG_SOCKET
from ..service.privileges import identity
from ..service.sieve import known_of
from ..service.tls import ServerTls
from ..sieve.check import compiled
from ..sieve.faults import ScriptError
from ..smtp.client_login import read_credentials
from ..smtp.transport_smarthost import SUBMISSION
from ..tables.access import bad_actions
from ..tables.build import Tables, mistakes, text_files

FIRST_FREE_PORT = 1024
EXPIRES_SOON = timedelta(days=14)


def configure(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "check", help="check the configuration, the permissions and the certificate"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print every finding; 1 if the server would not start or would be unsafe."""
    config = load(options.config)
    findings = [
        *configuration(config),
        *processes(config, root=os.geteuid() == 0),
        *permissions(config),
        *ports(config, root=os.geteuid() == 0),
        *logs(config),
        *certificate(config),
        *smarthosts(config),
        *lookups(config),
        *scripts(config),
    ]
    for wrong, text in findings:
        print(f"{'error' if wrong else 'note'}: {text}", file=sys.stderr)
    if any(wrong for wrong, _ in findings):
        return 1
    print(f"{options.config}: fine")
    return 0


Findings = Iterator[tuple[bool, str]]  # (is it an error, what and what to do)


def configuration(config: Config) -> Findings:
    """What is allowed but hardly meant."""
    if not config.domain:
        yield True, "no [[domain]]: nobody's mail is delivered here; name one"
    if not config.listener:
        yield True, "no [[listener]]: nothing would be served; name one"
    for listener in map(translated, config.listener):
        if listener.tls == "none" and listener.protocol != "smtp":
            yield (
                False,
                f"{listener.endpoint} offers no TLS: nobody can log in there"
                + (", but in clear" if config.auth.plaintext_without_tls else ""),
            )
    if config.auth.plaintext_without_tls:
        yield False, "auth.plaintext_without_tls: passwords may cross the net in clear"


def processes(config: Config, *, root: bool) -> Findings:
    """Whom the server runs as, and PAM."""
    try:
        user = identity(config.process)
    except ConfigError as fault:
        yield True, str(fault)
        return
    if root and user is None:
        yield False, "process.user is empty: what root starts stays root"
    protocols = {listener.protocol for listener in map(translated, config.listener)}
    for source in config.source:
        if source.kind != "system":
            continue
        if user is None:
            yield (
                False,
                f"source {source.called}: without process.user only a server that "
                "stays root knows all passwords and reaches all mail",
            )
        services = {
            service_at(source.service, Door(protocol)) for protocol in protocols
        }
        for service in sorted(services if source.logins else ()):
            if not any(Path(folder, service).exists() for folder in SERVICE_FOLDERS):
                yield (
                    True,
                    f"source {source.called}: there is no /etc/pam.d/{service}; copy "
                    "etc/pam.d/mailtwist",
                )


def lookups(config: Config) -> Findings:
    """Tables, alias files, and whom commands run as."""
    try:
        Tables(None, config)  # opens nothing, but reads settings
    except ConfigError as fault:
        yield True, str(fault)
    for path, make in text_files(config):
        yield from mistakes(path, make)
    yield from ((True, text) for text in bad_actions(config))
    if config.alias.commands or config.alias.forward_commands:
        user = config.alias.command_user
        try:
            root = pwd.getpwnam(user).pw_uid == 0
        except KeyError:
            yield True, f"alias.command_user: there is no user {user}"
        else:
            if root:
                yield True, "alias.command_user: commands do not run as root"


def scripts(config: Config) -> Findings:
    """The server's own Sieve scripts."""
    sieve = config.sieve
    try:
        known = known_of(config)
    except ConfigError as fault:
        yield True, str(fault)
        return
    tables = {table.name for table in config.table}
    for name in sieve.lists:
        if name not in tables:
            yield True, f"sieve.lists: there is no table {name}"
    files = [*sieve.before, *sieve.after, *([sieve.default] if sieve.default else [])]
    if sieve.shared:
        files += map(str, sorted(Path(sieve.shared).glob("*.sieve")))
    for path in files:
        try:
            compiled(Path(path).read_bytes(), known, sieve.script_octets)
        except OSError as cause:
            yield True, f"{path}: {cause.strerror}"
        except ScriptError as fault:
            yield True, f"{path}: {fault.public}"


def permissions(config: Config) -> Findings:
    """Folders and files that must be ours, and only ours."""
    data = Path(config.server.data)
    place = data
    while not place.exists():
        place = place.parent
    if not os.access(place, os.W_OK | os.X_OK):
        yield True, f"{place}: cannot be written by uid {os.geteuid()}"
    if data.exists() and data.stat().st_mode & stat.S_IWOTH:
        yield True, f"{data}: everybody may write there; chmod o-w"
    for path in (*data.glob("*.key"), *data.glob("*.sqlite"), *key_files(config)):
        if path.exists() and path.stat().st_mode & (stat.S_IRWXO | stat.S_IWGRP):
            yield True, f"{path}: readable by others; chmod 600"


def smarthosts(config: Config) -> Findings:
    """Names, and logins that nobody else may read."""
    for smarthost in config.smarthost:
        try:
            host_port(smarthost.host, SUBMISSION)
            if smarthost.credentials:
                read_credentials(smarthost.credentials)
        except (ValueError, ConfigError) as fault:
            yield True, f"smarthost {smarthost.host}: {fault}"
        if smarthost.credentials and smarthost.tls == "none":
            yield False, f"smarthost {smarthost.host}: the login is not kept secret"


def ports(config: Config, *, root: bool) -> Findings:
    """Ports that only some may open."""
    for listener in map(translated, config.listener):
        port = int(parameters(listener.endpoint).get("port", FIRST_FREE_PORT))
        if not root and 0 < port < FIRST_FREE_PORT:
            yield (
                False,
                f"{listener.endpoint}: needs root or CAP_NET_BIND_SERVICE, which "
                "etc/mailtwist.service gives",
            )


def logs(config: Config) -> Findings:
    """The file, its folder, or the socket of syslog."""
    kind, _, path = config.log.to.partition(":")
    if kind == "syslog":
        place = Path(path or SYSLOG_SOCKET)
        if not place.is_socket():
            yield False, f"log.to: no syslog at {place}; lines wait, then are lost"
    elif kind != "stdout":
        file = Path(config.log.to)
        place = file if file.exists() else file.parent
        if file.is_dir() or not os.access(place, os.W_OK):
            yield True, f"log.to: {file} cannot be written by uid {os.geteuid()}"


def key_files(config: Config) -> Iterator[Path]:
    key = config.tls.key or config.tls.certificate
    if key:
        yield Path(key)
    else:
        yield Path(config.server.data, "tls", "self-signed.key")


def certificate(config: Config) -> Findings:
    """The certificate of the file, if it names one."""
    if not config.tls.certificate:
        yield False, "no tls.certificate: a self-signed one is used"
        return
    path = Path(config.tls.certificate)
    try:
        ServerTls(path, Path(config.tls.key or path), config.tls.minimum).load()
    except ConfigError as fault:
        yield True, str(fault)
        return
    ends = x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc
    now = datetime.now(UTC)
    if ends < now:
        yield True, f"{path}: expired on {ends:%Y-%m-%d}; renew it"
    elif ends < now + EXPIRES_SOON:
        yield False, f"{path}: expires on {ends:%Y-%m-%d}"
