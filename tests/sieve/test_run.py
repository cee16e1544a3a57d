"""Tests for mailtwist.sieve.run and what it carries out."""

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.address import Address
from mailtwist.delivery.model import DeliverBy, Notify, Wishes
from mailtwist.mime.parse import MOST_HEADER
from mailtwist.sieve.actions import FileInto, Redirect, Vacation
from mailtwist.sieve.check import check
from mailtwist.sieve.faults import ScriptError
from mailtwist.sieve.limits import Limits
from mailtwist.sieve.message import Message, joined
from mailtwist.sieve.pattern import BadPattern, regex, wildcard
from mailtwist.sieve.questions import Pause
from mailtwist.sieve.run import Script, interpret
from mailtwist.sieve.syntax import Command

from .running import HERE, MESSAGE, NOTHING, PARTS, REQUIRE, Answers, actions, outcome
from .running import true as is_true
from .writing import PATIENT, REQUIRES, SCRIPTS


def did(script, **options):
    return actions(REQUIRE + script, **options)


def made(script, message=MESSAGE):
    """The message as the first action has it."""
    done = outcome(REQUIRE + script, message=message)
    assert not done.failed, done.failed
    return joined(done.actions[0].draft, message)


class ActionTests(SynchronousTestCase):
    def test_what_scripts_end_with(self):
        for script, want, reason in [
            ("", ["implicit keep"], "RFC 5228 §2.10.2"),
            ("keep;", ["keep"], "an explicit one"),
            ("keep; keep;", ["keep"], "once in a mailbox (§2.10.3)"),
            ("discard;", ["discard"], "cancels the implicit keep"),
            ("discard; keep;", ["discard", "keep"], "but not an explicit one"),
            ("stop; discard;", ["implicit keep"], "stop ends it"),
            ("if true { stop; } discard;", ["implicit keep"], "in a block too"),
            ('fileinto "a";', ["fileinto a"], "in place of the keep"),
            ('fileinto "a"; fileinto "a";', ["fileinto a"], "once"),
            ('fileinto "a"; fileinto "b";', ["fileinto a", "fileinto b"], "two"),
            ('fileinto "a"; keep;', ["fileinto a", "keep"], "both"),
            (
                'fileinto :copy "a";',
                ["fileinto a", "implicit keep"],
                "RFC 3894 leaves the keep",
            ),
            (
                'redirect :copy "c@d.example";',
                ["redirect c@d.example", "implicit keep"],
                "RFC 3894 leaves the keep",
            ),
            ('redirect "c@d.example";', ["redirect c@d.example"], "in its place"),
            (
                'redirect "C <c@d.example>"; redirect "c@d.example";',
                ["redirect c@d.example"],
                "once to an address",
            ),
            ('reject "no";', ["reject no"], "RFC 5429"),
            ('ereject "no";', ["reject no"], "RFC 5429"),
            ('discard; reject "no";', ["discard", "reject no"], "with discard only"),
            ('vacation "away";', ["vacation away", "implicit keep"], "keeps"),
            ('vacation "away"; discard;', ["vacation away", "discard"], "RFC 5230"),
            (
                'notify "mailto:c@d.example";',
                ["notify c@d.example", "implicit keep"],
                "keeps",
            ),
            ("if true { discard; } else { keep; }", ["discard"], "the first branch"),
            ("if false {} elsif true { discard; }", ["discard"], "the second"),
            ("if false {} elsif false {} else { discard; }", ["discard"], "the last"),
            ("if false { discard; }", ["implicit keep"], "none"),
        ]:
            self.assertEqual(did(script), want, reason)

    def test_what_does_not_go_together_fails_and_keeps(self):
        for script, told in [
            ('keep; reject "no";', '"reject" beside "keep"'),
            ('fileinto "a"; ereject "no";', '"ereject" beside "fileinto"'),
            ('redirect "c@d.example"; reject "n";', '"reject" beside "redirect"'),
            ('vacation "a"; reject "n";', '"reject" beside "vacation"'),
            ('reject "n"; reject "n";', '"reject" beside "reject"'),
            ('reject "n"; keep;', '"keep" beside "reject"'),
            ('reject "n"; vacation "a";', '"vacation" beside "reject"'),
            ('vacation "a"; vacation "b";', '"vacation" twice'),
            ('set "a" "nobody"; redirect "${a}";', '"nobody" is not an address'),
            ('set "a" ""; fileinto "${a}";', '"" is not the name of a mailbox'),
            (
                'set "a" "("; if header :regex "x" "${a}" {}',
                "not a regular expression: ",
            ),
            ('set "a" "era"; if currentdate "${a}" "" {}', '"era" is not a part of a'),
            ('set "a" "cc"; if envelope "${a}" "" {}', '"cc" is not a part of an env'),
            ('set "a" "x y"; addheader "${a}" "b";', '"x y" is not the name of a he'),
            ('notify "nonsense:x";', "only mailto: can be notified"),
            ('include "none";', 'there is no script "none"'),
            ('extracttext "a";', '"extracttext" outside of a "foreverypart"'),
        ]:
            found = did(script)
            self.assertEqual(len(found), 2, script)
            failed, kept = found
            self.assertIn(f"script 0: {told}", failed)
            self.assertEqual(kept, "implicit keep", script)

    def test_error_of_ihave_fails(self):
        found = actions('require "ihave"; discard; error "not so";')
        self.assertEqual(found, ["script 0: not so", "implicit keep"])
        script = 'require "ihave"; if not ihave "later" { discard; } else { later; }'
        self.assertEqual(actions(script), ["discard"])

    def test_a_redirect_asks_for_reports(self):  # RFC 6009
        script = (
            'redirect :notify "success, delay" :ret "hdrs" :bytimerelative 60'
            ' :bymode "notify" :bytrace "c@d.example";'
        )
        (action,) = outcome(REQUIRE + script).actions
        self.assertEqual(action.dsn.notify, {"SUCCESS", "DELAY"})
        self.assertEqual((action.dsn.ret, action.dsn.by_mode), ("HDRS", "N"))
        self.assertEqual(action.dsn.by_s, HERE.now.timestamp() + 60)
        self.assertTrue(action.dsn.by_trace)
        script = 'redirect :bytimeabsolute "2026-03-01T12:00:00Z" "c@d.example";'
        (action,) = outcome(REQUIRE + script).actions
        self.assertEqual(action.dsn.by_s, 1772366400)

    def test_where_fileinto_files(self):
        script = 'fileinto :create :specialuse "\\\\Junk" "a";'
        (action,) = outcome(REQUIRE + script).actions
        self.assertTrue(action.target.create)
        self.assertEqual(action.target.special_use, "\\Junk")
        (action,) = outcome(REQUIRE + 'fileinto :mailboxid "F1" "a";').actions
        self.assertEqual(action.target.object_id, "F1")

    def test_what_a_vacation_says(self):
        def one(script):
            return outcome(REQUIRE + script).actions[0]

        action = one('vacation "away";')
        self.assertIsInstance(action, Vacation)
        self.assertEqual(action.seconds, 7 * 86400)
        self.assertEqual(one('vacation :days 0 "a";').seconds, 86400)
        self.assertEqual(one('vacation :seconds 1800 "a";').seconds, 1800)
        self.assertEqual(one('vacation :seconds 0 "a";').seconds, 60)
        self.assertEqual(one('vacation :days 9999 "a";').seconds, 365 * 86400)
        self.assertEqual(one('vacation :handle "h" "a";').handle, "h")
        self.assertEqual(
            one('vacation "a";').handle, one('vacation :days 1 "a";').handle
        )
        for other in ('"b"', ':subject "s" "a"', ':mime "a"', ':from "x@y.z" "a"'):
            self.assertNotEqual(
                one('vacation "a";').handle, one(f"vacation {other};").handle
            )
        action = one('vacation :fcc "Sent" :flags "\\\\seen" :create "a";')
        self.assertEqual(action.fcc.target.name, "Sent")
        self.assertEqual(action.fcc.flags, {"\\Seen"})
        self.assertTrue(action.fcc.target.create)

    def test_what_a_notification_says(self):  # RFC 5436
        def one(script):
            return outcome(REQUIRE + script).actions[0]

        action = one(
            'notify "mailto:a@b.c?to=d@e.f&subject=S%20s&body=B&x-a=1&from=g";'
        )
        self.assertEqual([str(each) for each in action.recipients], ["a@b.c", "d@e.f"])
        self.assertEqual((action.subject, action.text), ("S s", "B"))
        self.assertEqual(action.fields, (("x-a", "1"),))
        action = one('notify :message "M" :importance "1" "mailto:a@b.c?subject=S";')
        self.assertEqual((action.subject, action.importance), ("M", 1))
        action = one('notify "mailto:a@b.c";')
        self.assertIn(
            'Mail from "Ann, A." <ann@example.org>: Caf\u00e9', action.subject
        )


