"""Tests for mailtwist.sieve.delivery and .plan: a store in memory, a queue on disk."""

import email
import email.policy
import os

from attrs import evolve
from twisted.internet.defer import Deferred, gatherResults

from mailtwist.address import Address
from mailtwist.delivery.model import (
    Envelope,
    LocalRecipient,
    Notify,
    Wishes,
)
from mailtwist.errors import (
    ConfigError,
    LookupFailed,
    RememberedMeanwhile,
    ScriptRefused,
)
from mailtwist.mailbox.model import INBOX
from mailtwist.sieve.delivery import SieveSink
from mailtwist.smtp.reply import reply_for

from .running import MESSAGE, REQUIRE
from .world import ANN, BOB, LETTER, SENDER, TRACE, Scripted


class SieveDeliveryTests(Scripted):
    # -- files ------------------------------------------------------------------------

    async def test_without_a_script_it_is_the_stores_own_way_in(self):
        here = LocalRecipient(Address.parse(ANN), self.account())
        sink = self.delivery.begin(Envelope("m", "s", SENDER, (here,)))
        self.assertNotIsInstance(sink, SieveSink)
        await self.script("keep;")
        sink = self.delivery.begin(Envelope("m", "s", SENDER, (here,)))
        self.assertIsInstance(sink, SieveSink)
        sink.abort()
        sorted_already = evolve(here, sorted=True)
        sink = self.delivery.begin(Envelope("m", "s", SENDER, (sorted_already,)))
        self.assertNotIsInstance(sink, SieveSink)

    async def test_one_copy_goes_into_its_mailbox_at_once(self):
        tree = self.store.mailboxes(self.account())
        await tree.create(("Lists",))
        await self.script(
            'if header :contains "received" "by here" {'
            ' fileinto :flags ["\\\\Seen", "Work"] "Lists"; }'
        )
        self.assertEqual(await self.deliver(), [None])
        ((flags, octets),) = await self.held(("Lists",))
        self.assertEqual(flags, {"\\Seen", "Work"})
        self.assertTrue(octets.endswith(TRACE + LETTER))
        self.assertEqual(octets.count(b"Received:"), 1)
        self.assertEqual(await self.held(), [])
        self.assertEqual(await self.queued(), [])

    async def test_where_it_is_filed(self):
        tree = self.store.mailboxes(self.account())
        junk = await tree.create(("Spam",), frozenset({"\\Junk"}))
        for script, path in [
            ('fileinto :specialuse "\\\\Junk" "None";', ("Spam",)),
            (f'fileinto :mailboxid "F{junk}" "None";', ("Spam",)),
            ('fileinto :mailboxid "F0" "None";', INBOX),
            ('fileinto "None";', INBOX),
            ('fileinto "inbox";', INBOX),
            ('fileinto "a//b";', INBOX),
            ('fileinto :create "New/One";', ("New", "One")),
            ('fileinto :create :specialuse "\\\\Sent" "Gone";', ("Gone",)),
            ('if mailboxexists "Spam" { fileinto "Spam"; }', ("Spam",)),
        ]:
            await self.script(script)
            before = []
            if path in [info.path for info in await tree.listed()]:
                before = await self.held(path)
            self.assertEqual(await self.deliver(), [None], script)
            self.assertEqual(len(await self.held(path)), len(before) + 1, script)
        infos = {info.path: info for info in await tree.listed()}
        self.assertEqual(infos["Gone",].special_uses, {"\\Sent"})
        self.assertTrue(infos["New", "One"].subscribed)

    async def test_edits_are_in_the_copy(self):
        await self.script('addheader "X-A" "b"; deleteheader "subject"; keep;')
        await self.deliver()
        ((_, octets),) = await self.held()
        self.assertTrue(
            octets.endswith(
                b"X-A: b\r\n" + TRACE + LETTER.replace(b"Subject: lunch\r\n", b"")
            )
        )

    async def test_what_is_discarded_is_nowhere(self):
        await self.script("discard;")
        self.assertEqual(await self.deliver(), [None])
        self.assertEqual((await self.held(), await self.queued()), ([], []))

    async def test_a_large_message_waits_in_a_file(self):
        await self.script(
            'if body :raw :contains "needle" { fileinto :flags "found" "INBOX"; }'
        )
        text = LETTER + b"x" * 3_000_000 + b"needle\r\n"
        self.assertEqual(await self.deliver(text), [None])
        ((flags, octets),) = await self.held()
        self.assertEqual(flags, {"found"})
        self.assertTrue(octets.endswith(TRACE + text))
        await self.delivery.setting.pause()
        left = os.path.join(self.folder, "sieve")
        self.assertTrue(os.path.isdir(left))

    # -- one commit -------------------------------------------------------------------

    async def test_all_actions_are_one_transaction_of_the_queue(self):
        tree = self.store.mailboxes(self.account())
        await tree.create(("A",))
        await self.script(
            'fileinto "A"; redirect "dora@example.net"; addflag "x"; keep;'
            ' vacation "away"; if duplicate {}'
        )
        commits = []
        commit_all = self.spool.commit_all

        async def counted(sinks, memories=()):
            commits.append((len(sinks), len(memories)))
            await commit_all(sinks, memories)

        self.patch(self.spool, "commit_all", counted)
        letter = LETTER.replace(b"\r\n\r\n", b"\r\nMessage-ID: <1@x>\r\n\r\n")
        self.assertEqual(await self.deliver(letter), [None])
        self.assertEqual(commits, [(3, 2)])
        self.assertEqual(await self.held(), [])
        filed, answer, redirected = await self.queued()
        self.assertEqual(filed[0], str(SENDER))
        self.assertEqual(
            filed[1],
            [
                (ANN, "mailbox", '{"path": ["A"], "flags": []}'),
                (ANN, "mailbox", '{"path": ["INBOX"], "flags": ["x"]}'),
            ],
        )
        self.assertEqual(filed[2], TRACE + letter)
        self.assertEqual(answer[:2], (None, [(str(SENDER), "smtp", "")]))
        self.assertEqual(
            redirected[:2], (str(SENDER), [("dora@example.net", "smtp", "")])
        )
        self.assertEqual(
            redirected[2], b"Delivered-To: ann@example.test\r\n" + TRACE + letter
        )

    async def test_a_queue_that_cannot_take_it_leaves_nothing(self):
        await self.script('redirect :copy "dora@example.net";')

        async def full(sinks, memories=()):
            raise LookupFailed()

        self.patch(self.spool, "commit_all", full)
        (verdict,) = await self.deliver()
        self.assertTrue(verdict.temporary)
        self.assertEqual((await self.held(), await self.queued()), ([], []))

    async def test_what_cannot_be_looked_up_now_waits(self):
        await self.script('keep; redirect "down@example.net";')
        (verdict,) = await self.deliver()
        self.assertTrue(verdict.temporary)
        self.assertEqual((await self.held(), await self.queued()), ([], []))

    async def test_each_recipient_has_a_verdict(self):
        await self.script('ereject "no, \u00e9 thanks\nreally";', name=ANN)
        verdicts = await self.deliver(to=(BOB, ANN))
        self.assertIsNone(verdicts[0])
        self.assertIsInstance(verdicts[1], ScriptRefused)
        self.assertEqual(verdicts[1].status, "5.7.1")
        self.assertEqual(verdicts[1].public, "no, \\xe9 thanks really")
        self.assertEqual(verdicts[1].lines, ("no, \u00e9 thanks", "really"))
        self.assertEqual(len(await self.held(name=BOB)), 1)
        self.assertEqual(await self.held(), [])

    async def test_processes_at_once_answer_and_see_but_once(self):
        """The lock is of this process; the other commits between look and commit."""
        await self.script(
            'vacation "away"; if duplicate { fileinto :flags "twice" "INBOX"; }'
        )
        letter = LETTER.replace(b"\r\n\r\n", b"\r\nMessage-ID: <1@x>\r\n\r\n")
        commit_all, other = self.spool.commit_all, []

        async def late(sinks, memories=()):
            if not other and memories:
                other.append(memories)
                await commit_all((), memories)  # what another process did
            await commit_all(sinks, memories)

        self.patch(self.spool, "commit_all", late)
        self.assertEqual(await self.deliver(letter), [None])
        self.assertEqual(len(other[0]), 2)
        self.assertEqual(await self.queued(), [])  # no second answer
        self.assertEqual([flags for flags, _ in await self.held()], [{"twice"}])

    async def test_what_always_comes_between_is_tried_later(self):
        await self.script('vacation "away";')

        async def never(sinks, memories=()):
            raise RememberedMeanwhile()

        self.patch(self.spool, "commit_all", never)
        (verdict,) = await self.deliver()
        self.assertTrue(verdict.temporary)
        self.assertEqual(await self.held(), [])

    async def test_a_redirect_to_a_list(self):
        self.build(lists=("friends",), list_members=3)
        await self.script('redirect :list "friends";')
        cases = [
            (["b@x.example", "a@x.example"], 1, 0, "one message for all"),
            (["@example.com", "a@x.example", ANN], 1, 0, "not to oneself or a domain"),
            (None, 0, 1, "it can be asked alone"),
            ([f"m{n}@x.example" for n in range(4)], 0, 1, "more than list_members"),
            ([], 0, 0, "nobody to send to"),
            ([ANN], 0, 0, "nobody but oneself"),
        ]
        for at, (listed, sent, notes, why) in enumerate(cases):
            self.friends.listed = listed
            before, held = await self.queued(), await self.held()
            self.assertEqual(await self.deliver(LETTER + b"%d\r\n" % at), [None])
            new = [one for one in await self.queued() if one not in before]
            mine = [one for one in new if one[0] is None]
            others = [to for sender, to, _ in new if sender == str(SENDER)]
            kept = len(await self.held()) - len(held)
            kept += sum(to[0][1] == "mailbox" for to in others)
            others = [to for to in others if to[0][1] != "mailbox"]
            self.assertEqual((len(others), len(mine)), (sent, notes), why)
            self.assertEqual(kept, 0 if sent else 1, why)
            if sent:
                to = sorted(address for address, _, _ in others[0])
                self.assertEqual(to, sorted(set(listed) - {"@example.com", ANN}), why)
            self.now_s += 100_000

    async def test_how_a_refusal_is_told(self):
        ascii_, other = '"Not here\r\nreally"', '"Nicht hier, gr\u00fc\u00dfe"'
        for command, reason, utf8, by_smtp, why in [
            ("reject", ascii_, False, True, "ASCII can be said in SMTP"),
            ("ereject", ascii_, False, True, "likewise"),
            ("reject", other, True, True, "RFC 6531 can say it"),
            ("ereject", other, False, True, "ereject prefers SMTP (RFC 5429 §2.1)"),
            ("reject", other, False, False, "the reason must stay whole (§2.2)"),
        ]:
            await self.script(f"{command} {reason};")
            before = len(await self.queued())
            (verdict,) = await self.deliver(wishes=Wishes(smtputf8=utf8))
            self.assertEqual(isinstance(verdict, ScriptRefused), by_smtp, why)
            notices = len(await self.queued()) - before
            self.assertEqual(notices, 0 if by_smtp else 1, why)
        self.assertEqual(await self.held(), [])
        ((sender, to, octets),) = await self.queued()
        self.assertEqual((sender, to[0][0]), (None, str(SENDER)))
        notice = email.message_from_bytes(octets, policy=email.policy.default)
        self.assertEqual(notice["Auto-Submitted"], "auto-replied (rejected)")
        self.assertEqual(notice.get_content_type(), "multipart/report")
        told, report, header = notice.iter_parts()
        self.assertIn("Nicht hier, gr\u00fc\u00dfe", told.get_content())
        (fields,) = report.iter_parts()
        self.assertEqual(fields["Final-Recipient"], f"rfc822; {ANN}")
        self.assertEqual(
            fields["Disposition"], "automatic-action/MDN-sent-automatically; deleted"
        )
        self.assertIn("Subject: lunch", header.get_content())

    async def test_a_reply_has_the_lines_of_the_reason(self):
        await self.script('reject "one\r\n\r\n  two \t words\r\nthree";')
        (verdict,) = await self.deliver()
        self.assertEqual(
            reply_for(verdict).encode(),
            b"550-5.7.1 one\r\n550-5.7.1 two words\r\n550 5.7.1 three\r\n",
        )
        await self.script('reject "";')
        (verdict,) = await self.deliver()
        self.assertEqual(verdict.lines, ("The recipient refuses this message",))
        many = "\r\n".join("x" * 1000 for _ in range(40))
        await self.script(f'reject "{many}";')
        (verdict,) = await self.deliver()
        self.assertEqual([len(line) for line in verdict.lines], [400] * 20)

    async def test_a_refusal_of_the_null_path_is_told_to_nobody(self):
        await self.script('reject "no";')
        self.assertEqual(await self.deliver(sender=None), [None])
        self.assertEqual((await self.held(), await self.queued()), ([], []))

    async def test_success_is_reported_once_by_whoever_took_the_message(self):
        await self.script('redirect :copy "dora@example.net"; keep;')
        for asked, left in [
            ({"SUCCESS"}, {"NEVER"}),
            ({"SUCCESS", "FAILURE"}, {"FAILURE"}),
            ({"DELAY"}, {"DELAY"}),
            (None, None),
        ]:
            when = None if asked is None else frozenset(asked)
            self.assertEqual(await self.deliver(notify=Notify(when)), [None])
            waiting = await self.spool.due(self.now_s + 1, 100)
            for message, recipients in waiting:
                for one in recipients:
                    self.assertEqual(one.notify.when, left)
                numbers = [one.number for one in recipients]
                await self.spool.settle(message.queue_id, numbers, ())

    async def test_an_address_of_nobody_bounces_and_loses_nothing(self):
        await self.script('redirect "nobody@example.test";')
        self.assertEqual(await self.deliver(), [None])
        ((_, to, _),) = await self.queued()
        self.assertEqual(to[0][1], "error")

    # -- redirects --------------------------------------------------------------------

    async def test_mail_does_not_go_round(self):
        for script, letter in [
            (f'redirect "{ANN}";', LETTER),
            (
                'redirect "dora@example.net";',
                b"Delivered-To: Ann@Example.test\r\n" + LETTER,
            ),
        ]:
            before = len(await self.held())
            await self.script(script)
            self.assertEqual(await self.deliver(letter), [None])
            self.assertEqual(len(await self.held()), before + 1)
            self.assertEqual(await self.queued(), [])

    async def test_a_redirect_keeps_the_null_path(self):
        await self.script('redirect "dora@example.net";')
        await self.deliver(sender=None)
        ((path, _, _),) = await self.queued()
        self.assertIsNone(path)

    async def test_a_redirect_of_an_edited_message(self):
        await self.script('addheader "X-A" "b"; redirect "dora@example.net";')
        await self.deliver()
        ((_, _, octets),) = await self.queued()
        self.assertIn(b"X-A: b\r\n", octets)

    # -- answers ----------------------------------------------------------------------

    async def test_an_answer_goes_out_once_in_its_time(self):
        await self.script('vacation :days 1 :subject "Away" "Back on Monday.";')
        for _ in range(3):
            self.assertEqual(await self.deliver(), [None])
        sent = [one for one in await self.queued() if one[0] is None]
        self.assertEqual(len(sent), 1)
        octets = sent[0][2]
        for field in (
            b"From: ann@example.test\r\n",
            b"To: carl@example.org\r\n",
            b"Subject: Away\r\n",
            b"Auto-Submitted: auto-replied (vacation)\r\n",
        ):
            self.assertIn(field, octets)
        self.assertTrue(octets.endswith(b"\r\n\r\nBack on Monday.\r\n"))
        await self.deliver(sender=Address.parse("erik@example.org"))
        self.assertEqual(len([1 for one in await self.queued() if not one[0]]), 2)
        self.now_s += 86_401
        await self.deliver()
        self.assertEqual(len([1 for one in await self.queued() if not one[0]]), 3)

    async def test_messages_at_once_have_one_answer(self):
        await self.script('vacation "away";')
        await gatherResults([Deferred.fromCoroutine(self.deliver()) for _ in range(5)])
        sent = [one for one in await self.queued() if one[0] is None]
        self.assertEqual(len(sent), 1)

    async def test_an_answer_can_be_filed(self):
        tree = self.store.mailboxes(self.account())
        await tree.create(("Sent",))
        await self.script('vacation :fcc "Sent" :flags "\\\\Seen" "away"; discard;')
        await self.deliver()
        copy, answer = await self.queued()
        place = '{"path": ["Sent"], "flags": ["\\\\Seen"]}'
        self.assertEqual(copy[1], [(ANN, "mailbox", place)])
        self.assertEqual(copy[2], answer[2])

    async def test_a_notification_goes_out(self):
        await self.script('notify :message "Mail!" "mailto:dora@example.net";')
        await self.deliver()
        told = [one for one in await self.queued() if b"auto-notified" in one[2]]
        ((path, to, octets),) = told
        self.assertEqual((path, to), (ANN, [("dora@example.net", "smtp", "")]))
        self.assertIn(b"Subject: Mail!\r\n", octets)
        await self.deliver(octets)  # never of notifications
        self.assertEqual(len(await self.queued()), 2)

    async def test_a_duplicate_is_known(self):
        await self.script("if duplicate { discard; }")
        letter = b"Message-ID: <1@x>\r\n" + LETTER
        for _ in range(2):
            self.assertEqual(await self.deliver(letter), [None])
        self.assertEqual(len(await self.queued()), 1)

    # -- failures ---------------------------------------------------------------------

    async def test_a_script_that_fails_keeps_and_tells_its_owner_once(self):
        await self.script('fileinto "x"; set "a" "b c"; addheader "${a}" "b";')
        for _ in range(2):
            self.assertEqual(await self.deliver(), [None])
        notes = [one for one in await self.queued() if b"filter failed" in one[2]]
        ((path, to, octets),) = notes
        self.assertIsNone(path)
        self.assertEqual(to[0][:2], (ANN, "mailbox"))
        self.assertIn(b"line 2, column", octets)
        self.assertIn(b'"b c" is not the name of a header field', octets)
        self.assertEqual(len(await self.held()), 1)  # the second has nothing to tell

    async def test_a_script_that_cannot_be_read_keeps(self):
        await self.script("nonsense;")
        self.assertEqual(await self.deliver(), [None])
        octets = b"".join(one[2] for one in await self.queued())
        self.assertIn(b'unknown command "nonsense"', octets)
        self.assertIn(TRACE + LETTER, octets)

    # -- the server's scripts ---------------------------------------------------------

    def file(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w") as file:
            file.write(REQUIRE + text)
        return path

    async def test_scripts_before_and_after(self):
        first = self.file("first.sieve", 'addflag "first";')
        last = self.file("last.sieve", 'addflag "last";')
        self.build(before=(first,), after=(last,))
        await self.deliver()
        await self.script('addflag "own";')
        await self.deliver()
        flags = [flags for flags, _ in await self.held()]
        self.assertEqual(flags, [{"first", "last"}, {"first", "own", "last"}])
        self.file("first.sieve", "discard; # now")
        await self.deliver()
        self.assertEqual(len(await self.held()), 2)

    async def test_a_default_for_those_without_a_script(self):
        self.build(default=self.file("default.sieve", 'addflag "default";'))
        await self.deliver(to=(ANN, BOB))
        await self.script("keep;")
        await self.deliver()
        self.assertEqual([f for f, _ in await self.held()], [{"default"}, set()])
        self.assertEqual([f for f, _ in await self.held(name=BOB)], [{"default"}])

    async def test_a_file_that_cannot_be_read_keeps(self):
        self.build(before=(os.path.join(self.folder, "none.sieve"),))
        self.assertEqual(await self.deliver(), [None])
        octets = b"".join(one[2] for one in await self.queued())
        self.assertIn(b"cannot be read", octets)

    async def test_users_include_their_own_and_shared_scripts(self):
        os.mkdir(os.path.join(self.folder, "shared"))
        self.file("shared/common.sieve", 'addflag "common";')
        self.build(shared=os.path.join(self.folder, "shared"))
        tree = self.store.mailboxes(self.account())
        other = (REQUIRE + 'addflag "other";').encode()
        await tree.put_script("other", other, 9)
        await self.script(
            'include "other"; include :global "common"; include :optional "none";'
            ' include :global :optional "none"; include :global :optional "..";'
        )
        await self.deliver()
        ((flags, _),) = await self.held()
        self.assertEqual(flags, {"common", "other"})

    async def test_lists_are_tables(self):
        self.build(lists=("friends",))
        await self.script(
            'if address :list "from" "tag:example.test,2026:friends" { addflag "a"; }'
            'if address :list "from" "foes" { addflag "b"; }'
            'if string :list "x@example.com" "friends" { addflag "c"; }'
            'if valid_ext_list "friends" { addflag "d"; }'
        )
        await self.deliver()
        ((flags, _),) = await self.held()
        self.assertEqual(flags, {"a", "c", "d"})

    def test_settings_that_cannot_be_used_say_so(self):
        for sieve, told in [
            ({"without": ("nonsense",)}, "no extension nonsense"),
            ({"lists": ("nonsense",)}, "no table nonsense"),
        ]:
            fault = self.assertRaises(ConfigError, self.build, **sieve)
            self.assertIn(told, str(fault))

    async def test_an_extension_can_be_refused(self):
        self.build(without=("editheader",))
        await self.script('require "editheader"; keep;', head="")
        await self.deliver(MESSAGE)
        octets = b"".join(one[2] for one in await self.queued())
        self.assertIn(b'"editheader" is not known here', octets)
