"""Whole decisions: (address, sender) to targets, each row with its reason."""

from pathlib import Path

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from mailtwist.address import Address
from mailtwist.config.load import loads
from mailtwist.config.model import Config
from mailtwist.delivery.explain import decision_lines, target_text, targets_of
from mailtwist.delivery.model import Envelope, LocalRecipient, Notify, Route, Wishes
from mailtwist.delivery.router import Router
from mailtwist.delivery.senders import Senders
from mailtwist.delivery.srs import Srs
from mailtwist.delivery.srs_store import SenderStore, connect
from mailtwist.directory.model import Account
from mailtwist.errors import (
    AliasLoop,
    LookupFailed,
    MailError,
    NoRoute,
    NoSuchUser,
    RelayDenied,
)
from mailtwist.interfaces import IDirectory, IListFiles, ITable
from mailtwist.queue.jobs import jobs_of
from mailtwist.queue.model import QueuedMessage
from mailtwist.queue.spool.rows import queued_recipients
from mailtwist.queue.spool.thread import Direct
from mailtwist.secret import Secret
from mailtwist.tables.inline import InlineTable

CONFIG = """
[[domain]]
name = "example.test"
[[domain]]
name = "old.test"
alias_of = "example.test"
[[domain]]
name = "names.test"
accounts = false
alias_files = false
[[domain]]
name = "hosted.test"
alias_files = false

[[relay_domain]]
name = "backup.test"
recipients = ["backup"]
[[relay_domain]]
name = ".gate.test"

[[table]]
name = "virtual"
kind = "inline"
entries = [
    "sales@example.test ann@example.test, bob@else.test",
    "one@example.test ann@example.test",
    "bob@example.test bob@example.test, log@else.test",
    "info@names.test ann@example.test",
    "deep@names.test deeper@names.test",
    "deeper@names.test ann@example.test",
    "round@names.test about@names.test",
    "about@names.test round@names.test",
    "half@names.test nobody@example.test, ann@example.test",
    "gone@names.test nobody@example.test",
    "cmd@names.test |/bin/x",
    "bare ann@example.test",
    "@hosted.test ann@example.test",
    "@moved.test @example.test",
    "@backup.test ann@example.test",
]
[[table]]
name = "backup"
kind = "inline"
entries = ["user@backup.test ok", "@all.backup.test ok"]
[[table]]
name = "transport"
kind = "inline"
entries = [
    "vip@paid.test smtp:[fast.test]:26",
    "paid.test smtp:[slow.test]:26",
    ".paid.test discard:",
    "broken.test nothing",
    "* smtp:[rest.test]:27",
]

[alias]
virtual = ["virtual"]
commands = true
forward_commands = true

[[route]]
match = "gone@example.test"
action = "error:5.1.6 Moved to else.test"
[[route]]
match = "lmtp@example.test"
action = "lmtp:unix:/run/lmtp"
[[route]]
match = "black.test"
action = "discard:"
[[route]]
match = "busy.test"
action = "error:4.3.2 Come back later"
[[route]]
sender = "@hosted.test"
match = "else.test"
action = "smtp:[hosted-out.test]:25"
[[route]]
match = "direct.test"
action = "smtp:"
[[route]]
match = "paid.test"
table = "transport"
[[route]]
match = ".paid.test"
table = "transport"
[[route]]
match = "broken.test"
table = "transport"

[[smarthost]]
host = "smart.test:587"
sender = "ann@example.test"
"""

