"""Tests for mailtwist.sieve.events and .event_plan: what follows what a client did."""

import os

from attrs import evolve, frozen
from twisted.internet.defer import Deferred

from mailtwist.config.sieve import ImapEvent
from mailtwist.errors import MailError, StorageFull
from mailtwist.mailbox.events import SCRIPT, Cause, Event, MailEvents
from mailtwist.mailbox.model import INBOX, FlagAction, FlagChange
from mailtwist.queue.mailbox import MailboxTransport
from mailtwist.queue.model import Job
from mailtwist.store.memory import MemoryStore

from .running import REQUIRE
from .world import ANN, LETTER, Router, Scripted

HEAD = f'require "imapsieve"; {REQUIRE}'
for word in ("reject", "ereject", "vacation", "vacation-seconds"):
    HEAD = HEAD.replace(f'"{word}", ', "")
NOON_S = 1_700_000_000
DELETED = frozenset({"\\Deleted"})


@frozen
class Login:
    """Ann, over the store."""

    account: object
    mailboxes: object


class Events(Scripted):
    """Words for tests."""

    def build(self, url="sieve://mail.example.test", **sieve):
        super().build(**sieve)
        accounts = {ANN: self.account()}

        async def account(name):
            return accounts.get(name)

        self.events = self.sieving.events(account, url)
        if self.events is not None:
            self.events = evolve(self.events, delivery=self.delivery)

    @property
    def tree(self):
        return self.store.mailboxes(self.account())

    def event(self, cause, path=INBOX, source=None):
        return Event(Login(self.account(), self.tree), cause, path, source)

    async def named(self, text, path=(), name="acts", head=HEAD):
        """A script that an annotation names."""
        await self.tree.put_script(name, (head + text).encode(), 9)
        await self.tree.set_metadata(path, [(SCRIPT, name.encode())], 9)

    async def put(self, octets=LETTER, path=INBOX, flags=()):
        upload = self.tree.upload(path)
        waiting = upload.write(octets)
        if waiting is not None:
            await waiting
        message = (upload, frozenset(flags), NOON_S)
        (uid,) = (await self.tree.append(path, [message])).uids
        return uid

    async def append(self, octets=LETTER, path=INBOX, flags=()):
        uid = await self.put(octets, path, flags)
        await self.events.arrived(self.event(Cause.APPEND, path), [uid])
        return uid

    async def mark(self, uid, action, *flags, path=INBOX):
        event = self.event(Cause.FLAG, path)
        looked = await self.events.look(event, [uid])
        mailbox = await self.tree.open(path)
        await mailbox.store_flags([uid], FlagChange(action, frozenset(flags)))
        await mailbox.close()
        if looked is not None:
            await self.events.changed(event, looked)

    async def flags(self, path=INBOX):
        return [flags for flags, _ in await self.held(path)]


