"""A TCP proxy in threads that lets each answer wait: a server far away, or busy."""

from __future__ import annotations

import socket
import threading
import time


class SlowProxy:
    """On loopback, in front of `port`; `delay_s` may be changed at any time."""

    def __init__(self, port: int, delay_s: float = 0.0) -> None:
        self.delay_s = delay_s
        self._target = port
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port: int = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                client.close()
                continue
            for source, target, slow in (
                (client, server, False),
                (server, client, True),
            ):
                threading.Thread(
                    target=self._copy, args=(source, target, slow), daemon=True
                ).start()

    def _copy(self, source: socket.socket, target: socket.socket, slow: bool) -> None:
        try:
            while octets := source.recv(65536):
                if slow:
                    time.sleep(self.delay_s)
                target.sendall(octets)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            for one in (source, target):
                one.close()