class FlagTests(SynchronousTestCase):
    def test_flags_of_what_is_kept(self):  # RFC 5232
        for script, want in [
            ('setflag "a"; keep;', ["keep [a]"]),
            ('addflag "\\\\seen"; addflag "b"; keep;', ["keep [\\Seen b]"]),
            ('addflag ["a b", "A"]; keep;', ["keep [a b]"]),
            ('setflag "a b"; removeflag "A"; keep;', ["keep [b]"]),
            ('setflag "a"; setflag ""; keep;', ["keep"]),
            ('setflag "a";', ["implicit keep [a]"]),
            ('setflag "a"; fileinto :flags "b" "x";', ["fileinto x [b]"]),
            ('keep :flags ["\\\\Flagged"];', ["keep [\\Flagged]"]),
            ('addflag "\\\\recent (a) \\\\nonsense x*"; keep;', ["keep"]),
            ('keep; addflag "late";', ["keep"]),
            (
                'setflag "v" "a b"; addflag "v" "c"; keep :flags "${v}";',
                ["keep [a b c]"],
            ),
            (
                'setflag "v" "a b"; removeflag "v" "a"; keep :flags "${v}";',
                ["keep [b]"],
            ),
        ]:
            self.assertEqual(did(script), want, script)

    def test_hasflag(self):
        for test, truth in [
            ('hasflag "a"', True),
            ('hasflag "\\\\SEEN"', True),
            ('hasflag "c"', False),
            ('hasflag "c a"', True),
            ('hasflag :contains "ee"', True),
            ('hasflag :count "eq" :comparator "i;ascii-numeric" "2"', True),
            ('hasflag "v" "d"', True),
            ('hasflag :matches ["w", "v"] "*"', True),
            ('hasflag :matches "w" "*"', False),
        ]:
            script = f'setflag "a \\\\seen"; setflag "v" "d"; if {test} {{ discard; }}'
            want = "discard" if truth else "implicit keep [\\Seen a]"
            self.assertEqual(did(script), [want], test)


