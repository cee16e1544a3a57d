"""Real servers that mail is sent to, one of each for a test run."""

import atexit
import time

from twisted.internet import reactor
from twisted.internet.task import deferLater

from ..authority import Authority, pem_key, pem_of
from ..bench.peers import DovecotSasl, Postfix
from .daemon import DOMAIN

ANN, BOB = f"ann@{DOMAIN}", f"bob@{DOMAIN}"
WAIT_S = 20.0
_peers = {}


def peer(kind, *arguments):
    """The one peer of this kind; it ends with the test run."""
    if kind not in _peers:
        made = _peers[kind] = kind(*arguments)
        atexit.register(made.stop)
    return _peers[kind]


def postfix():
    return peer(Postfix, [ANN, BOB], "message_size_limit = 20000000")


class PostfixSmarthost(Postfix):
    """Postfix that wants TLS and a login, which Dovecot checks."""

    def __init__(self):
        self.authority = Authority()
        self.sasl = peer(DovecotSasl, [ANN])
        certificate, key = self.authority.issue("hub.test", "127.0.0.1")
        super().__init__(
            [ANN, BOB],
            "smtpd_tls_security_level = encrypt\n"
            "smtpd_tls_chain_files = {folder}/etc/chain.pem\n"
            "smtpd_sasl_auth_enable = yes\nsmtpd_sasl_type = dovecot\n"
            f"smtpd_sasl_path = inet:127.0.0.1:{self.sasl.port}\n"
            "smtpd_relay_restrictions = permit_sasl_authenticated, reject\n"
            "smtpd_recipient_restrictions = permit_sasl_authenticated, reject\n"
            "smtpd_sasl_security_options = noanonymous\n",
            "tlsmgr unix - - n 1000 1 tlsmgr\n",
            {"etc/chain.pem": pem_key(key) + pem_of(certificate)},
        )


class Watch:
    """Messages in the Maildirs of a peer."""

    def __init__(self, folder):
        self.folder = folder
        self.seen = set(folder.glob("**/new/*"))

    def fresh(self):
        """The octets of what came, line ends as CRLF."""
        paths = sorted(set(self.folder.glob("**/new/*")) - self.seen)
        return [path.read_bytes().replace(b"\n", b"\r\n") for path in paths]

    async def arrived(self, count=1):
        """What came, as soon as it is so much."""
        end = time.monotonic() + WAIT_S
        while True:
            fresh = self.fresh()
            if len(fresh) >= count:
                return fresh
            if time.monotonic() > end:
                raise AssertionError(f"{len(fresh)} messages came, not {count}")
            await deferLater(reactor, 0.05)
