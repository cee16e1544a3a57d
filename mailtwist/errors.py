"""Faults a client may be told about, named by their RFC 3463 status.

A fault carries its status and one public sentence; the cause stays in the log.  Three
places turn faults into protocol: `smtp.reply.reply_for`, `pop3.response.err_for` and
`imap4.response.no_for`.  A fault that none of them knows is temporary: mail waits, it
never bounces for a mistake of ours.
"""

from __future__ import annotations


class MailError(Exception):
    """A fault with a status code and a public sentence.

    `status` is an RFC 3463 code ("4.x.y" temporary, "5.x.y" permanent); `public` is
    one sentence of printable ASCII without a secret in it.
    """

    status = "4.3.0"
    public = "Internal error, try again later"

    def __init__(self, public: str | None = None, *, status: str | None = None) -> None:
        if public is not None:
            self.public = public
        if status is not None:
            self.status = status
        super().__init__(self.public)

    @property
    def temporary(self) -> bool:
        """True if the same request may succeed later."""
        return self.status.startswith("4")


# -- what the peer said -----------------------------------------------------------


class SyntaxFault(MailError):
    """The peer broke the grammar; `at` is the offset in octets of the first bad one."""

    status = "5.5.2"

    def __init__(self, expected: str, at: int) -> None:
        self.expected, self.at = expected, at
        super().__init__(f"Expected {expected} at octet {at}")


class LineTooLong(MailError):
    """A command line over the limit; the rest of that line was skipped."""

    status, public = "5.5.2", "Line too long"


class BadSequence(MailError):
    status, public = "5.5.1", "Bad sequence of commands"


class UidRequired(BadSequence):
    """A message number, after the client said that it uses none (RFC 9586)."""

    public = "Only UIDs may be used now"


class UnknownCommand(MailError):
    status, public = "5.5.1", "Command not recognized"


class BadParameter(MailError):
    """A known command with a parameter that is unknown or not implemented."""

    status, public = "5.5.4", "Parameter not recognized"


class BadCharset(MailError):
    """A search in a charset this server cannot read (RFC 3501 §6.4.4)."""

    status, public = "5.5.4", "Charset not known here"


class BadCharsetUnsaved(BadCharset):
    """The same, of a search with SAVE: "$" stands for nothing now (RFC 5182 §2.1)."""


class BadFilterCharset(BadCharset):
    """A search with FILTER in another charset than UTF-8 (RFC 5466 §3.1)."""

    public = "A search with FILTER is in UTF-8"


class UndefinedFilter(MailError):
    """A filter that is not there, or that is in itself (RFC 5466 §3.1)."""

    status, public = "5.5.4", "No such filter"

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__()


class BadFilter(MailError):
    """A filter whose value is no search (RFC 5466 §3.2)."""

    status = "5.5.4"

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"Filter {name} is no search: {why}")


class BadFilterName(MailError):
    """An entry among the filters whose name no filter can have (RFC 5466 §4)."""

    status, public = "5.5.4", "That cannot be the name of a filter"


class TooManyFilters(MailError):
    """A search that would grow too much by the filters in it."""

    status, public = "5.5.4", "Too many filters in one search"


# -- who it is --------------------------------------------------------------------


class AuthFailed(MailError):
    """Wrong user, wrong password or a proof that does not hold; never says which."""

    status, public = "5.7.8", "Authentication failed"


class LoginNotAllowed(AuthFailed):
    """The password was right, but the account may not log in over this protocol."""

    public = "This account may not log in here"


class LoginExpired(AuthFailed):
    """The password was right, but it or the account has expired."""

    public = "Account or password has expired"


class AuthUnavailable(MailError):
    """A source of accounts could not be asked; never means a wrong password."""

    status, public = "4.7.0", "Cannot check the password now, try again later"


class SourceDown(AuthUnavailable):
    """A source did not answer at all: it is left alone for a while."""


class AuthThrottled(MailError):
    """Too many failures from this address or network."""

    status, public = "4.7.0", "Too many failed logins, try again later"


class SaslCancelled(MailError):
    """The client broke off the exchange with "*"."""

    status, public = "5.7.0", "Authentication cancelled"


class UnknownMechanism(MailError):
    """Not a mechanism that is offered here and now."""

    status, public = "5.5.4", "Mechanism not offered"


class LoginTooSoon(MailError):
    """The last login of this account is less than LOGIN-DELAY ago (RFC 2449 §6.5)."""

    status, public = "4.7.0", "Logged in a moment ago, try again later"


class EncryptionNeeded(MailError):
    status, public = "5.7.0", "Use TLS first"


class AuthNeeded(MailError):
    status, public = "5.7.0", "Authentication required"


class NotPermitted(MailError):
    """The login may not do this (RFC 5530 NOPERM)."""

    status, public = "5.7.1", "Not permitted"


# -- addresses and messages -------------------------------------------------------


class BadAddress(MailError):
    status, public = "5.1.3", "Bad address syntax"


class NoSuchUser(MailError):
    status, public = "5.1.1", "No such user here"


class MailboxDisabled(NoSuchUser):
    """The account is there but switched off (RFC 3463 X.2.1)."""

    status, public = "5.2.1", "Mailbox is disabled"


class AliasLoop(MailError):
    """An alias that leads back to itself, or too deep, or to too many."""

    status, public = "5.4.6", "Aliases of this address are in a loop"


class LookupFailed(MailError):
    """A table or a file that is asked for a route cannot be read now."""

    status, public = "4.3.0", "Cannot look that up now, try again later"


