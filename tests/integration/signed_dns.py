"""A signed zone in a private nsd, and a private unbound that validates it."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Any

from tests.integration.daemon import free_port
from tests.integration.programs import run

READY_S = 20.0


class SignedDns:
    """The DNS of a world as world.Dns is, but for everything below `test.`, and what
    is `set` counts once it is started.  Records of names in `forged` are changed after
    they were signed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "dns"
        self.folder.mkdir()
        self._ports = free_port(), free_port()
        self.address = f"127.0.0.1:{self._ports[1]}"
        self._rows: dict[str, list[Any]] = {}
        self._processes: list[subprocess.Popen[bytes]] = []

    def set(self, rows: dict[str, list[Any]]) -> None:
        """As world.Dns.set; "TLSA _25._tcp.a.test": ["3 1 1 AB..."]."""
        self._rows |= rows

    def start(self, forged: dict[str, str]) -> None:
        """Sign and serve; `forged` has texts of the signed zone to be replaced."""
        zone = self.folder / "zone"
        zone.write_text(
            "$TTL 60\ntest. SOA ns.test. me.test. 1 3600 600 86400 60\n"
            "test. NS ns.test.\nns.test. A 127.0.0.1\n"
            + "".join(
                f"{row.split()[1]}. {row.split()[0]} {_data(value)}\n"
                for row, values in self._rows.items()
                for value in values
            )
        )
        keygen = ("dnssec-keygen", "-q", "-a", "ECDSAP256SHA256", "-K", self.folder)
        run(*keygen, "test")
        _, name = run(*keygen, "-f", "KSK", "test")
        signed = self.folder / "signed"
        run(
            *("dnssec-signzone", "-q", "-O", "full", "-S", "-x", "-K", self.folder),
            *("-o", "test", "-f", signed, zone),
            cwd=self.folder,
        )
        text = signed.read_text()
        for old, new in forged.items():
            if old not in text:
                raise AssertionError(f"{old!r} is not in the zone")
            text = text.replace(old, new)
        signed.write_text(text)
        self._serve(signed, self.folder / f"{name.strip()}.key")

    def _serve(self, zone: Path, anchor: Path) -> None:
        master, cache = self._ports
        folder = self.folder
        (folder / "nsd.conf").write_text(f"""
server:
  ip-address: 127.0.0.1
  port: {master}
  username: ""
  chroot: ""
  zonesdir: "{folder}"
  database: ""
  pidfile: "{folder}/nsd.pid"
  xfrdfile: "{folder}/xfrd"
  zonelistfile: "{folder}/zones"
remote-control:
  control-enable: no
zone:
  name: test.
  zonefile: {zone}
""")
        (folder / "unbound.conf").write_text(f"""
server:
  interface: 127.0.0.1
  port: {cache}
  do-ip6: no
  chroot: ""
  username: ""
  directory: "{folder}"
  pidfile: ""
  use-syslog: no
  do-not-query-localhost: no
  trust-anchor-file: "{anchor}"
  local-zone: "test." nodefault
stub-zone:
  name: test.
  stub-addr: 127.0.0.1@{master}
remote-control:
  control-enable: no
""")
        self._run("nsd", "-d", "-c", folder / "nsd.conf")
        self._run("unbound", "-d", "-c", folder / "unbound.conf")
        end = time.monotonic() + READY_S
        while "status: NOERROR" not in self._asked():
            if time.monotonic() > end:
                raise AssertionError((folder / "out").read_text())
            time.sleep(0.05)

    def _asked(self) -> str:
        options = ("@127.0.0.1", "-p", str(self._ports[1]), "+tries=1", "+time=1")
        return run("dig", *options, "test.", "SOA", ok=False)[1]

    def _run(self, *arguments: object) -> None:
        with (self.folder / "out").open("ab") as out:
            process = subprocess.Popen(
                [str(a) for a in arguments],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )
        self._processes.append(process)

    def stop(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()


def _data(value: Any) -> str:
    """A value of world.Dns in a zone file."""
    return f"{value[0]} {value[1]}." if isinstance(value, list) else str(value)
