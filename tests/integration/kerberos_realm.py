"""A Kerberos realm on loopback: a KDC of its own, a keytab and tickets."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from .daemon import Daemon, free_port

REALM = "EXAMPLE.TEST"
KDC, UTIL, ADMIN = (f"/usr/sbin/{n}" for n in ("krb5kdc", "kdb5_util", "kadmin.local"))
READY_S = 30.0


class Realm:
    """`keytab` has the keys of smtp, pop, imap and sieve on localhost."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="mailtwist-krb5-"))
        self.port = free_port()
        self.keytab = self.folder / "mail.keytab"
        self.environment = {
            "KRB5_CONFIG": str(self.folder / "krb5.conf"),
            "KRB5_KDC_PROFILE": str(self.folder / "kdc.conf"),
            "KRB5RCACHEDIR": str(self.folder),
        }
        (self.folder / "krb5.conf").write_text(
            f"[libdefaults]\ndefault_realm = {REALM}\ndns_lookup_kdc = false\n"
            "dns_canonicalize_hostname = false\nrdns = false\n"
            f"[realms]\n{REALM} = {{\nkdc = 127.0.0.1:{self.port}\n}}\n"
            f"[domain_realm]\nlocalhost = {REALM}\n"
        )
        (self.folder / "kdc.conf").write_text(
            f"[realms]\n{REALM} = {{\ndatabase_name = {self.folder}/principal\n"
            f"key_stash_file = {self.folder}/stash\n"
            f"kdc_listen = 127.0.0.1:{self.port}\n"
            f"kdc_tcp_listen = 127.0.0.1:{self.port}\n}}\n"
        )
        self.run(UTIL, "create", "-s", "-r", REALM, "-P", "master key")
        for service in ("smtp", "pop", "imap", "sieve"):
            self.run(ADMIN, "-q", f"addprinc -randkey {service}/localhost")
            self.run(ADMIN, "-q", f"ktadd -k {self.keytab} {service}/localhost")
        self.process = subprocess.Popen(
            [KDC, "-n"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **self.environment},
        )
        end = time.monotonic() + READY_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                if time.monotonic() > end:
                    raise AssertionError("the KDC did not start") from None
                Daemon.pause()

    def run(self, *words: str, said: str = "") -> None:
        subprocess.run(
            words,
            input=said,
            text=True,
            check=True,
            capture_output=True,
            env={**os.environ, **self.environment},
            timeout=60,
        )

    def ticket(self, user: str) -> dict[str, str]:
        """The environment in which `user`, a new principal, has a ticket."""
        self.run(ADMIN, "-q", f"addprinc -pw secret {user}")
        env = {"KRB5CCNAME": f"FILE:{self.folder}/{user}.cc"}
        subprocess.run(
            ["kinit", user],
            input="secret\n",
            text=True,
            check=True,
            capture_output=True,
            env={**os.environ, **self.environment, **env},
            timeout=60,
        )
        return self.environment | env

    def remove(self) -> None:
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
