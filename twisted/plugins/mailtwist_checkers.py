"""`--auth userdb:FILE` and the like for every twistd service that takes checkers.

Imports nothing of ours before a checker is asked for, as every twistd start reads it.
"""

from twisted.cred.credentials import IUsernamePassword
from twisted.cred.strcred import ICheckerFactory
from twisted.plugin import IPlugin
from zope.interface import implementer

HELP = """
FILE is a configuration of mailtwist: its {what} log in, as at the mail server, with
passwords, disabled accounts, masters and expiry as there. It needs no listeners.
"""


@implementer(ICheckerFactory, IPlugin)
class SourceCheckerFactory:
    """Checkers that ask the sources of one kind in a configuration."""

    credentialInterfaces = (IUsernamePassword,)
    argStringFormat = "A configuration file of mailtwist."

    def __init__(self, authType, kind, what):
        self.authType, self._kind = authType, kind
        self.authHelp = HELP.format(what=what)

    def generateChecker(self, argstring):
        from twisted.internet import reactor

        from mailtwist.service.drop_in import checker_of

        return checker_of(reactor, self._kind, argstring)


userdb = SourceCheckerFactory("userdb", "userdb", "user database's accounts")
pam = SourceCheckerFactory("pam", "system", "users of the machine")
mysql = SourceCheckerFactory("mysql", "mysql", "accounts in MySQL")
ldap = SourceCheckerFactory("ldap", "ldap", "accounts in LDAP")
