from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from mailtwist.address import Address
from mailtwist.config.model import Config, Delivery, Domain, Server
from mailtwist.delivery.model import LocalRecipient, RemoteRecipient
from mailtwist.delivery.router import Router
from mailtwist.directory.model import Account
from mailtwist.errors import (
    AuthUnavailable,
    MailboxDisabled,
    NoRoute,
    NoSuchUser,
    OverQuota,
    RelayDenied,
)
from mailtwist.interfaces import IDirectory, IRouter

DOMAINS = ("example.test", "b\u00fccher.test", "[127.0.0.1]", "[IPv6:::1]")


@implementer(IDirectory)
class Directory:
    """Accounts in a list; `fault` is raised instead of any answer."""

    def __init__(self, *names):
        self.accounts = [Account(name, f"/mail/{name}") for name in names]
        self.fault = None

    async def has_domain(self, domain):
        self.ask()
        return domain in DOMAINS

    async def account(self, name):
        self.ask()
        found = [a for a in self.accounts if a.name.lower() == name.lower()]
        return found[0] if found else None

    async def account_for(self, address):
        return await self.account(str(address))

    async def first_account(self):
        self.ask()
        return next((a for a in self.accounts if a.enabled), None)

    def ask(self):
        if self.fault is not None:
            raise self.fault


class Store:
    """A store that knows how full everybody is."""

    def __init__(self):
        self.used, self.messages = 0, 1

    def mailboxes(self, account):
        self.limits = account.storage_limit_octets, account.message_limit
        return self

    def may_be_full(self, account):
        return True

    def script_stamp(self, account):
        return None

    async def fits(self, path, octets):
        held = self.used + octets, self.messages + 1
        pairs = zip(held, self.limits, strict=True)
        return all(limit is None or there <= limit for there, limit in pairs)


