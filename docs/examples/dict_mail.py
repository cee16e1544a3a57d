"""Mail in dictionaries behind our servers: twistd -ny dict_mail.py

The realm knows `twisted.mail.interfaces` alone.  POP3, IMAP and submission listen on
loopback; DICT_MAIL_PORTS says where ("1110 1143 1587").  With a PEM file of key and
certificate in DICT_MAIL_TLS passwords are taken behind STARTTLS and STLS only.
"""

import os
from io import BytesIO
from pathlib import Path

from twisted.application.internet import StreamServerEndpointService
from twisted.application.service import Application
from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import IRealm, Portal
from twisted.internet import endpoints, reactor
from twisted.internet.ssl import PrivateCertificate
from twisted.mail.imap4 import MemoryAccount, statusRequestHelper
from twisted.mail.interfaces import (
    IAccountIMAP,
    IMailboxIMAP,
    IMessageDelivery,
    IMessageIMAP,
    IMessageIMAPFile,
    IMessageSMTP,
)
from twisted.mail.smtp import SMTPBadRcpt, SMTPBadSender
from zope.interface import implementer

from mailtwist.config.model import Auth
from mailtwist.service.foreign import ForeignServers


@implementer(IMessageIMAP, IMessageIMAPFile)
class Message:
    def __init__(self, uid, octets, flags, date):
        self.octets, self.flags = octets, set(flags)
        self.getUID, self.getInternalDate = lambda: uid, lambda: date
        self.getSize = lambda: len(octets)

    def getFlags(self):
        return list(self.flags)

    def open(self):
        return BytesIO(self.octets)


@implementer(IMailboxIMAP)
class Mailbox:
    def __init__(self):
        self.messages, self.last_uid, self.listeners = {}, 0, []

    def addMessage(self, message, flags=(), date=None):
        self.last_uid += 1
        octets = message.read()
        self.messages[self.last_uid] = Message(self.last_uid, octets, flags, date)
        for listener in self.listeners:
            listener.newMessages(len(self.messages), None)

    def fetch(self, messages, uid):
        return [(number, self.messages[u]) for number, u in self.chosen(messages, uid)]

    def store(self, messages, flags, mode, uid):
        for _, each in self.chosen(messages, uid):
            had = self.messages[each].flags
            new = {1: had | set(flags), 0: set(flags), -1: had - set(flags)}[mode]
            self.messages[each].flags = new

    def chosen(self, messages, uid):
        messages.last = self.last_uid if uid else len(self.messages)
        for number, each in enumerate(list(self.messages), 1):
            if (each if uid else number) in messages:
                yield number, each

    def expunge(self):
        for uid, message in list(self.messages.items()):
            if "\\Deleted" in message.flags:
                del self.messages[uid]

    def destroy(self):
        self.messages.clear()

    def requestStatus(self, names):
        return statusRequestHelper(self, names)

    def getUnseenCount(self):
        return sum("\\Seen" not in m.flags for m in self.messages.values())

    def getUID(self, message):
        return list(self.messages)[message - 1]

    def getFlags(self):
        return ["\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft"]

    def getHierarchicalDelimiter(self):
        return "/"

    def getUIDValidity(self):
        return 1

    def getUIDNext(self):
        return self.last_uid + 1

    def getMessageCount(self):
        return len(self.messages)

    def getRecentCount(self):
        return 0

    def isWriteable(self):
        return True

    def addListener(self, listener):
        self.listeners.append(listener)

    def removeListener(self, listener):
        self.listeners.remove(listener)


class Account(MemoryAccount):
    """Twisted's dictionary of mailboxes."""

    def _emptyMailbox(self, name, id):
        return Mailbox()


@implementer(IMessageSMTP)
class Incoming:
    def __init__(self, mailbox):
        self.mailbox, self.lines = mailbox, []
        self.lineReceived, self.connectionLost = self.lines.append, self.lines.clear

    def eomReceived(self):
        self.mailbox.addMessage(BytesIO(b"\n".join([*self.lines, b""])))


@implementer(IMessageDelivery)
class Delivery:
    def __init__(self, name, accounts):
        self.name, self.accounts = name, accounts

    def validateFrom(self, helo, origin):
        if bytes(origin) != self.name:
            raise SMTPBadSender(origin)
        return origin

    def validateTo(self, user):
        account = self.accounts.get(bytes(user.dest))
        if account is None:
            raise SMTPBadRcpt(user.dest)
        return lambda: Incoming(account.select("INBOX"))


@implementer(IRealm)
class Realm:
    def __init__(self, names):
        self.accounts = {name: Account(name.decode()) for name in names}
        for account in self.accounts.values():
            account.create("INBOX")

    def requestAvatar(self, name, mind, *interfaces):
        if IAccountIMAP in interfaces:
            return IAccountIMAP, self.accounts[name], lambda: None
        if IMessageDelivery in interfaces:
            return IMessageDelivery, Delivery(name, self.accounts), lambda: None
        raise NotImplementedError


checker = InMemoryUsernamePasswordDatabaseDontUse()
for name in (b"ann@example.com", b"bob@example.com"):
    checker.addUser(name, b"secret")
portal = Portal(Realm(checker.users), [checker])

pem = os.environ.get("DICT_MAIL_TLS")
servers = ForeignServers(
    portal,
    reactor=reactor,
    hostname="mail.example.com",
    tls=PrivateCertificate.loadPEM(Path(pem).read_bytes()).options() if pem else None,
    auth=Auth(plaintext_without_tls=not pem),  # without only as it is loopback
)
application = Application("dict_mail")
ports = os.environ.get("DICT_MAIL_PORTS", "1110 1143 1587").split()
factories = (servers.pop3(), servers.imap4(), servers.submission())
for port, factory in zip(ports, factories, strict=True):
    endpoint = endpoints.serverFromString(reactor, f"tcp:{port}:interface=127.0.0.1")
    StreamServerEndpointService(endpoint, factory).setServiceParent(application)