class WhatIsDoneTests(Events):
    async def test_the_message_itself(self):
        for script, flags, reason in [
            ("", set(), "the implicit keep changes nothing (§3.1)"),
            ("keep;", set(), "nor does an explicit one (§3.2)"),
            ('addflag "$Seen2";', {"$Seen2"}, "flags are kept (§3.8)"),
            ('setflag ["a", "b"]; keep;', {"a", "b"}, "by a keep too"),
            ('keep :flags "a";', {"a"}, "said by the keep"),
            ("discard;", DELETED, "§3.5"),
            ("discard; keep;", set(), "discard beside keep does nothing (§3.5)"),
            ('addheader "X-A" "b"; keep;', set(), "it cannot change (§3.7)"),
            ('replace "text"; keep;', set(), "nor its parts (§3.9)"),
            ('fileinto "Nowhere";', set(), "no such mailbox: it is kept"),
            ('redirect "ann@example.test";', set(), "to oneself is no redirect"),
            ("stop; discard;", set(), "stop"),
        ]:
            await self.named(script)
            uid = await self.append()
            held = await self.held()
            self.assertEqual(held, [(flags, LETTER)], f"{script}: {reason}")
            mailbox = await self.tree.open(INBOX)
            await mailbox.expunge([uid])
            await mailbox.close()
        self.assertEqual(await self.queued(), [])

    async def test_what_is_not_kept_may_be_removed(self):
        self.build(expunge_discarded=True)
        await self.put(flags=DELETED)
        await self.named("discard;")
        await self.append()
        self.assertEqual(await self.flags(), [DELETED])  # the other one stays

    async def test_one_copy_is_made_at_once_and_as_it_is(self):
        await self.tree.create(("A",))
        for script, kept, copied in [
            ('fileinto "A";', {"\\Deleted", "\\Seen"}, {"\\Seen"}),
            ('fileinto :copy "A";', {"\\Seen"}, {"\\Seen"}),
            ('fileinto "A"; keep;', {"\\Seen"}, {"\\Seen"}),
            ('fileinto :copy :flags "x" "A";', {"\\Seen"}, {"x"}),
            ('addflag "x"; fileinto :copy "A";', {"\\Seen", "x"}, {"\\Seen", "x"}),
            ('fileinto :copy "INBOX";', {"\\Seen"}, None),
        ]:
            self.store = MemoryStore()
            self.build()
            await self.tree.create(("A",))
            await self.named(script)
            await self.append(flags=["\\Seen"])
            held = await self.held()
            self.assertEqual(held[0], (kept, LETTER), script)
            if copied is None:  # a new message, separate from the original (§3.3)
                self.assertEqual(held[1:], [({"\\Seen"}, LETTER)])
                continue
            self.assertEqual(await self.held(("A",)), [(copied, LETTER)], script)
            mailbox = await self.tree.open(("A",))
            rows = await mailbox.rows()
            self.assertEqual(rows.internal_dates, [NOON_S], script)
            await mailbox.close()
        self.assertEqual(await self.queued(), [])

    async def test_edits_are_in_the_copy_alone(self):
        await self.tree.create(("A",))
        await self.named('addheader "X-A" "b"; fileinto :copy "A";')
        await self.append()
        self.assertEqual(await self.held(), [(set(), LETTER)])
        self.assertEqual(await self.held(("A",)), [(set(), b"X-A: b\r\n" + LETTER)])

    async def test_a_copy_of_what_is_marked_deleted_is_not(self):
        await self.tree.create(("A",))
        await self.named('fileinto "A";')
        uid = await self.put(flags=["\\Flagged"])
        await self.mark(uid, FlagAction.ADD, "\\Deleted")
        self.assertEqual(await self.flags(), [{"\\Flagged", "\\Deleted"}])
        self.assertEqual(await self.flags(("A",)), [{"\\Flagged"}])

    async def test_several_actions_are_one_transaction_of_the_queue(self):
        for name in ("A", "B"):
            await self.tree.create((name,))
        await self.named(
            'fileinto "A"; fileinto :flags "x" "B"; redirect "dora@example.net";'
            ' notify "mailto:erik@example.net"; if duplicate {}'
        )
        commits = []
        commit_all = self.spool.commit_all

        async def counted(sinks, memories=()):
            commits.append((len(sinks), len(memories), await self.flags()))
            await commit_all(sinks, memories)

        self.patch(self.spool, "commit_all", counted)
        letter = LETTER.replace(b"\r\n\r\n", b"\r\nMessage-ID: <1@x>\r\n\r\n")
        await self.append(letter)
        self.assertEqual(commits, [(3, 1, [frozenset()])])  # before the flags
        self.assertEqual(await self.flags(), [DELETED])
        filed, redirected, told = await self.queued()
        self.assertEqual([to[1] for to in filed[1]], ["mailbox", "mailbox"])
        self.assertEqual(filed[2], letter)
        self.assertEqual(redirected[:2], (ANN, [("dora@example.net", "smtp", "")]))
        self.assertEqual(told[:2], (ANN, [("erik@example.net", "smtp", "")]))

    async def test_the_queue_files_copies_as_they_are(self):
        for name in ("A", "B"):
            await self.tree.create((name,))
        await self.script('addflag "delivery";')
        await self.named('fileinto "A"; fileinto :flags "x" "B";')
        await self.append()
        transport = MailboxTransport(Router(), self.delivery)
        for message, recipients in await self.spool.due(self.now_s + 1, 9):
            route = recipients[0].route
            job = Job(message, recipients, message.reverse_path, route)
            outcomes = await transport.attempt(job, self.spool.content(message))
            self.assertEqual({one.action for one in outcomes}, {"delivered"})
        self.assertEqual(await self.held(("A",)), [(set(), LETTER)])
        self.assertEqual(await self.held(("B",)), [({"x"}, LETTER)])

    async def test_nothing_is_done_that_cannot_be_kept(self):
        await self.named('fileinto :copy "INBOX"; redirect "dora@example.net";')

        async def full(sinks, memories=()):
            raise StorageFull()

        self.patch(self.spool, "commit_all", full)
        await self.append()
        self.assertEqual(await self.held(), [(set(), LETTER)])

    async def test_redirect_supplies_what_is_missing(self):
        await self.named('redirect :copy "dora@example.net";')
        await self.append(
            b"Subject: bare\r\nDelivered-To: ann@example.test\r\n\r\nx\r\n"
        )
        ((sender, _, octets),) = await self.queued()
        self.assertEqual(sender, ANN)
        head = octets.partition(b"\r\n\r\n")[0].split(b"\r\n")
        self.assertEqual(head[0], b"Delivered-To: ann@example.test")
        self.assertEqual(head[1], b"From: ann@example.test")
        self.assertTrue(head[2].startswith(b"Date: "))
        self.assertRegex(head[3], b"^Message-ID: <.+@mx.example.test>$")
        self.assertEqual(head[4], b"Subject: bare")