ALIASES = {
    "team": "ann, bob@else.test, \\bob",
    "owner-team": "bob",
    "ann": "ann, archive@else.test",
    "solo": "carl",
    "list": ":include:/lists/list",
    "prog": '"|/bin/thing -x"',
    "box": "/var/mail/box",
    "dir": '"/var/mail/dir/"',
    "ring": "ring2",
    "ring2": "ring",
    "self": "self",
    "carl+special": "bob@else.test",
    "bad": "a b",
    "gap": "missing, ann",
    "sneaky": ":include:/lists/sneaky",
    "again": ":include:/lists/again",
    "club": "carl, oz",
    "empty": ":include:/lists/empty",
    "shared": ":include:/lists/shared",
    "many": "ann, ann, Ann@example.test, \\carl",
}
INCLUDES = {
    "/lists/list": "carl, dora@else.test",
    "/lists/sneaky": "|/bin/sh, ann",
    "/lists/again": "ann, :include:/lists/again",
    "/lists/empty": "",
}
FORWARDS = {
    "dora": "dora@else.test",
    "ed": "\\ed, ed@else.test",
    "flo": "flo, flo@else.test",
    "gus": "|/bin/vacation gus",
    "hal": ":include:/etc/passwd",
    "ida": "a b c",
    "jon": "kim",
    "kim": "jon",
    "lea": "",
    "max": "/home/max/mbox",
    "nia": "one@example.test, nia",
    "oz": "club, bob@else.test",
}
USERS = ["ann", "bob", "carl", "owner", *FORWARDS, "gone2", "lmtp"]
NOW_S = 1_800_000_000.0
QUEUE = object()


@implementer(IDirectory)
class Directory:
    def __init__(self):
        names = [f"{user}@example.test" for user in USERS] + ["user@hosted.test"]
        self.accounts = {name: Account(name, f"/mail/{name}") for name in names}

    async def has_domain(self, domain):
        return domain in ("example.test", "old.test", "names.test", "hosted.test")

    async def account(self, name):
        return self.accounts.get(name)

    async def account_for(self, address):
        return self.accounts.get(str(address).lower())

    async def first_account(self):
        return next(iter(self.accounts.values()))


@implementer(IListFiles)
class Lists:
    async def forward(self, account, detail):
        user = account.name.partition("@")[0]
        text = FORWARDS.get(user)
        if user == "carl" and detail == "away":
            return "/mail/carl/.forward+away", "bob@else.test"
        return None if text is None else (f"{account.home}/.forward", text)

    async def include(self, path):
        if path not in INCLUDES:
            raise LookupFailed()
        return INCLUDES[path]


@implementer(ITable)
class Down:
    name, whole_keys = "down", False

    async def find(self, key):
        raise LookupFailed()


@implementer(ITable)
class Rule:
    """Everything that starts with "x-", as a regular expression would have it."""

    name, whole_keys = "rule", True

    def __init__(self):
        self.asked = []

    async def find(self, key):
        self.asked.append(key)
        return "ann@example.test" if key.startswith("x-") else None


class Store:
    def mailboxes(self, account):
        return self

    def may_be_full(self, account):
        return True

    def script_stamp(self, account):
        return None

    async def fits(self, path, octets):
        return True