class RouterTests(SynchronousTestCase):
    def setUp(self):
        self.directory, self.store = Directory("ann@example.test"), Store()
        self.config = Config(domain=tuple(Domain(name=name) for name in DOMAINS))

    def resolve(self, text, *, may_relay=False, size=None, queue=None, **sections):
        config = evolve(self.config, **sections)
        router = Router(self.directory, self.store, config, queue)
        address = text if isinstance(text, Address) else Address.parse(text)
        return Deferred.fromCoroutine(
            router.resolve(address, may_relay=may_relay, size_octets=size)
        )

    def found(self, text, **options):
        """(account name, detail) of a local recipient."""
        recipient = self.successResultOf(self.resolve(text, **options))
        self.assertIsInstance(recipient, LocalRecipient)
        return recipient.account.name, recipient.detail

    def fault(self, text, kind, **options):
        return self.failureResultOf(self.resolve(text, **options), kind).value

    def have(self, *names):
        self.directory.accounts = [Account(name, f"/mail/{name}") for name in names]

    def change(self, name, **changes):
        self.directory.accounts = [
            evolve(a, **changes) if a.name == name else a
            for a in self.directory.accounts
        ]

    def test_it_is_a_router(self):
        verifyObject(IRouter, Router(self.directory, self.store, self.config))

    def test_the_address_stays_as_it_was_said(self):
        recipient = self.successResultOf(self.resolve("Ann+x@EXAMPLE.test"))
        self.assertEqual(str(recipient.address), "Ann+x@example.test")

    def test_subaddresses(self):
        self.have("ann@example.test", "bob+work@example.test", "a-b@example.test")
        dash = Delivery(subaddress_separator="-")
        off = Delivery(subaddress_separator="")
        for text, delivery, found, why in [
            ("ann@example.test", None, ("ann@example.test", ""), "the plain account"),
            ("ann+tag@example.test", None, ("ann@example.test", "tag"), "a detail"),
            ("ANN+Tag@example.test", None, ("ann@example.test", "Tag"), "any case"),
            ("ann+@example.test", None, ("ann@example.test", ""), "an empty detail"),
            ("ann+a+b@example.test", None, ("ann@example.test", "a+b"), "two"),
            (
                "bob+work@example.test",
                None,
                ("bob+work@example.test", ""),
                "an exact account wins",
            ),
            (
                "bob+work+x@example.test",
                None,
                ("bob+work@example.test", "x"),
                "the longest user wins",
            ),
            ("ann-x@example.test", dash, ("ann@example.test", "x"), "another mark"),
            ("a-b-c@example.test", dash, ("a-b@example.test", "c"), "user with it"),
            ("+ann@example.test", None, None, "no user"),
            ("bob+x@example.test", None, None, "the user is unknown"),
            ("ann+x@example.test", off, None, "switched off"),
        ]:
            options = {"delivery": delivery} if delivery else {}
            if found is None:
                self.assertEqual(
                    self.fault(text, NoSuchUser, **options).status, "5.1.1"
                )
            else:
                self.assertEqual(self.found(text, **options), found, why)

    def test_postmaster_is_always_deliverable(self):
        self.have("ann@example.test", "bob@example.test")
        for text in (
            "postmaster",
            "PostMaster",
            "postmaster@example.test",
            "POSTMASTER@b\u00fccher.test",
            "postmaster+x@example.test",
            "postmaster@[127.0.0.1]",
        ):
            self.assertEqual(self.found(text)[0], "ann@example.test", text)
            named = Server(postmaster="bob@example.test")
            self.assertEqual(self.found(text, server=named)[0], "bob@example.test")
            wrong = Server(postmaster="nobody@example.test")
            self.assertEqual(self.found(text, server=wrong)[0], "ann@example.test")

    def test_a_real_postmaster_gets_it(self):
        self.have("ann@example.test", "postmaster@example.test")
        for text in ("postmaster", "Postmaster@example.test"):
            self.assertEqual(self.found(text), ("postmaster@example.test", ""))
        self.assertEqual(
            self.found("postmaster+x@example.test"), ("postmaster@example.test", "x")
        )
        self.change("postmaster@example.test", enabled=False)
        self.assertEqual(self.found("postmaster")[0], "ann@example.test")

    def test_postmaster_has_a_domain_in_the_end(self):
        recipient = self.successResultOf(self.resolve("postmaster"))
        self.assertEqual(str(recipient.address), "postmaster@example.test")

    def test_postmaster_without_any_domain_configured(self):
        self.assertEqual(self.found("postmaster", domain=())[0], "ann@example.test")

    def test_nobody_is_nobody(self):
        self.assertEqual(self.fault("x@example.test", NoSuchUser).status, "5.1.1")
        self.have()
        self.fault("postmaster", NoSuchUser)

    def test_a_recipient_needs_a_domain_unless_typed_by_one_of_us(self):
        self.fault("ann", NoSuchUser)
        self.assertEqual(self.found("ann", may_relay=True), ("ann@example.test", ""))

    def test_a_disabled_account_is_told_apart(self):
        self.change("ann@example.test", enabled=False)
        fault = self.fault("ann+x@example.test", MailboxDisabled)
        self.assertEqual(fault.status, "5.2.1")

    def test_an_account_that_only_sends_takes_no_mail(self):
        self.change("ann@example.test", uses=frozenset({"send", "imap4"}))
        self.fault("ann@example.test", MailboxDisabled)
        self.have("ann@example.test", "postmaster@example.test")
        self.change("postmaster@example.test", uses=frozenset({"send"}))
        self.assertEqual(self.found("postmaster")[0], "ann@example.test")
        router = Router(self.directory, self.store, self.config)
        asked = router.mailbox(Address.parse("postmaster@example.test"))
        recipient = self.successResultOf(Deferred.fromCoroutine(asked))
        self.assertEqual(recipient.account.name, "ann@example.test")

    def test_a_login_whose_mail_waited_posts_by_what_it_is_then(self):
        asked = []

        class Posting:
            async def place(self, account, detail, poster=()):
                asked.append((account.name, detail, set(poster)))
                return ("Lists",)

        self.have("ann@example.test", "Bob@example.test")
        self.change("Bob@example.test", groups=frozenset({"team"}))
        router = Router(self.directory, self.store, self.config, posting=Posting())

        def placed(text, **options):
            address = Address.parse(text)
            found = router.mailbox(address, **options)
            return self.successResultOf(Deferred.fromCoroutine(found)).path

        lists = "ann+lists@example.test"
        self.assertEqual(placed(lists, login="Bob@example.test"), ("Lists",))
        self.assertEqual(placed("ann@example.test", login="x"), ("INBOX",))
        placed(lists)
        placed(lists, login="uid 1000")
        self.change("Bob@example.test", enabled=False)
        placed(lists, login="Bob@example.test")
        bob = {"bob@example.test", "$team"}
        mailbox = ("ann@example.test", "lists")
        self.assertEqual(asked, [(*mailbox, bob)] + [(*mailbox, set())] * 3)

    def test_a_full_mailbox_is_refused_before_the_message_comes(self):
        self.change("ann@example.test", storage_limit_octets=1000)
        for used, size, full in [
            (0, None, False),
            (999, None, False),
            (1000, None, True),
            (500, 500, False),
            (500, 501, True),
            (0, 1001, True),
        ]:
            self.store.used = used
            if full:
                fault = self.fault("ann@example.test", OverQuota, size=size)
                self.assertEqual(fault.status, "4.2.2")
            else:
                self.found("ann@example.test", size=size)

    def test_so_is_one_that_has_all_its_messages(self):
        self.change("ann@example.test", message_limit=5)
        self.store.messages = 4
        self.found("ann@example.test", size=10**9)
        self.store.messages = 5
        fault = self.fault("ann@example.test", OverQuota)
        self.assertEqual(fault.status, "4.2.2")

    def test_domains_elsewhere(self):
        self.fault("x@else.test", RelayDenied)
        self.fault("x@else.test", NoRoute, may_relay=True)
        self.fault("x@[127.0.0.2]", RelayDenied)
        queue = object()
        self.fault("x@else.test", RelayDenied, queue=queue)
        self.assertEqual(
            self.successResultOf(
                self.resolve("x@else.test", may_relay=True, queue=queue)
            ),
            RemoteRecipient(Address("x", "else.test")),
        )

    def test_both_forms_of_a_domain_are_one(self):
        self.have("ann@b\u00fccher.test")
        for text in (
            "ann@b\u00fccher.test",
            "ann@xn--bcher-kva.test",
            "ann@B\u00dcCHER.test",
        ):
            self.assertEqual(self.found(text)[0], "ann@b\u00fccher.test")

    def test_odd_local_parts(self):
        for name in (
            '"a b"@example.test',
            '"a\\"@b"@example.test',
            "\u00e5ke@example.test",
        ):
            self.have(name)
            self.assertEqual(self.found(name), (name, ""))
        self.have("ann@example.test")
        self.assertEqual(self.found('"ann"@example.test')[0], "ann@example.test")
        self.assertEqual(
            self.found('"ann+a b"@example.test'), ("ann@example.test", "a b")
        )

    def test_address_literals_of_this_host(self):
        for text in (
            "ann@[127.0.0.1]",
            "ann@[IPv6:0:0:0:0:0:0:0:1]",
            "ann+x@[127.0.0.1]",
        ):
            self.assertEqual(self.found(text)[0], "ann@example.test", text)
        self.fault("nobody@[127.0.0.1]", NoSuchUser)

    def test_a_directory_that_is_down_never_means_unknown(self):
        self.directory.fault = AuthUnavailable()
        for text in ("ann@example.test", "postmaster", "x@else.test"):
            self.assertTrue(self.fault(text, AuthUnavailable).temporary)

    def test_an_account_counts_as_soon_as_the_directory_knows(self):
        self.fault("new@example.test", NoSuchUser)
        self.have("new@example.test")
        self.found("new@example.test")
        self.have()
        self.fault("new@example.test", NoSuchUser)

    @given(local_part=st.text(min_size=1, max_size=64))
    def test_any_local_part_is_an_account_or_nobody(self, local_part):
        resolved = self.resolve(Address(local_part, "example.test"))
        resolved.addErrback(lambda failure: failure.trap(NoSuchUser))
        self.successResultOf(resolved)