class ScriptRefused(MailError):
    """A recipient's script refuses the message (RFC 5429), for a reason of one line or
    more: `lines`, which need not be ASCII."""

    status, public = "5.7.1", "The recipient refuses this message"

    def __init__(self, public: str | None = None, lines: tuple[str, ...] = ()) -> None:
        super().__init__(public)
        self.lines = lines or (self.public,)


class RelayDenied(MailError):
    status, public = "5.7.1", "Relay access denied"


class NoRoute(MailError):
    """A recipient elsewhere while this server has no way to send mail there."""

    status, public = "5.4.4", "No route to that domain from here"


class NoSuchDomain(MailError):
    """The domain does not exist, or says that it takes no mail (RFC 7505)."""

    status, public = "5.1.2", "No such domain"


class DnsUnavailable(MailError):
    """No answer from the resolvers; never means that there is no such name."""

    status, public = "4.4.3", "Cannot look up the domain now, try again later"


class SenderRefused(MailError):
    """The reverse-path does not belong to the login (RFC 6409 §6.1)."""

    status, public = "5.7.1", "Sender address does not belong to this login"


class TooManyRecipients(MailError):
    status, public = "4.5.3", "Too many recipients"


class MessageTooBig(MailError):
    status, public = "5.3.4", "Message is larger than this server takes"


class LiteralTooBig(MessageTooBig):
    """A non-synchronizing literal over the limit of LITERAL- (RFC 7888 §5)."""

    public = "A literal above 4096 octets must wait for the server"


class BadMessage(MailError):
    """The octets of the message break a rule no reader could agree on."""

    status, public = "5.6.0", "Message is malformed"


class UnknownEncoding(MailError):
    """A content transfer encoding that cannot be undone, or kept (RFC 3516 §4.3)."""

    status, public = "5.6.1", "Content transfer encoding is not known"


class BadUrl(MailError):
    """A URL that names no octets the client may have (RFC 4469 §4.1)."""

    status, public = "5.5.4", "The URL cannot be fetched"

    def __init__(self, url: bytes, public: str | None = None) -> None:
        super().__init__(public)
        self.url = url


class OverQuota(MailError):
    status, public = "4.2.2", "Mailbox full"


class StorageFull(MailError):
    status, public = "4.3.1", "Out of storage, try again later"


class MailboxUnreachable(MailError):
    """The process that reaches this mailbox is not there now."""

    public = "Mailbox cannot be reached now, try again later"


class RememberedMeanwhile(MailError):
    """Somebody else did the same since it was looked up that nobody had."""

    status, public = "4.3.2", "The same is being done already, try again later"


class SystemBusy(MailError):
    status, public = "4.3.2", "Too busy, try again later"


# -- mailboxes --------------------------------------------------------------------


class MailboxFault(MailError):
    """Something is wrong with a mailbox by name."""

    status, public = "5.2.0", "Mailbox cannot be used"


class NoSuchMailbox(MailboxFault):
    public = "No such mailbox"


class MailboxExists(MailboxFault):
    public = "Mailbox exists already"


class BadMailboxName(MailboxFault):
    public = "That mailbox name cannot be used"


class MailboxNameLimit(BadMailboxName):
    """A name that could be, but for the limits of this server."""

    public = "That mailbox name is beyond the limits here"


class UnknownUse(MailboxFault):
    """A special use asked for that this server does not give (RFC 6154 §3)."""

    public = "That special use is not supported"


class UnknownEvent(MailboxFault):
    """NOTIFY of an event that is never told (RFC 5465 §3.1)."""

    public = "That event is not told here"


class TooManyAnnotations(MailboxFault):
    """No more annotations than there are (RFC 5464 §4.3 TOOMANY)."""

    public = "Too many annotations"


class AnnotationTooBig(MailboxFault):
    """A value above `most` octets (RFC 5464 §4.3 MAXSIZE)."""

    public = "A value is too large"

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most


class MailboxNotSelectable(MailboxFault):
    public = "Mailbox holds no messages, only other mailboxes"


class MailboxHasChildren(MailboxFault):
    public = "Mailbox has inferior mailboxes"


class NoSuchScript(MailboxFault):
    public = "There is no such script"


class ScriptExists(MailboxFault):
    public = "There is a script of that name already"


class ScriptActive(MailboxFault):
    public = "The active script cannot be deleted"


class TooManyScripts(MailboxFault):
    public = "There may not be more scripts"


class MailboxReadOnly(MailboxFault):
    public = "Mailbox is read-only here"


class MailboxInUse(MailboxFault):
    """Another session holds what this one needs (RFC 2449 IN-USE)."""

    status, public = "4.2.0", "Mailbox is in use by another session"


class TooManyMessages(MailboxFault):
    """More than one command may touch; `most` is how many it may (RFC 9738).

    `lowest`: the UID of the last one that it might have touched, if that is known."""

    def __init__(self, most: int, lowest: int | None = None) -> None:
        super().__init__(f"At most {most} messages at a time")
        self.most, self.lowest = most, lowest


class BatchTooSmall(MailboxFault):
    """UIDBATCHES with fewer messages than a batch may have (RFC 10022)."""

    public = "Batches hold 500 messages or more"


class BatchTooBig(MailboxFault):
    """UIDBATCHES with more messages than a command may touch (RFC 10022)."""

    public = "One command may not touch as many messages"


class NoSuchMessage(MailboxFault):
    """A message number that is not in the listing, or was deleted in this session."""

    public = "No such message"


class MessageGone(MailboxFault):
    """The message was expunged by someone else meanwhile."""

    status, public = "4.2.0", "Message is gone"


# -- our own side -----------------------------------------------------------------


class ConfigError(Exception):
    """The configuration cannot be used; says file, key, what was found, what may be."""
