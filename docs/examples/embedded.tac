"""A service of your own and a mail server in one process: twistd -ny embedded.tac

mailtwist.toml lies beside it, or where MAILTWIST_CONFIG says.
"""

import os

from twisted.application.internet import StreamServerEndpointService
from twisted.application.service import Application
from twisted.internet import endpoints, reactor
from twisted.internet.protocol import Factory
from twisted.protocols.wire import QOTD

from mailtwist.config.load import load
from mailtwist.service.build import build

application = Application("mine")

quote = endpoints.serverFromString(
    reactor, os.environ.get("QUOTE_ENDPOINT", "tcp:1717:interface=127.0.0.1")
)
StreamServerEndpointService(quote, Factory.forProtocol(QOTD)).setServiceParent(
    application
)

mail = build(load(os.environ.get("MAILTWIST_CONFIG", "mailtwist.toml")), reactor=reactor)
mail.setServiceParent(application)
# mail.portal logs people in, mail.delivery takes messages, mail.store has mailboxes.