class VariableTests(SynchronousTestCase):
    def test_values(self):
        for script, want in [
            ('set "a" "x"; set "b" "${A}y"; fileinto "${b}";', "xy"),
            ('set :lower "a" "XyZ"; fileinto "${a}";', "xyz"),
            ('set :upper :lowerfirst "a" "xyz"; fileinto "${a}";', "xYZ"),
            ('set :upperfirst :lower "a" "xYZ"; fileinto "${a}";', "Xyz"),
            ('set :length "a" "xyz"; fileinto "${a}";', "3"),
            ('set :quotewildcard "a" "x*?\\\\"; fileinto "${a}";', "x\\*\\?\\\\"),
            ('set :quoteregex "a" "x.(y)"; fileinto "${a}";', "x\\.\\(y\\)"),
            ('set :encodeurl "a" "a b&\u00e9"; fileinto "${a}";', "a%20b%26%C3%A9"),
            ('set "a" "x"; fileinto "${none}${a}${}";', "x${}"),
            (
                'if header :matches "x-number" "* *" {fileinto "${2}-${1}";}',
                "apples-12",
            ),
            ('if header :matches "x-number" "*" {fileinto "${0}-${7}";}', "12 apples-"),
            (
                'if header :matches "x-many" ["t*", "*"] { fileinto "${1}"; }',
                "one",
            ),
            (
                'if header :regex "x-number" "([0-9]+) (.*)" { fileinto "${2}${1}"; }',
                "apples12",
            ),
            (
                'if header :matches "x-number" "1*" {} if header :matches "x-none" "*"'
                ' {} fileinto "a${1}";',
                "a2 apples",
            ),
            (
                'if header :matches "x-number" "1*" {} if body :matches "*" {}'
                ' fileinto "a${1}";',
                "a2 apples",
            ),
        ]:
            action = outcome(REQUIRE + script).actions[0]
            self.assertIsInstance(action, FileInto, script)
            self.assertEqual(action.target.name, want, script)

    def test_without_variables_nothing_is_replaced(self):
        found = actions('require "fileinto"; fileinto "${a}";')
        self.assertEqual(found, ["fileinto ${a}"])

    def test_what_is_too_long_is_cut(self):
        script = 'set "a" "aaaaaaaaaa"; set "a" "${a}${a}"; fileinto "${a}";'
        found = did(script, limits=Limits(variable_characters=15))
        self.assertEqual(found, [f"fileinto {'a' * 15}"])


