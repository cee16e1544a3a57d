"""Submitting mail with every parameter of MAIL and RCPT that a test may want."""

from __future__ import annotations

import smtplib

from tests.integration.daemon import Daemon
from tests.integration.programs import message
from tests.integration.world import WorldTestCase


class WishesTestCase(WorldTestCase):
    def ask(
        self,
        sender: str,
        recipients: str | tuple[str, ...],
        octets: bytes,
        *mail: str,
        rcpt: tuple[str, ...] = (),
        bdat: bool = False,
        host: Daemon | None = None,
    ) -> tuple[int, bytes]:
        """Submit at `host` or servidorA with these parameters; the last reply."""
        host = host or self.world.a
        if isinstance(recipients, str):
            recipients = (recipients,)
        with smtplib.SMTP(host.address, host.port("submission")) as client:
            self.log_in(client, sender)
            client.command_encoding = "utf-8"
            for command in (
                " ".join((f"MAIL FROM:<{sender}>", *mail)),
                *(" ".join((f"RCPT TO:<{to}>", *rcpt)) for to in recipients),
            ):
                self.assertEqual(client.docmd(command)[0], 250, command)
            if not bdat:
                return client.data(octets)
            client.send(b"BDAT %d LAST\r\n" % len(octets) + octets)
            return client.getreply()

    def letter(self, sender: str, *recipients: str, **more: str) -> bytes:
        return message(sender=sender, to=", ".join(recipients), **more)
