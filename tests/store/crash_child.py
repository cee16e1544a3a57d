"""A writer under load that is there to be killed: `python crash_child.py FOLDER`.

Prints "NAME SHA256" of a file as soon as its commit was answered.
"""

from __future__ import annotations

import hashlib
import os
import sys

from twisted.internet import reactor
from twisted.internet.defer import Deferred

from mailtwist.store.maildir.names import UniqueNames
from mailtwist.store.maildir.spool import Spooler
from mailtwist.store.maildir.writer import MaildirWriter, NewFile

SENDERS = 8
LARGE = 300_000


async def send(folder, number, writer, spooler, names):
    """Commit one small and now and then one large message, for ever."""
    at = 0
    while True:
        at += 1
        prefix = b"sender %d, message %d\n" % (number, at)
        body = os.urandom(LARGE if at % 20 == 0 else 2000)
        targets = [f"{folder}/{(number + other) % SENDERS}" for other in range(3)]
        if at % 20:
            content = (body[:1000], body[1000:])
        else:
            content = spooler.spool(f"{targets[0]}/tmp/{names.draft()}", prefix)
            waited = content.write(body)
            if waited is not None:
                await waited
            await content.settled()
        files = [
            NewFile(target, names.base(len(prefix + body)), "new", content, prefix)
            for target in targets
        ]
        outcomes = await writer.commit(files)
        digest = hashlib.sha256(prefix + body).hexdigest()
        told = "".join(
            f"{file.maildir}/new/{file.name} {digest}\n"
            for file, fault in zip(files, outcomes, strict=True)
            if fault is None
        )
        os.write(1, told.encode())
        if at % 20 == 0:
            content.abort()


def main(folder):
    writer, names = MaildirWriter(reactor), UniqueNames("mx")
    spooler = Spooler(reactor, LARGE // 2)
    for number in range(SENDERS):
        Deferred.fromCoroutine(send(folder, number, writer, spooler, names))
    reactor.run()


if __name__ == "__main__":
    main(sys.argv[1])