class IncludeTests(SynchronousTestCase):
    def test_scripts_in_scripts(self):  # RFC 6609
        base = 'require ["include", "variables", "fileinto"]; '
        scripts = {
            "a": base + 'fileinto "a"; return; fileinto "b";',
            "global/a": 'require "fileinto"; fileinto "shared";',
            "stop": "stop;",
            "set": base + 'global "x"; set "x" "1"; set "y" "2"; set "global.z" "3";',
            "self": base + 'include "self";',
            "deep": base + "keep;",
            "bad": "nonsense;",
        }
        for script, want in [
            ('include "a"; fileinto "c";', ["fileinto a", "fileinto c"]),
            ('include :personal "a";', ["fileinto a"]),
            ('include :global "a";', ["fileinto shared"]),
            ('include "stop"; fileinto "c";', ["implicit keep"]),
            ('include :optional "none"; fileinto "c";', ["fileinto c"]),
            ('include :once "a"; include :once "a";', ["fileinto a"]),
            (
                'global "x"; include "set"; fileinto "${x}-${y}-${global.z}";',
                ["fileinto 1--3"],
            ),
            ('return; fileinto "c";', ["implicit keep"]),
            (
                'include "self";',
                ['script 0: it includes "self" in itself', "implicit keep"],
            ),
            (
                'include "bad";',
                [
                    'script 0: in "bad", line 1, column 1: unknown command "nonsense"',
                    "implicit keep",
                ],
            ),
        ]:
            found = actions(base + script, answers=Answers(scripts=scripts))
            self.assertEqual(found, want, script)

    def test_depth_has_a_limit(self):
        class Deep:
            def to(self, question):
                number = int(question.name) + 1
                script = f'require "include"; include "{number}";'
                return Answers(scripts={question.name: script}).to(question)

        found = actions('require "include"; include "1";', answers=Deep())
        self.assertEqual(
            found, ["script 0: scripts included too deeply", "implicit keep"]
        )


