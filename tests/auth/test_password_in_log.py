"""No password, proof or key reaches a log, whatever goes wrong."""

import base64
import hashlib

from twisted.internet import reactor
from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import TestCase

from mailtwist.directory.userdb import UserDb
from mailtwist.errors import MailError, SaslCancelled
from mailtwist.secret import Secret

from .rooms import TLS, added, built, configured
from .test_login import answering, cram, scram

ANN = "ann@example.test"
RIGHT, WRONG = b"hunter2-right", b"hunter2-wrong"


class PasswordInLogTests(TestCase):
    def setUp(self):
        self.config = configured(self.mktemp())
        added(self.config, ANN, RIGHT, keep_secret=True)
        self.auth = built(self, self.config, reactor)
        self.events = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)

    def logins(self, password, user=ANN):
        door = self.auth.authenticator
        text = password.decode()
        message = b"\0" + user.encode() + b"\0" + password
        first, rest = scram(text, user=user)
        digest = hashlib.md5(b"<1@x>" + password).hexdigest().encode()
        yield door.login_password(user, Secret(password), TLS)
        yield door.login_apop(user, b"<1@x>", digest, TLS)
        yield door.login_sasl("PLAIN", message, answering(), TLS)
        yield door.login_sasl("PLAIN", message + b"\0", answering(), TLS)
        yield door.login_sasl("PLAIN", b"bob" + message, answering(), TLS)
        yield door.login_sasl(
            "LOGIN", user.encode(), answering(password + b"x" * 1024), TLS
        )
        yield door.login_sasl(
            "LOGIN", None, answering(user.encode(), SaslCancelled()), TLS
        )
        yield door.login_sasl("CRAM-MD5", None, cram(password, user), TLS)
        yield door.login_sasl("SCRAM-SHA-256", first, rest, TLS)

    async def test_nothing_secret_is_told(self):
        answers = []
        for broken in (False, True):
            if broken:
                UserDb(self.config).path.unlink()
            for password in (RIGHT, WRONG):
                for user in (ANN, "nobody@example.test"):
                    for login in self.logins(password, user):
                        try:
                            answers.append(repr(await login))
                        except MailError as fault:
                            answers.append(f"{fault!r} {fault.public}")
        said = "\n".join([*answers, *map(told, self.events)])
        for line in (
            "login ann@example.test by PLAIN",
            "login failed 'nobody@example.test' by PLAIN",
            "userdb.sqlite cannot be used",
        ):
            self.assertTrue(line in said, line)
        for secret in (RIGHT, WRONG):
            for form in (
                secret.decode(),
                base64.b64encode(secret).decode(),
                secret.hex(),
                hashlib.md5(b"<1@x>" + secret).hexdigest(),
            ):
                self.assertFalse(form in said, form)


def told(event):
    """Everything that any observer could print of an event."""
    failure = event.get("log_failure")
    trace = failure.getTraceback(detail="verbose") if failure else ""
    return f"{formatEvent(event)} {event} {trace}"