class WhatIsSeenTests(Events):
    async def test_the_environment(self):
        items = {
            "location": "MS",
            "phase": "post",
            "imap.user": ANN,
            "imap.email": ANN,
            "imap.cause": "COPY",
            "imap.mailbox": "Lists/Caf\u00e9",
            "imap.changedflags": "",
            "vnd.mailtwist.mailbox-from": "INBOX",
        }
        path = ("Lists", "Caf\u00e9")
        await self.tree.create(path)
        tests = ", ".join(
            f'environment "{item}" "{value}"' for item, value in items.items()
        )
        await self.named(f'if allof ({tests}) {{ addflag "all"; }}', path)
        uid = await self.put(path=path)
        await self.events.arrived(self.event(Cause.COPY, path, INBOX), [uid])
        self.assertEqual(await self.flags(path), [{"all"}])

    async def test_in_delivery_the_items_are_empty(self):
        tests = ", ".join(
            f'environment "imap.{item}" ""'
            for item in ("user", "email", "cause", "mailbox", "changedflags")
        )
        await self.script(f'if allof ({tests}) {{ addflag "all"; }}')
        await self.deliver()
        self.assertEqual(await self.flags(), [{"all"}])

    async def test_flags_are_seen_as_they_are_after_the_change(self):
        await self.named(
            'if allof (hasflag "\\\\Flagged",'
            ' environment :contains "imap.changedflags" "\\\\Flagged")'
            ' { addflag "told"; }'
        )
        uid = await self.put(flags=["\\Seen"])
        await self.mark(uid, FlagAction.REMOVE, "\\Seen")
        self.assertEqual(await self.flags(), [set()])
        await self.mark(uid, FlagAction.ADD, "\\Flagged")
        self.assertEqual(await self.flags(), [{"\\Flagged", "told"}])
        await self.mark(uid, FlagAction.REMOVE, "told")
        await self.mark(uid, FlagAction.ADD, "\\Flagged")  # has it already
        self.assertEqual(await self.flags(), [{"\\Flagged"}])
        await self.mark(uid, FlagAction.REMOVE, "\\Flagged")
        self.assertEqual(await self.flags(), [set()])

    async def test_all_that_changed_is_named(self):
        await self.named(
            'if environment "imap.changedflags" "\\\\Seen a" { addflag "both"; }'
        )
        uid = await self.put(flags=["a"])
        await self.mark(uid, FlagAction.REPLACE, "\\Seen")
        self.assertEqual(await self.flags(), [{"\\Seen", "both"}])

    async def test_what_is_for_mail_that_comes_in_fails(self):
        cases = [
            ('require "vacation"; vacation "x";', '"vacation" is for mail'),
            ('require "reject"; keep;', '"reject" is for mail'),
            ('require "ereject"; ereject "x";', '"ereject" is for mail'),
            ('require "envelope"; if envelope "to" "x" {}', '"envelope" is for mail'),
            ('require "include"; include "other";', '"vacation" is for mail'),
        ]
        for at, (script, why) in enumerate(cases, 1):
            await self.tree.put_script("other", b'require "vacation"; keep;', 9)
            await self.named(f"{script} discard;", head="")
            self.now_s += 100_000
            await self.append()
            notes = await self.queued()
            told = [(sender, to[0][:2]) for sender, to, _ in notes]
            self.assertEqual(set(told), {(None, (ANN, "mailbox"))})
            self.assertEqual(len(notes), at, script)
            self.assertTrue(any(why.encode() in note for *_, note in notes), script)
            self.assertEqual(set(await self.flags()), {frozenset()})

    async def test_ihave_knows(self):
        await self.named(
            'require ["ihave", "imap4flags"];'
            'if ihave "vacation" { vacation "x"; } else { addflag "none"; }',
            head="",
        )
        await self.append()
        self.assertEqual(await self.flags(), [{"none"}])
        self.assertEqual(await self.queued(), [])

    async def test_the_owner_is_told_once_of_a_mistake(self):
        await self.named('redirect "no address";')
        await self.append()
        await self.append()
        ((_, _, note),) = await self.queued()
        self.assertIn(b'your script "acts"', note)