class SeriesTests(SynchronousTestCase):
    def test_without_scripts_mail_is_kept(self):
        self.assertEqual(actions(), ["implicit keep"])

    def test_the_next_script_sees_what_was_kept(self):
        fileinto = 'require "fileinto"; fileinto "{}";'
        copy = 'require ["fileinto", "copy"]; fileinto :copy "{}";'
        for scripts, want, reason in [
            (("", fileinto.format("a")), ["fileinto a"], "an implicit keep goes on"),
            (("keep;", "discard;"), ["discard"], "an explicit one too"),
            ((fileinto.format("a"), "keep;"), ["fileinto a"], "filed is filed"),
            (("discard;", "keep;"), ["discard"], "gone is gone"),
            (
                (copy.format("a"), fileinto.format("b")),
                ["fileinto a", "fileinto b"],
                "what was done beside stays",
            ),
            (("stop;", "discard;"), ["discard"], "stop ends one script"),
            (
                ('require "imap4flags"; addflag "x";', "keep;"),
                ["keep [x]"],
                "flags go along",
            ),
            (
                ('keep; redirect :copy "a";', "keep;"),
                None,
                "a script that cannot be read is none",
            ),
        ]:
            if want is None:
                self.assertRaises(ScriptError, actions, *scripts)
            else:
                self.assertEqual(actions(*scripts), want, reason)

    def test_a_script_that_fails_is_a_keep_and_nothing_else(self):
        bad = (
            REQUIRE + 'fileinto "x"; addheader "X-A" "b"; addflag "f"; include "none";'
        )
        found = outcome(bad, 'require "fileinto"; fileinto "a";')
        self.assertEqual(
            [why.text for _, why in found.failed], ['there is no script "none"']
        )
        (action,) = found.actions
        self.assertEqual((action.target.name, action.flags), ("a", frozenset()))
        self.assertIsNone(action.draft)


