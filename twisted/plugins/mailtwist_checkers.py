"""`--auth userdb:FILE` and the like for every twistd service that takes checkers.

Imports nothing of ours before a checker is asked for, as every twistd start reads it.
"""

from twisted.cred.credentials import IUsernamePassword
from twisted.cred.strcred import ICheckerFactory
from twisted.plugin import IPlugin
from zope.interface import implementer

HELP = """
{forms}

{kind}:FILE, where FILE is a configuration of mailtwist: its {what}
log in as at the mail server, with passwords, disabled accounts, masters and expiry as
there. It needs no listeners.

Behind anything but a configuration, ;domain=NAME is added to login names without a
domain. No password stands here: whoever runs ps would read it.
"""
USERDB = """
userdb:FILE.sqlite: the accounts in this user database; its key file lies beside it.
"""
PAM = """
pam, or pam:SERVICE: users of the machine with a uid from 1000, by PAM; SERVICE is a
file in /etc/pam.d, "mailtwist" if none is given.
"""
MYSQL = """
mysql:SETTINGS.toml: server, login and query as a [[source]] of mailtwist has them in
its settings; readable by its owner only.
"""
LDAP = """
ldap:ldap://HOST[:PORT]/BASE[?ATTR[?SCOPE[?FILTER]]]: below BASE the one entry is sought
whose ATTR (uid) is the login name, with SCOPE (sub, one or base; sub) and FILTER, and
bound with the password. ldaps:// and ldapi:// too. A BASE with %u or %s, like
uid=%u,ou=people,dc=example, is the entry's own name: nothing is sought.

Behind it ;settings=FILE names a TOML file with what is secret, and more: bind_dn and
password for the search, ca, starttls, timeout_s; readable by its owner only. A ";" of
the URL is written %3B.

ldap:SETTINGS.toml: the settings of a [[source]] of mailtwist.
"""


@implementer(ICheckerFactory, IPlugin)
class SourceCheckerFactory:
    """Checkers that ask one source, or those of one kind in a configuration."""

    credentialInterfaces = (IUsernamePassword,)

    def __init__(self, authType, kind, what, argument, forms):
        self.authType, self._kind = authType, kind
        self.argStringFormat = f"{argument}, or a configuration of mailtwist."
        self.authHelp = HELP.format(kind=authType, what=what, forms=forms.strip())

    def generateChecker(self, argstring):
        from twisted.internet import reactor

        from mailtwist.service.drop_in import checker_of

        return checker_of(reactor, self._kind, argstring)


userdb = SourceCheckerFactory(
    *("userdb", "userdb", "user database's accounts", "FILE.sqlite", USERDB)
)
pam = SourceCheckerFactory("pam", "system", "users of the machine", "A service", PAM)
mysql = SourceCheckerFactory(
    *("mysql", "mysql", "accounts in MySQL", "SETTINGS.toml", MYSQL)
)
ldap = SourceCheckerFactory("ldap", "ldap", "accounts in LDAP", "An LDAP URL", LDAP)