class WhichScriptTests(Events):
    async def test_the_one_of_the_mailbox_hides_the_one_of_the_account(self):
        await self.tree.create(("A",))
        await self.named('addflag "account";', name="account")
        await self.named('addflag "mailbox";', ("A",), name="mailbox")
        await self.append()
        await self.append(path=("A",))
        self.assertEqual(await self.flags(), [{"account"}])
        self.assertEqual(await self.flags(("A",)), [{"mailbox"}])
        for value in (b"", b"missing", b"\xff"):
            await self.tree.set_metadata(("A",), [(SCRIPT, value)], 9)
            await self.append(path=("A",))
            self.assertEqual((await self.flags(("A",)))[-1], set(), value)
        await self.tree.set_metadata(("A",), [(SCRIPT, None)], 9)
        await self.append(path=("A",))
        self.assertEqual((await self.flags(("A",)))[-1], {"account"})

    async def test_the_active_script_is_for_delivery(self):
        await self.script('addflag "delivery";')
        await self.append()
        self.assertEqual(await self.flags(), [set()])

    async def test_what_a_script_does_is_no_event(self):
        await self.tree.create(("A",))
        await self.named('addflag "a"; fileinto :copy "A";')
        events = MailEvents([self.events])
        uid = await self.put()
        await events.arrived(self.event(Cause.APPEND), [uid])
        self.assertEqual(await self.flags(), [{"a"}])
        self.assertEqual(await self.flags(("A",)), [{"a"}])

    async def test_messages_that_are_gone_have_no_events(self):
        await self.named('addflag "a";')
        uid = await self.put()
        mailbox = await self.tree.open(INBOX)
        await mailbox.expunge([uid])
        await mailbox.close()
        await self.events.arrived(self.event(Cause.APPEND), [uid, uid + 1])
        self.assertEqual(await self.held(), [])

    async def test_without_a_place_to_manage_them_users_have_none(self):
        self.build(url="")
        self.assertIsNone(self.events)

    async def test_a_login_with_mail_elsewhere_has_none(self):
        await self.named('addflag "a";')
        uid = await self.put()
        event = Event(Login(self.account(), object()), Cause.APPEND, INBOX)
        await self.events.arrived(event, [uid])
        self.assertEqual(await self.flags(), [set()])

    async def test_closing_waits_for_what_runs(self):
        await self.named('addflag "a";')
        uid = await self.put()
        held = Deferred()
        setting = evolve(self.delivery.setting, pause=lambda: held)
        self.patch(self.delivery, "setting", setting)
        running = Deferred.fromCoroutine(
            self.events.arrived(self.event(Cause.APPEND), [uid])
        )
        closing = Deferred.fromCoroutine(self.events.close())
        self.assertNoResult(closing)
        held.callback(None)
        await running
        self.successResultOf(closing)


