"""Lists, members and posts for tests."""

from mailtwist.address import Address
from mailtwist.config.listing import ListOptions
from mailtwist.lists.incoming import incoming
from mailtwist.lists.model import MailingList, Member

ANN, BOB = Address("ann", "a.test"), Address("bob", "b.test")


def mailing_list(**options):
    return MailingList(
        1, Address("dev", "lists.test"), ListOptions(**options), b"secret"
    )


def member(address=ANN, **more):
    return Member(1, address, **more)


def post(
    body=b"Hello.\r\n",
    *,
    author="Ann Example <ann@a.test>",
    subject="A question",
    more=b"",
    message_id="<1@a.test>",
):
    head = (
        f"From: {author}\r\nTo: dev@lists.test\r\nSubject: {subject}\r\n"
        f"Message-ID: {message_id}\r\n"
    )
    return head.encode() + more + b"\r\n" + body


def read(octets, reverse_path=ANN):
    return incoming(octets, reverse_path)