class EditTests(SynchronousTestCase):
    def test_fields(self):  # RFC 5293
        for script, has, lacks in [
            ('addheader "X-A" "b";', b"X-A: b\r\nReceived: from a", b"\r\n\r\nX-A"),
            ('addheader :last "X-A" "b";', b"X-A: b\r\n\r\nHello", b""),
            ('addheader "X-A" "na\u00efve";', b"X-A: =?utf-8?B?bmHDr3Zl?=\r\n", b""),
            ('addheader "X-A" "a\nEvil: b";', b"X-A: a Evil: b\r\n", b"\nEvil:"),
            ('deleteheader "x-many";', b"Hello", b"X-Many"),
            ('deleteheader :index 1 "x-many";', b"X-Many: two", b"X-Many: one"),
            ('deleteheader :index 1 :last "x-many";', b"X-Many: one", b"Many: three"),
            ('deleteheader :matches "x-many" "t*";', b"X-Many: one", b"X-Many: t"),
            ('deleteheader "x-many" "tw";', b"X-Many: two", b""),
            ('addheader "A" "b"; deleteheader "received";', b"Received: from a", b""),
        ]:
            if '"tw"' in script:
                script += 'addheader "X" "y";'
            octets = made(script + "keep;")
            self.assertIn(has, octets, script)
            if lacks:
                self.assertNotIn(lacks, octets, script)
            self.assertTrue(octets.endswith(MESSAGE.partition(b"\r\n\r\n")[2]))

    def test_lines_that_are_no_fields_stay_where_they_are(self):
        message = b"Subject: a\r\nno field\r\nX-B: b\r\n\r\nbody\r\n"
        octets = made('addheader "X-A" "a"; deleteheader "x-b"; keep;', message)
        self.assertEqual(octets, b"X-A: a\r\nSubject: a\r\nno field\r\n\r\nbody\r\n")
        self.assertFalse(is_true('exists ""', message=message))
        self.assertFalse(is_true('header :contains "" ""', message=message))

    def test_a_header_that_is_too_large_is_not_edited(self):
        message = b"X-Long: " + b"x" * MOST_HEADER + b"\r\nX-B: b\r\n\r\nbody\r\n"
        for script in ('addheader "a" "b";', 'deleteheader "x-b";', 'enclose "a";'):
            found = did(script, message=message)
            told = "script 0: the header is too large to be edited"
            self.assertEqual(found, [told, "implicit keep"])

    def test_long_fields_are_folded(self):
        octets = made(f'addheader "X-A" "{"word " * 40}"; keep;')
        head = octets.partition(b"Received:")[0]
        self.assertTrue(all(len(line) <= 78 for line in head.split(b"\r\n")))
        self.assertEqual(head.count(b"word"), 40)

    def test_tests_see_the_edits_and_what_was_filed_before_does_not(self):
        script = (
            'fileinto "a"; addheader "X-A" "b"; if header "x-a" "b" { fileinto "b"; }'
        )
        first, second = outcome(REQUIRE + script).actions
        self.assertIsNone(first.draft)
        self.assertIn(b"X-A: b", joined(second.draft, MESSAGE))

    def test_protected_fields_cannot_be_added(self):
        found = did('addheader "Received" "x";')
        self.assertEqual(found[0], "script 0: Received may not be added")

    def test_parts_replaced(self):  # RFC 5703 §5
        script = (
            "foreverypart { if header :mime :contenttype"
            ' "content-type" "application/octet-stream" { replace "gone"; } } keep;'
        )
        octets = made(script, PARTS)
        self.assertNotIn(b"YXR0YWNoZWQ=", octets)
        self.assertIn(
            b"--boundary-a\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n"
            b"gone\r\n--boundary-a",
            octets,
        )
        self.assertEqual(len(Message(octets).root.children), 3)

    def test_the_whole_message_replaced(self):
        octets = made('replace :subject "new" "text"; keep;', PARTS)
        self.assertTrue(octets.endswith(b"\r\n\r\ntext"))
        self.assertEqual(octets.count(b"Content-Type"), 1)
        self.assertIn(b"Subject: new\r\n", octets)
        self.assertIn(b"From: ann@example.org\r\n", octets)
        octets = made('replace :mime "Content-Type: text/html\n\n<p>"; keep;', PARTS)
        self.assertTrue(octets.endswith(b"Content-Type: text/html\r\n\r\n<p>"))

    def test_the_message_enclosed(self):  # RFC 5703 §6
        script = 'enclose :subject "Careful" :headers ["X-Y: z"] "Look:"; keep;'
        octets = made(script, PARTS)
        self.assertIn(b"Subject: Careful\r\n", octets.partition(b"\r\n\r\n")[0])
        self.assertIn(b"X-Y: z\r\n", octets.partition(b"\r\n\r\n")[0])
        self.assertIn(b"Look:\r\n", octets)
        self.assertIn(PARTS, octets)
        text, inner = Message(octets).root.children
        self.assertEqual((text.media_type, inner.subtype), ("text", "rfc822"))

    def test_enclosing_waits_for_the_parts(self):
        script = (
            'foreverypart { enclose "Look:"; if header :mime :is :subtype'
            ' "content-type" "plain" { replace "changed"; } break; } keep;'
        )
        octets = made(script, PARTS)
        self.assertIn(PARTS, octets)

    def test_text_of_parts(self):  # RFC 5703 §3 and §7
        script = (
            'foreverypart :name "outer" { foreverypart {'
            ' if header :mime :subtype "content-type" "html" {'
            ' extracttext :first 6 "t"; break :name "outer"; } } }'
            ' set "u" "${t}"; fileinto "x${u}";'
        )
        self.assertEqual(did(script, message=PARTS), ["fileinto x bold "])
        script = 'set "n" ""; foreverypart { set "n" "${n}i"; } fileinto "${n}";'
        self.assertEqual(did(script, message=PARTS), ["fileinto " + "i" * 7])