class WalkTests(SynchronousTestCase):
    srs = Srs(lambda: Secret(b"s" * 32), "example.test")

    def setUp(self):
        self.config = loads(CONFIG.encode(), Path("/etc/mailtwist.toml"))
        self.tables = {
            one.name: InlineTable(one.name, one.entries) for one in self.config.table
        }

    def router(self, queue=QUEUE, **options):
        entries = [f"{name} {text}" for name, text in ALIASES.items()]
        options = {
            "tables": self.tables,
            "alias_files": [InlineTable("/etc/aliases", entries)],
            "lists": Lists(),
            "senders": Senders(self.srs, lambda: NOW_S),
        } | options
        return Router(Directory(), Store(), self.config, queue, **options)

    def resolve(self, text, sender=None, may_relay=False, **options):
        said = Address.parse(sender) if sender else None
        return Deferred.fromCoroutine(
            self.router(**options).resolve(
                Address.parse(text), may_relay=may_relay, sender=said
            )
        )

    def decided(self, text, sender=None, **options):
        """Texts of the targets, or "box NAME detail" of a local recipient."""
        resolved = self.resolve(text, sender, **options)
        fault = self.failure_of(resolved)
        if fault is not None:
            return [f"{fault.status}"]
        recipient = self.successResultOf(resolved)
        if isinstance(recipient, LocalRecipient):
            return [f"box {recipient.account.name} {recipient.detail}".strip()]
        return [target_text(target) for target in targets_of(recipient)]

    def failure_of(self, deferred):
        found = []
        deferred.addErrback(lambda f: found.append(f.trap(MailError) and f.value))
        return found[0] if found else None

    def test_decisions(self):
        ann, els = "ann@example.test by mailbox", "bob@else.test by smtp"
        mx = " to the MX of else.test"
        for text, expected, why in [
            ("carl@example.test", ["box carl@example.test"], "an account"),
            ("carl+x@example.test", ["box carl@example.test x"], "a subaddress"),
            ("carl@old.test", ["box carl@example.test"], "a domain alias"),
            ("carl+y@old.test", ["box carl@example.test y"], "its subaddresses"),
            ("nobody@example.test", ["5.1.1"], "unknown"),
            ("nobody@old.test", ["5.1.1"], "unknown there too"),
            ("solo@example.test", ["box carl@example.test"], "an alias to one mailbox"),
            ("solo+x@example.test", ["box carl@example.test"], "its detail is dropped"),
            ("SOLO@old.test", ["box carl@example.test"], "aliases are without case"),
            (
                "solo@hosted.test",
                [ann, "archive@else.test by smtp" + mx],
                "the alias file is not for it, the catch-all takes it",
            ),
            ("carl+special@example.test", [els + mx], "an alias with detail is first"),
            ("self@example.test", ["5.1.1"], "an alias of itself without account"),
            (
                "sales@example.test",
                [ann, "archive@else.test by smtp" + mx, els + mx],
                "a virtual alias, then the alias file",
            ),
            (
                "bob@example.test",
                ["bob@example.test by mailbox", "log@else.test by smtp" + mx],
                "a virtual alias that names itself",
            ),
            (
                "info@names.test",
                [ann, "archive@else.test by smtp" + mx],
                "aliases only",
            ),
            ("deep@names.test", [ann, "archive@else.test by smtp" + mx], "nested"),
            ("none@names.test", ["5.1.1"], "no accounts there"),
            ("carl@names.test", ["5.1.1"], "no accounts there"),
            ("round@names.test", ["5.4.6"], "virtual aliases in a loop"),
            ("ring@example.test", ["5.4.6"], "aliases in a loop"),
            ("again@example.test", ["5.4.6"], "a list that includes itself"),
            ("gone@names.test", ["5.1.1"], "only unknown targets"),
            (
                "half@names.test",
                [
                    "nobody@example.test by error to 5.1.1 No such user here",
                    ann,
                    "archive@else.test by smtp" + mx,
                ],
                "an unknown target is reported alone",
            ),
            ("cmd@names.test", ["4.3.0"], "virtual aliases run nothing"),
            (
                "bare@example.test",
                [ann, "archive@else.test by smtp" + mx],
                "a bare key",
            ),
            ("user@hosted.test", ["box user@hosted.test"], "before the catch-all"),
            ("bad@example.test", ["4.3.0"], "a list that cannot be read waits"),
            ("prog@example.test", ["prog@example.test by pipe to /bin/thing -x"], ""),
            ("box@example.test", ["box@example.test by file to /var/mail/box"], ""),
            ("dir@example.test", ["dir@example.test by file to /var/mail/dir/"], ""),
            (
                "list@example.test",
                ["carl@example.test by mailbox", "dora@else.test by smtp" + mx],
                "an included list",
            ),
            (
                "sneaky@example.test",
                [
                    "sneaky@example.test by error to 5.7.1 Mail to commands and files "
                    "is not allowed here",
                    ann,
                    "archive@else.test by smtp" + mx,
                ],
                "included lists run nothing",
            ),
            ("shared@example.test", ["4.3.0"], "a list that cannot be trusted"),
            ("empty@example.test", ["5.1.1"], "an empty list"),
            (
                "gap@example.test",
                [
                    "missing@example.test by error to 5.1.1 No such user here",
                    ann,
                    "archive@else.test by smtp" + mx,
                ],
                "one missing member",
            ),
            (
                "many@example.test",
                [ann, "archive@else.test by smtp" + mx, "carl@example.test by mailbox"],
                "each target once",
            ),
            ("gone@example.test", ["5.1.6"], "an error route of a local address"),
            (
                "lmtp@example.test",
                ["lmtp@example.test by lmtp to unix:/run/lmtp"],
                "a local address by another way",
            ),
        ]:
            self.assertEqual(self.decided(text), expected, f"{text}: {why}")

    def test_forwards(self):
        mx = " by smtp to the MX of else.test"
        for user, expected, why in [
            ("dora", ["dora@else.test" + mx], "all goes elsewhere"),
            ("ed", ["ed@example.test by mailbox", "ed@else.test" + mx], "a copy stays"),
            ("flo", ["flo@example.test by mailbox", "flo@else.test" + mx], "the same"),
            (
                "flo+x",
                ["flo+x@example.test by mailbox", "flo@else.test" + mx],
                "detail",
            ),
            (
                "gus",
                ["gus@example.test by pipe to /bin/vacation gus, as gus@example.test"],
                "a command runs as the user",
            ),
            (
                "max",
                ["max@example.test by file to /home/max/mbox, as max@example.test"],
                "a file is written as the user",
            ),
            ("hal", ["box hal@example.test"], "users include nothing"),
            ("ida", ["box ida@example.test"], "a broken one leaves the mail here"),
            ("lea", ["box lea@example.test"], "so does an empty one"),
            ("jon", ["box jon@example.test"], "two that forward to each other"),
            ("carl", ["box carl@example.test"], "no file"),
            ("carl+away", ["bob@else.test" + mx], "a file for one detail"),
            (
                "oz",
                [
                    "carl@example.test by mailbox",
                    "oz@example.test by mailbox",
                    "bob@else.test" + mx,
                ],
                "a list that leads back to the mailbox",
            ),
            (
                "nia",
                [
                    "ann@example.test by mailbox",
                    "archive@else.test" + mx,
                    "nia@example.test by mailbox",
                ],
                "through other aliases",
            ),
        ]:
            found = self.decided(f"{user}@example.test")
            self.assertEqual(found, expected, f"{user}: {why}")

    def test_an_mbox_is_a_mailbox_like_others(self):
        directory = Directory()
        box = Account("box@example.test", "/mail/d", mailbox="/mail/d/box")
        directory.accounts[box.name] = box
        router = Router(directory, Store(), self.config, QUEUE, tables=self.tables)
        asked = router.resolve(Address.parse("BOX@example.test"), may_relay=False)
        recipient = self.successResultOf(Deferred.fromCoroutine(asked))
        self.assertEqual(recipient.account, box)

    def test_a_user_cannot_make_a_list_loop(self):
        self.assertEqual(
            self.decided("club@example.test"),
            [
                "carl@example.test by mailbox",
                "oz@example.test by mailbox",
                "bob@else.test by smtp to the MX of else.test",
            ],
        )

    def test_forwards_may_be_switched_off(self):
        self.config = evolve(
            self.config, alias=evolve(self.config.alias, forward=False)
        )
        self.assertEqual(self.decided("dora@example.test"), ["box dora@example.test"])

    def test_commands_need_leave(self):
        alias = evolve(self.config.alias, commands=False, forward_commands=False)
        self.config = evolve(self.config, alias=alias)
        for user in ("prog", "box", "dir"):
            self.assertEqual(self.decided(f"{user}@example.test"), ["5.7.1"])
        for user in ("gus", "max"):
            box = [f"box {user}@example.test"]
            self.assertEqual(self.decided(f"{user}@example.test"), box)

    def test_relay_domains(self):
        mx = " by smtp to the MX of"
        catch_all = "ann@example.test by mailbox"
        for text, expected, why in [
            ("user@backup.test", [f"user@backup.test{mx} backup.test"], "a recipient"),
            ("user+x@backup.test", [f"user+x@backup.test{mx} backup.test"], "detail"),
            ("x@sub.gate.test", [f"x@sub.gate.test{mx} sub.gate.test"], "all taken"),
            ("x@gate.test", ["5.7.1"], "the parent is not below itself"),
            ("else@backup.test", None, "its catch-all"),
        ]:
            found = self.decided(text)
            if expected is None:
                self.assertEqual(found[0], catch_all, why)
            else:
                self.assertEqual(found, expected, why)
        self.config = evolve(self.config, alias=evolve(self.config.alias, virtual=()))
        self.failureResultOf(self.resolve("else@backup.test"), NoSuchUser)

    def test_elsewhere(self):
        for text, sender, expected, why in [
            ("x@far.test", None, ["x@far.test by smtp to the MX of far.test"], "MX"),
            (
                "x@far.test",
                "ann@example.test",
                ["x@far.test by smarthost"],
                "a smarthost for one sender",
            ),
            (
                "x@else.test",
                "user@hosted.test",
                ["x@else.test by smtp to [hosted-out.test]:25"],
                "a route by sender",
            ),
            (
                "x@direct.test",
                "ann@example.test",
                ["x@direct.test by smtp to the MX of direct.test"],
                "smtp: goes past the smarthost",
            ),
            ("x@black.test", None, ["x@black.test by discard"], "discarded"),
            ("x@busy.test", None, ["4.3.2"], "refused for now"),
            ("vip@paid.test", None, ["vip@paid.test by smtp to [fast.test]:26"], ""),
            ("x@paid.test", None, ["x@paid.test by smtp to [slow.test]:26"], "domain"),
            ("x@a.b.paid.test", None, ["x@a.b.paid.test by discard"], "parents"),
            ("x@broken.test", None, ["4.3.0"], "a table with no action waits"),
            (
                "carl@moved.test",
                None,
                ["box carl@example.test"],
                "virtual aliases of a foreign domain, for those who may relay",
            ),
        ]:
            found = self.decided(text, sender, may_relay=True)
            self.assertEqual(found, expected, why)

    def test_aliases_open_no_relay(self):
        self.failureResultOf(self.resolve("carl@moved.test"), RelayDenied)
        self.failureResultOf(self.resolve("x@far.test"), RelayDenied)

    def test_without_a_queue_nothing_is_forwarded(self):
        for text in ("dora@example.test", "team@example.test", "user@backup.test"):
            self.failureResultOf(self.resolve(text, queue=None), NoRoute)
        self.assertEqual(
            self.decided("solo@example.test", queue=None), ["box carl@example.test"]
        )

    def test_an_owner_hears_of_the_trouble_of_a_list(self):
        found = self.decided("team@example.test", "zoe@far.test")
        self.assertEqual(
            found,
            [
                "ann@example.test by mailbox, sender <owner-team@example.test>",
                "archive@else.test by smtp to the MX of else.test, "
                "sender <owner-team@example.test>",
                "bob@else.test by smtp to the MX of else.test, "
                "sender <owner-team@example.test>",
                "bob@example.test by mailbox, sender <owner-team@example.test>",
            ],
        )
        self.assertNotIn("sender", "".join(self.decided("team@example.test")))

    def test_members_of_a_list_are_asked_for_nothing_in_the_senders_name(self):
        """RFC 3461 §5.2.7.1: the list has the message, what follows is the owner's."""
        asked = Notify(frozenset({"SUCCESS", "DELAY"}), "rfc822;team@example.test")
        wishes = Wishes(ret="FULL", envid="e1", require_tls=True)
        for name, of_list in (("team", True), ("club", False)):
            to = f"{name}@example.test"
            recipient = self.successResultOf(self.resolve(to, "zoe@far.test"))
            rows = queued_recipients(
                Envelope(
                    "m", "s", None, (evolve(recipient, notify=asked),), wishes=wishes
                ),
                0.0,
            )
            message = QueuedMessage("m", Address("zoe", "far.test"), 1, 0, 9, wishes)
            jobs = jobs_of(message, rows, 50)
            told = [r.route for r in rows if r.route.transport == "done"]
            action = "delivered" if of_list else "expanded"
            self.assertEqual(told, [Route("done", action)], name)
            for job in jobs:
                if job.route.transport == "done":
                    self.assertEqual(job.message, message)
                    continue
                kept = "" if of_list else "e1"
                self.assertEqual(job.message.wishes.envid, kept, name)
                self.assertEqual(job.message.wishes.ret, kept and "FULL")
                self.assertTrue(job.message.wishes.require_tls)
                for row in job.recipients:
                    without = Notify(frozenset({"DELAY"}), asked.orcpt)
                    self.assertEqual(row.notify, Notify() if of_list else without)

    def test_foreign_senders_of_forwarded_mail_are_rewritten(self):
        for sender, rewritten, why in [
            ("zoe@far.test", True, "a foreign sender"),
            ("ann@example.test", False, "one of ours"),
            ("x@old.test", False, "of a domain alias"),
            (f"{'z' * 50}@far.test", False, "too long, and nowhere to keep it"),
            (None, False, "the null path"),
        ]:
            (found,) = self.decided("dora@example.test", sender)
            self.assertEqual("sender <SRS0=" in found, rewritten, why)
        (found,) = self.decided("x@far.test", "zoe@far.test", may_relay=True)
        self.assertNotIn("SRS0", found)  # relayed, not forwarded

    def test_a_sender_too_long_to_be_rewritten_is_kept_and_its_bounce_goes_back(self):
        connection = connect(path := self.mktemp())
        store = SenderStore(None, path, 21, runner=Direct(connection, writes=True))
        self.addCleanup(store.close)
        options = {"senders": Senders(self.srs, lambda: NOW_S, store)}
        long = f"{'z' * 60}@far.test"
        (found,) = self.decided("dora@example.test", long, **options)
        rewritten = found.partition("<")[2].partition(">")[0]
        self.assertRegex(rewritten, "SRS0=.*=-=.*@example.test")
        self.assertEqual(
            self.decided(rewritten, **options),
            [f"{long} by smtp to the MX of far.test"],
        )
        connection.execute("DROP TABLE sender")
        self.failureResultOf(
            self.resolve("dora@example.test", long, **options), LookupFailed
        )

    def test_a_bounce_to_a_rewritten_sender_goes_back(self):
        rewritten = self.srs.forward(Address.parse("zoe@far.test"), NOW_S)
        self.assertEqual(
            self.decided(str(rewritten)), ["zoe@far.test by smtp to the MX of far.test"]
        )
        forged = str(rewritten).replace("zoe", "eve")
        self.assertEqual(self.decided(forged), ["5.1.1"])
        self.assertEqual(self.decided(forged.replace("example", "old")), ["5.1.1"])

    def test_a_table_that_is_down_is_never_unknown(self):
        for name in ("virtual", "backup"):
            tables = self.tables | {name: Down()}
            text = "x@backup.test" if name == "backup" else "nobody@example.test"
            self.failureResultOf(self.resolve(text, tables=tables), LookupFailed)
        self.failureResultOf(
            self.resolve("nobody@example.test", alias_files=[Down()]), LookupFailed
        )

    def test_regular_expressions_see_whole_addresses_only(self):
        rule = Rule()
        tables = self.tables | {"virtual": rule}
        found = self.decided("x-9+d@example.test", tables=tables)
        self.assertEqual(found[0], "ann@example.test by mailbox")
        self.decided("nobody+d@hosted.test", tables=tables)
        self.assertEqual(
            rule.asked,
            [
                "x-9+d@example.test",
                "ann@example.test",
                "archive@else.test",
                "nobody+d@hosted.test",
            ],
        )

    def test_depth_and_number_have_limits(self):
        for change, text in [
            ({"most_depth": 1}, "deep@names.test"),
            ({"most_targets": 2}, "team@example.test"),
        ]:
            alias = evolve(self.config.alias, **change)
            before, self.config = self.config, evolve(self.config, alias=alias)
            fault = self.failureResultOf(self.resolve(text), AliasLoop).value
            self.assertEqual(fault.status, "5.4.6")
            self.config = before

    def test_a_long_list_lets_others_have_their_turn(self):
        paused = []

        async def pause():
            paused.append(None)

        members = [f"user{n}@far.test" for n in range(450)]
        self.patch_includes({"/lists/list": ", ".join(members)})
        found = self.decided("list@example.test", pause=pause)
        self.assertEqual(len(found), 450)
        self.assertEqual(len(paused), 4)

    def patch_includes(self, changed):
        for path, text in changed.items():
            self.addCleanup(INCLUDES.__setitem__, path, INCLUDES[path])
            INCLUDES[path] = text

    def test_a_mistake_at_the_end_of_a_long_list_is_a_mistake_of_all(self):
        members = [f"user{n}@far.test" for n in range(450)]
        self.patch_includes({"/lists/list": ", ".join([*members, "a b"])})
        self.failureResultOf(self.resolve("list@example.test"), LookupFailed)

    def test_the_mailbox_behind_aliases_and_forwards_is_found(self):
        for text, name, detail, why in [
            ("ann@example.test", "ann@example.test", "", "despite its alias"),
            ("dora+x@example.test", "dora@example.test", "x", "despite its .forward"),
            ("bob@old.test", "bob@example.test", "", "in a domain alias"),
            ("gone2@example.test", "gone2@example.test", "", "an account"),
            ("lmtp@example.test", "lmtp@example.test", "", "despite its route"),
            ("postmaster@example.test", "ann@example.test", "", "postmaster"),
        ]:
            found = self.successResultOf(self.mailbox(text))
            self.assertEqual((found.account.name, found.detail), (name, detail), why)
        for text in ("solo@example.test", "x@hosted.test", "x@far.test"):
            self.failureResultOf(self.mailbox(text), NoSuchUser)

    def test_whose_an_address_is(self):
        lists = [InlineTable("/etc/aliases", ["two dora", "many dora, gone2"])]

        def owner(text, **options):
            address = Address.parse(text)
            router = self.router(alias_files=lists, **options)
            found = Deferred.fromCoroutine(router.owner(address))
            return getattr(self.successResultOf(found), "name", None)

        for text, name, why in [
            ("info@names.test", "ann@example.test", "an alias of one"),
            ("two@example.test", "dora@example.test", "an alias of a file"),
            ("many@example.test", None, "a list"),
            ("deep@names.test", "ann@example.test", "an alias of an alias"),
            ("dora@example.test", "dora@example.test", "whatever its .forward says"),
            ("bob@old.test", None, "mail for it goes elsewhere, too"),
            ("dora@old.test", "dora@example.test", "in a domain alias"),
            ("any@hosted.test", "ann@example.test", "a catch-all"),
            ("sales@example.test", None, "of several"),
            ("half@names.test", None, "of nobody, too"),
            ("gone@names.test", None, "of nobody"),
            ("round@names.test", None, "a loop"),
            ("x@else.test", None, "elsewhere"),
            ("nobody@example.test", None, "nobody's"),
        ]:
            self.assertEqual(owner(text), name, why)

        class Down(InlineTable):
            async def find(self, key):
                raise LookupFailed()

        tables = self.tables | {"virtual": Down("virtual", [])}
        asked = self.router(tables=tables).owner(Address.parse("info@names.test"))
        self.failureResultOf(Deferred.fromCoroutine(asked), LookupFailed)

    def mailbox(self, text):
        return Deferred.fromCoroutine(self.router().mailbox(Address.parse(text)))

    def test_postmaster_is_somebody_even_if_aliases_lead_to_nobody(self):
        lost = [InlineTable("/etc/aliases", ["postmaster root"])]
        found = self.decided("postmaster@example.test", alias_files=lost)
        self.assertEqual(found, ["box ann@example.test"])
        found = self.decided("root@example.test", alias_files=lost)
        self.assertEqual(found, ["5.1.1"])

    def test_the_deepest_aliases_that_are_allowed_can_be_walked(self):
        alias = evolve(self.config.alias, most_depth=80)
        self.config = evolve(self.config, alias=alias)
        for last, expected in [(79, ["x@black.test by discard"]), (99, ["5.4.6"])]:
            entries = [f"a{n} :include:/deep/{n}" for n in range(last)]
            entries.append(f"a{last} x@black.test")
            for n in range(last):
                INCLUDES[f"/deep/{n}"] = f"a{n + 1}"
                self.addCleanup(INCLUDES.pop, f"/deep/{n}", None)
            virtual = [f"b{n}@example.test b{n + 1}@example.test" for n in range(last)]
            virtual.append(f"b{last}@example.test x@black.test")
            options = {
                "alias_files": [InlineTable("/etc/aliases", entries)],
                "tables": self.tables | {"virtual": InlineTable("v", virtual)},
            }
            found = self.decided("b0@example.test", **options)
            self.assertEqual(found, expected)
            self.assertEqual(self.decided("a0@example.test", **options), ["5.4.6"])
            found = self.decided(f"a{last - 30}@example.test", **options)
            self.assertEqual(found, ["x@black.test by discard"])

    @given(st.data())
    def test_any_aliases_come_to_an_end(self, data):
        names = [f"n{number}" for number in range(6)]
        value = st.sampled_from(
            [
                *names,
                *USERS[:4],
                "\\ann",
                "x@far.test",
                ":include:/i",
                "|/bin/x",
                "n1+d",
            ]
        )
        listed = st.lists(value, min_size=1, max_size=3).map(", ".join)
        aliases = data.draw(st.dictionaries(st.sampled_from(names), listed))
        virtual = data.draw(
            st.dictionaries(
                st.sampled_from([f"{name}@example.test" for name in names]),
                st.sampled_from(names).map(lambda name: f"{name}@example.test"),
            )
        )
        self.setUp()
        INCLUDES["/i"] = data.draw(listed)
        options = {
            "alias_files": [InlineTable("a", [f"{k} {v}" for k, v in aliases.items()])],
            "tables": self.tables
            | {"virtual": InlineTable("v", [f"{k} {v}" for k, v in virtual.items()])},
        }
        for name in names:
            resolved = self.resolve(f"{name}@example.test", "zoe@far.test", **options)
            fault = self.failure_of(resolved)
            if fault is not None:
                self.assertIn(fault.status, ("5.4.6", "5.1.1", "5.7.1"))
                continue
            recipient = self.successResultOf(resolved)
            if isinstance(recipient, LocalRecipient):
                continue
            self.assertTrue(targets_of(recipient))
        INCLUDES.pop("/i")

    def test_a_decision_is_explained_step_by_step(self):
        decision = self.successResultOf(
            Deferred.fromCoroutine(
                self.router().explain(Address.parse("one@old.test"), may_relay=False)
            )
        )
        self.assertEqual(
            list(decision_lines(decision)),
            [
                "one@old.test:",
                "  one@old.test: domain: local",
                "  one@old.test: domain alias: example.test",
                "  one@example.test: virtual alias one@example.test in virtual: "
                "ann@example.test",
                "  ann@example.test: domain: local",
                "  ann@example.test: alias ann in /etc/aliases: ann, archive@else.test",
                "  ann@example.test: domain: local",
                "  ann@example.test: account: ann@example.test",
                "  archive@else.test: domain: elsewhere",
                "  archive@else.test: no route: smtp:",
                "  = ann@example.test by mailbox",
                "  = archive@else.test by smtp to the MX of else.test",
            ],
        )

    def test_a_refusal_is_explained(self):
        decision = self.successResultOf(
            Deferred.fromCoroutine(
                self.router().explain(Address.parse("x@far.test"), may_relay=False)
            )
        )
        self.assertIsNone(decision.recipient)
        self.assertEqual(
            list(decision_lines(decision))[-1], "  = refused: 5.7.1 Relay access denied"
        )

    def test_nothing_of_it_is_needed(self):
        self.config = Config()
        (found,) = self.decided("x@far.test", may_relay=True)
        self.assertEqual(found, "x@far.test by smtp to the MX of far.test")