class RuleTests(Events):
    def script_file(self, name, text, head=HEAD):
        path = os.path.join(self.folder, f"{name}.sieve")
        os.makedirs(self.folder, exist_ok=True)
        with open(path, "w") as file:
            file.write(head + text)
        return path

    def rules(self, *rules, **more):
        self.build(
            events=tuple(
                ImapEvent(
                    before=(self.script_file(f"r{at}", f'addflag "r{at}";'),), **one
                )
                for at, one in enumerate(rules)
            ),
            **more,
        )

    async def test_which_rules_are_for_an_event(self):
        self.rules(
            {"mailbox": "Junk"},
            {"mailbox": "*", "source": "Junk"},
            {"mailbox": "*", "causes": ("FLAG",)},
            {"mailbox": "Lists/%"},
            {"mailbox": "\\junk"},
            {"mailbox": "INBOX", "source": "\\Junk", "causes": ("COPY",)},
            url="",
        )
        tree = self.tree
        await tree.create(("Junk",))
        await tree.create(("Lists", "Deep", "Er"))
        await tree.create(("Spam",), frozenset({"\\Junk"}))
        for cause, path, source, want in [
            (Cause.APPEND, ("Junk",), None, {"r0"}),
            (Cause.COPY, ("Junk",), INBOX, {"r0"}),
            (Cause.COPY, INBOX, ("Junk",), {"r1"}),
            (Cause.COPY, INBOX, ("Spam",), {"r5"}),
            (Cause.COPY, ("Spam",), INBOX, {"r4"}),
            (Cause.APPEND, ("Lists", "Deep"), None, {"r3"}),
            (Cause.APPEND, ("Lists", "Deep", "Er"), None, set()),
            (Cause.APPEND, INBOX, None, set()),
        ]:
            uid = await self.put(path=path)
            await self.events.arrived(self.event(cause, path, source), [uid])
            got = (await self.flags(path))[-1]
            self.assertEqual(got, want, (cause, path, source))
        uid = await self.put()
        await self.mark(uid, FlagAction.ADD, "x")
        self.assertEqual((await self.flags())[-1], {"x", "r2"})

    async def test_they_run_before_and_after_the_one_of_the_mailbox(self):
        self.build(
            events=(
                ImapEvent(
                    mailbox="*",
                    before=(self.script_file("b", 'setflag "b";'),),
                    after=(self.script_file("a", 'addflag "a";'),),
                ),
            )
        )
        await self.named('addflag "mine"; if hasflag "stop" { discard; }')
        await self.append()
        self.assertEqual(await self.flags(), [{"b", "mine", "a"}])
        await self.named("discard;")
        await self.append()
        self.assertEqual((await self.flags())[-1], DELETED)

    async def test_a_broken_one_does_not_hinder_the_others(self):
        self.build(
            events=(
                ImapEvent(
                    mailbox="*",
                    before=(
                        self.script_file("bad", "nonsense;"),
                        os.path.join(self.folder, "missing.sieve"),
                        self.script_file("good", 'addflag "good";'),
                    ),
                ),
            ),
        )
        await self.append()
        self.assertEqual(await self.flags(), [{"good"}])
        ((_, _, note),) = await self.queued()
        self.assertIn(b"bad.sieve", note)
        self.assertIn(b"missing.sieve", note)

    async def test_without_rules_that_fit_nothing_is_read(self):
        self.rules({"mailbox": "Junk"}, url="")
        self.assertIsNone(await self.events.look(self.event(Cause.FLAG), [1]))


class ListenerTests(Events):
    async def test_others_may_listen_too(self):
        heard = []

        class Learner:
            async def arrived(self, event, uids):
                heard.append((event.cause, event.path, uids))

            async def look(self, event, uids):
                return None

        class Broken:
            async def arrived(self, event, uids):
                raise MailError()

            async def look(self, event, uids):
                raise ValueError("broken")

        events = MailEvents([Broken()])
        events.add(Learner())
        await events.arrived(self.event(Cause.COPY), [7])
        self.assertEqual(heard, [(Cause.COPY, INBOX, [7])])
        self.assertEqual(await events.look(self.event(Cause.FLAG), [7]), [])
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