class QuestionTests(SynchronousTestCase):
    def test_answers_decide(self):
        answers = Answers(
            mailboxes={"Lists": ("\\Archive",), "Junk": ("\\Junk",)},
            ids=frozenset({"F1"}),
            annotations={
                ("Lists", "/private/comment"): "abc",
                (None, "/shared/a"): "x",
            },
            lists={"friends": {"ann@example.org"}},
        )
        for test, truth in [
            ('mailboxexists "Lists"', True),
            ('mailboxexists ["Lists", "None"]', False),
            ('mailboxidexists "F1"', True),
            ('mailboxidexists "F2"', False),
            ('specialuse_exists "\\\\Junk"', True),
            ('specialuse_exists ["\\\\Junk", "\\\\Sent"]', False),
            ('specialuse_exists "Lists" "\\\\Archive"', True),
            ('specialuse_exists "Lists" "\\\\Junk"', False),
            ('metadata "Lists" "/private/comment" "ABC"', True),
            ('metadata :contains "Lists" "/private/none" ""', False),
            ('metadataexists "Lists" ["/private/comment", "/private/none"]', False),
            ('metadataexists "Lists" "/private/comment"', True),
            ('servermetadata "/shared/a" "x"', True),
            ('servermetadataexists "/shared/b"', False),
            ('valid_ext_list "friends"', True),
            ('valid_ext_list ["friends", "foes"]', False),
            ('header :list "from" "friends"', False),
            ('address :list "from" ["foes", "friends"]', True),
            ('address :list "from" "foes"', False),
            ('envelope :list "from" "friends"', True),
        ]:
            self.assertEqual(is_true(test, answers=answers), truth, test)

    def test_a_member_of_a_list_is_kept(self):  # RFC 6134 §2.2
        answers = Answers(lists={"friends": {"ann@example.org"}})
        script = 'if address :list "from" "friends" { fileinto "${0}"; }'
        self.assertEqual(did(script, answers=answers), ["fileinto ann@example.org"])

    def test_duplicates(self):  # RFC 7352
        first = outcome(REQUIRE + "if duplicate { discard; }")
        remember = first.actions[0]
        self.assertEqual(remember.seconds, 7 * 86400)
        seen = Answers(seen=frozenset({remember.key}))
        self.assertEqual(did("if duplicate { discard; }", answers=seen), ["discard"])
        for script, want in [
            (
                "if duplicate :seconds 60 { keep; }",
                ["remember for 60", "implicit keep"],
            ),
            ('if duplicate :header "x-none" { keep; }', ["implicit keep"]),
            ('if duplicate :uniqueid "" { keep; }', ["implicit keep"]),
            ("if duplicate :seconds 0 { keep; }", ["implicit keep"]),
        ]:
            self.assertEqual(did(script), want, script)
        script = "if duplicate :last { discard; }"
        want = [f"remember for {7 * 86400}", "discard"]
        self.assertEqual(did(script, answers=seen), want)
        keys = {
            outcome(REQUIRE + f"if duplicate {tags} {{}}").actions[0].key
            for tags in ("", ':handle "h"', ':header "subject"', ':uniqueid "u"')
        }
        self.assertEqual(len(keys), 4)

    def test_verdicts(self):  # RFC 5235
        numeric = ':comparator "i;ascii-numeric"'
        for here, test, truth in [
            (HERE, 'spamtest "0"', True),
            (evolve(HERE, spam_percent=0), 'spamtest "1"', True),
            (evolve(HERE, spam_percent=100), 'spamtest "10"', True),
            (
                evolve(HERE, spam_percent=50),
                f'spamtest :value "ge" {numeric} "5"',
                True,
            ),
            (
                evolve(HERE, spam_percent=50),
                f'spamtest :percent :value "gt" {numeric} "50"',
                False,
            ),
            (evolve(HERE, spam_percent=50), 'spamtest :percent "50"', True),
            (HERE, 'virustest "0"', True),
            (evolve(HERE, virus_level=5), 'virustest "5"', True),
        ]:
            self.assertEqual(is_true(test, here=here), truth, test)

    def test_what_the_envelope_asked_for(self):  # RFC 6009
        here = evolve(
            HERE,
            notify=Notify(frozenset({"SUCCESS", "DELAY"}), "rfc822;b@c.d"),
            wishes=Wishes(
                ret="HDRS",
                envid="e1",
                deliver_by=DeliverBy(HERE.now.timestamp() + 90, "N", True),
            ),
        )
        for test, truth in [
            ('envelope "notify" "success"', True),
            ('envelope "notify" "failure"', False),
            ('envelope "orcpt" "rfc822;b@c.d"', True),
            ('envelope "ret" "hdrs"', True),
            ('envelope "envid" "e1"', True),
            ('envelope "bymode" "n"', True),
            ('envelope "bytrace" "true"', True),
            ('envelope "bytimerelative" "90"', True),
            ('envelope "bytimeabsolute" "2026-03-01T11:31:35Z"', True),
        ]:
            self.assertEqual(is_true(test, here=here), truth, test)
        self.assertFalse(is_true('envelope :contains "bymode" ""'))

    def test_the_null_path_is_the_empty_string(self):
        here = evolve(HERE, reverse_path=None)
        for test in ('envelope "from" ""', 'envelope :domain "from" ""'):
            self.assertTrue(is_true(test, here=here))

    def test_separators(self):
        here = evolve(HERE, recipient=Address.parse("bob-a+b@c.d"), separators="-+")
        self.assertTrue(is_true('envelope :detail "to" "a+b"', here=here))


