"""A store at the other end of a socket: values as tagged JSON, calls as frames.

Written to prove that everything the mailbox interfaces take and give can be sent; it is
what a store agent in a process of its own needs.
"""

import json
from base64 import b64decode, b64encode
from enum import Enum
from itertools import count

import attrs
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.protocol import Factory
from twisted.protocols.basic import Int32StringReceiver

from mailtwist import errors
from mailtwist.address import Address
from mailtwist.delivery import model as delivery_model
from mailtwist.directory.model import Account
from mailtwist.errors import MailError
from mailtwist.mailbox import model as mailbox_model

VALUES = {
    value.__name__: value
    for module in (mailbox_model, delivery_model)
    for value in vars(module).values()
    if isinstance(value, type) and (attrs.has(value) or issubclass(value, Enum))
} | {"Account": Account, "Address": Address}


def encode(value):
    """`value` as JSON knows it; TypeError for what cannot be sent."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, bytes):
        return {"bytes": b64encode(value).decode()}
    if isinstance(value, list):
        return [encode(item) for item in value]
    if isinstance(value, tuple):
        return {"tuple": [encode(item) for item in value]}
    if isinstance(value, frozenset):
        return {"set": [encode(item) for item in sorted(value)]}
    if isinstance(value, Enum):
        return {"enum": [type(value).__name__, value.name]}
    if isinstance(value, MailError):
        return {"fault": [type(value).__name__, value.status, value.public]}
    if isinstance(value, Remote):
        return {"ref": value.number}
    if type(value).__name__ in VALUES:
        fields = [getattr(value, f.name) for f in attrs.fields(type(value))]
        return {"value": [type(value).__name__, *map(encode, fields)]}
    raise TypeError(f"{value!r} cannot be sent")


def decode(plain, objects=()):
    """What `encode` was given; what has a number is looked up in `objects`."""
    if isinstance(plain, list):
        return [decode(item, objects) for item in plain]
    if not isinstance(plain, dict):
        return plain
    ((tag, content),) = plain.items()
    match tag:
        case "bytes":
            return b64decode(content)
        case "tuple":
            return tuple(decode(item, objects) for item in content)
        case "set":
            return frozenset(decode(item, objects) for item in content)
        case "enum":
            return VALUES[content[0]][content[1]]
        case "fault":
            kind, status, public = content
            fault = MailError.__new__(getattr(errors, kind))
            MailError.__init__(fault, public, status=status)
            return fault
        case "ref":
            return objects[content]
        case "value":
            return VALUES[content[0]](*(decode(c, objects) for c in content[1:]))
    raise ValueError(f"unknown tag {tag}")


class Frames(Int32StringReceiver):
    MAX_LENGTH = 64 * 1024 * 1024

    def send(self, frame):
        self.sendString(json.dumps(frame).encode())


class StoreServer(Frames):
    """The end that has the store: does what frames ask."""

    def __init__(self, store):
        self.objects = {0: store}

    def stringReceived(self, string):
        number, target, method, arguments, named = json.loads(string)
        call = getattr(self, f"do_{method}", None)
        args = [decode(a, self.objects) for a in arguments]
        named = {name: decode(a, self.objects) for name, a in named.items()}
        subject = self.objects[target]
        if call is not None:
            done = maybeDeferred(call, subject, *args, **named)
        else:
            done = maybeDeferred(getattr(subject, method), *args, **named)
        done.addCallbacks(
            lambda result: [number, "is", encode(result)],
            lambda failure: [number, "raises", encode(failure.value)],
        )
        done.addCallback(self.send)

    # The client names what is made, so that it may go on before the answer.

    def do_mailboxes(self, store, number, account):
        self.objects[number] = store.mailboxes(account)

    def do_delivery(self, store, number):
        self.objects[number] = store.delivery()

    def do_begin(self, delivery, number, envelope):
        self.objects[number] = delivery.begin(envelope)

    def do_upload(self, tree, number):
        self.objects[number] = tree.upload()

    def do_open(self, tree, number, path, read_only):
        async def opened():
            self.objects[number] = mailbox = await tree.open(path, read_only=read_only)
            return (
                mailbox.path,
                mailbox.object_id,
                mailbox.uid_validity,
                mailbox.read_only,
            )

        return Deferred.fromCoroutine(opened())

    def do_watch(self, mailbox, watch):
        end = mailbox.watch(lambda modseq: self.send([0, watch, modseq]))
        self.objects[("watch", watch)] = end

    def do_end_watch(self, mailbox, watch):
        self.objects.pop(("watch", watch))()


class StoreClient(Frames):
    """The end that asks."""

    def __init__(self):
        self.numbers, self.made = count(1), count(1)
        self.waiting, self.watches = {}, {}
        self.lost = Deferred()

    def connectionLost(self, reason=None):
        self.lost.callback(None)

    def stringReceived(self, string):
        number, what, content = json.loads(string)
        if not number:
            if what in self.watches:
                self.watches[what](content)
            return
        waiting, value = self.waiting.pop(number), decode(content)
        if what == "is":
            waiting.callback(value)
        else:
            waiting.errback(value)

    def call(self, target, method, *args, **named):
        number = next(self.numbers)
        self.waiting[number] = answer = Deferred()
        plain = {name: encode(value) for name, value in named.items()}
        self.send([number, target, method, [encode(a) for a in args], plain])
        return answer


class Remote:
    """An object at the other end, made there by `how` if that is given."""

    def __init__(self, client, *how):
        self.client, self.number = client, next(client.made)
        if how:
            target, method, *args = how
            client.call(target, method, self.number, *args)

    async def ask(self, method, *args, **named):
        return await self.client.call(self.number, method, *args, **named)


def forwards(*methods):
    """A class decorator: these methods are calls over the socket."""

    def decorate(kind):
        for name in methods:

            def method(self, *args, _name=name, **named):
                return self.ask(_name, *args, **named)

            setattr(kind, name, method)
        return kind

    return decorate


class RemoteStore:
    def __init__(self, client):
        self.client, self.trees = client, {}

    def mailboxes(self, account):
        if account not in self.trees:
            tree = RemoteMailboxes(self.client, 0, "mailboxes", account)
            self.trees[account] = tree
        return self.trees[account]

    def delivery(self):
        return RemoteDelivery(self.client, 0, "delivery")


class RemoteDelivery(Remote):
    def begin(self, envelope):
        return RemoteSink(self.client, self.number, "begin", envelope)


class RemoteWriter(Remote):
    """What IUpload and IMessageSink have in common."""

    octets = 0

    def write(self, octets):
        self.octets += len(octets)
        return self.client.call(self.number, "write", octets)

    def abort(self):
        self.client.call(self.number, "abort")


@forwards("commit")
class RemoteSink(RemoteWriter):
    pass


@forwards(
    "listed", "create", "delete", "rename", "subscribe", "unsubscribe", "status",
    "append", "usage",
)  # fmt: skip
class RemoteMailboxes(Remote):
    async def open(self, path, *, read_only=False):
        mailbox = RemoteMailbox(self.client)
        told = await self.ask("open", mailbox.number, path, read_only)
        mailbox.path, mailbox.object_id, mailbox.uid_validity = told[:3]
        mailbox.read_only = told[3]
        return mailbox

    def upload(self):
        return RemoteWriter(self.client, self.number, "upload")


@forwards(
    "status", "rows", "changes", "take_recent", "rendered", "octets", "store_flags",
    "copy", "move", "expunge",
)  # fmt: skip
class RemoteMailbox(Remote):
    def __init__(self, client):
        super().__init__(client)
        self.watching = []

    def watch(self, changed):
        watch = next(self.client.made)
        self.client.watches[watch] = changed
        self.client.call(self.number, "watch", watch)
        self.watching.append(watch)

        def end():
            if watch in self.client.watches:
                del self.client.watches[watch]
                self.client.call(self.number, "end_watch", watch)

        return end

    async def close(self):
        for watch in self.watching:
            self.client.watches.pop(watch, None)
        await self.ask("close")


class StoreServerFactory(Factory):
    noisy = False

    def __init__(self, store):
        self.store = store

    def buildProtocol(self, addr):
        return StoreServer(self.store)