class LimitTests(SynchronousTestCase):
    def test_each_keeps(self):
        for script, limits, told in [
            ("keep; discard; discard;", Limits(actions=2), "it has too many actions"),
            (
                'redirect "a@b.c"; redirect "a@b.d";',
                Limits(redirects=1),
                "it has too many redirects",
            ),
            ("keep;" * 10, Limits(work=20), "it does too much"),
            (
                'set "a" "1"; set "b" "2";',
                Limits(variables=1),
                "it has too many variables",
            ),
            (
                'set "a" "12"; set "b" "34";',
                Limits(all_characters=3),
                "its variables are",
            ),
            (
                'addheader "a" "b"; addheader "a" "c";',
                Limits(fields=1),
                "too many fields",
            ),
            ('replace "12345";', Limits(message_octets=10), "adds too much"),
        ]:
            failed, kept = did(script, limits=limits)
            self.assertIn(told, failed)
            self.assertEqual(kept, "implicit keep")

    def test_no_pattern_takes_long(self):
        text = "a" * 5000 + "b"
        for key in ("*a" * 50 + "c", "?*" * 100 + "c"):
            self.assertIsNone(wildcard(key, "i;octet").search(text))
        for key in ("(a*)*c", "(a|aa)+$", "a{1,100}{1,10}c", "(.*)(.*)(.*)(.*)[^b]$"):
            try:
                self.assertIsNone(regex(key, "i;octet").search(text))
            except BadPattern as bad:
                self.assertIn("not a regular expression", str(bad))

    def test_work_on_large_texts_is_counted(self):
        message = MESSAGE + b"x" * 3_000_000
        self.assertEqual(
            did('if body :contains "y" { discard; }' * 40, message=message),
            ["script 0: it does too much", "implicit keep"],
        )

    def test_others_get_a_turn(self):
        program = check((Command("keep"),) * 2000)
        limits = Limits(actions=5000)
        work = interpret([Script("a", program)], Message(MESSAGE), HERE, limits)
        self.assertGreater(sum(isinstance(each, Pause) for each in work), 2)


class AnyScriptTests(SynchronousTestCase):
    @PATIENT
    @given(script=st.tuples(REQUIRES, SCRIPTS), message=st.binary(max_size=300))
    def test_whatever_passes_the_checker_comes_to_an_end(self, script, message):
        try:
            program = check(script[0] + script[1])
        except ScriptError:
            return
        work = interpret([Script("a", program)], Message(message), HERE)
        answer = None
        try:
            while True:
                answer = NOTHING.to(work.send(answer))
        except StopIteration as done:
            self.assertTrue(done.value.actions)

    @given(text=st.text(max_size=50), key=st.text(alphabet="ab*?\\\u00e9", max_size=8))
    def test_wildcards_take_what_they_match(self, text, key):
        found = wildcard(key, "i;octet").search(text)
        if found is not None:
            self.assertEqual(found[0], text.encode("utf-8", "replace").decode())

    def test_a_trace_tells_what_was_done_and_where(self):
        script = 'if header "x-number" "1" {\n discard; } else {\n keep; }'
        found = outcome(script, trace=True).trace
        told = [(step.place.line, step.text) for step in found]
        self.assertEqual(told, [(1, "header is false"), (3, "keep")])

    def test_redirects_to_members_of_a_list(self):
        (action,) = outcome(REQUIRE + 'redirect :list "friends";').actions
        self.assertIsInstance(action, Redirect)
        self.assertEqual((action.address, action.members_of), (None, "friends"))
