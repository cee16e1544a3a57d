"""Tags of commands and tests that other tables leave out: what each changes."""

from twisted.trial.unittest import SynchronousTestCase

from .running import MESSAGE, PARTS, REQUIRE, actions, outcome
from .running import true as is_true

TEXT = 'header :mime :subtype "content-type" "plain"'


def first(script, message=MESSAGE):
    done = outcome(REQUIRE + script, message=message)
    assert not done.failed, done.failed
    return done.actions[0]


class AddressTests(SynchronousTestCase):
    def test_one_of_several_fields(self):  # RFC 5260 §6
        message = b"To: a@x.test\r\nTo: b@x.test\r\nTo: c@x.test\r\n\r\n"
        for test, truth, reason in [
            ('address :index 1 "to" "a@x.test"', True, "the first"),
            ('address :index 2 "to" "a@x.test"', False, "and no other"),
            ('address :index 1 :last "to" "c@x.test"', True, "from the end"),
            ('address :last :index 3 "to" "a@x.test"', True, "in any order"),
            ('address :index 4 "to" "a@x.test"', False, "there are three"),
        ]:
            self.assertEqual(is_true(test, message=message), truth, reason)


class SentTests(SynchronousTestCase):
    def test_a_vacation_says_who_it_is_from_and_for(self):  # RFC 5230 §4.3 to §4.5
        action = first('vacation :from "Ann <ann@x.test>" "away";')
        self.assertEqual(action.sender, "Ann <ann@x.test>")
        action = first('vacation :addresses ["a@x.test", "b@x.test"] "away";')
        self.assertEqual(action.addresses, ("a@x.test", "b@x.test"))
        self.assertFalse(action.mime)
        action = first('vacation :mime "Content-Type: text/html\r\n\r\n<p>away";')
        self.assertTrue(action.mime)
        self.assertEqual(
            actions(REQUIRE + 'set "x" "nobody"; vacation :from "${x}" "away";'),
            ['script 0: "nobody" is not an address', "implicit keep"],
        )

    def test_where_copies_of_what_is_sent_are_filed(self):  # RFC 8580, 9042, 8579
        for command in ('vacation {} "away";', 'notify {} "mailto:a@x.test";'):
            for tags, want in [
                (':fcc "Sent"', ("Sent", False, "", "")),
                (':fcc "Sent" :create', ("Sent", True, "", "")),
                (':fcc "Sent" :mailboxid "F1"', ("Sent", False, "F1", "")),
                (
                    ':fcc "Sent" :specialuse "\\\\Sent" :create',
                    ("Sent", True, "", "\\Sent"),
                ),
            ]:
                found = first(command.format(tags)).fcc.target
                got = found.name, found.create, found.object_id, found.special_use
                self.assertEqual(got, want, command.format(tags))
            action = first(command.format(':fcc "Sent" :flags ["\\\\seen", "x"]'))
            self.assertEqual(action.fcc.flags, {"\\Seen", "x"})
            self.assertIsNone(first(command.format("")).fcc)
        for tags in (
            'notify :fcc "Sent" :create :mailboxid "F1" "mailto:a@x.test";',
            'notify :fcc "Sent" :specialuse "\\\\Sent" :flags "x" "mailto:a@x.test";',
            'vacation :fcc "Sent" :create :mailboxid "F1" "away";',
            'vacation :fcc "Sent" :specialuse "\\\\Sent" :flags "x" "away";',
        ):
            self.assertEqual(first(tags).fcc.target.name, "Sent")

    def test_a_notification_says_who_it_is_from(self):  # RFC 5435 §3.3, RFC 5436 §2.3
        action = first('notify :from "ann@x.test" "mailto:a@x.test";')
        self.assertEqual(action.sender, "ann@x.test")
        action = first('notify :from "nobody" "mailto:a@x.test";')
        self.assertIsNone(action.sender)
        options = 'notify :options ["x=y", "a"] "mailto:a@x.test";'
        self.assertEqual(first(options), first('notify "mailto:a@x.test";'))


class PartTests(SynchronousTestCase):
    def test_text_of_parts_is_changed_as_that_of_set(
        self,
    ):  # RFC 5703 §7, RFC 5229 §4.1
        message = PARTS.replace(b"A na=C3=AFve text.", b"*aBC d")
        for tag, want in [
            ("", "*aBC d"),
            (":lower", "*abc d"),
            (":upper", "*ABC D"),
            (":quotewildcard", "\\*aBC d"),
            (":length", "6"),
            (":first 4", "*aBC"),
        ]:
            script = (
                f'foreverypart {{ if {TEXT} {{ extracttext {tag} "t"; break; }} }}'
                ' set :length "n" "${t}"; fileinto "${n} ${t}";'
            )
            (told,) = actions(REQUIRE + script, message=message)
            self.assertEqual(told.rstrip(), f"fileinto {len(want)} {want}", tag)
        letter = b"Subject: x\r\n\r\ntwo Words"
        for script, want in [
            ('foreverypart { extracttext :upperfirst "t"; break; }', "Two Words"),
            ('foreverypart { extracttext :lowerfirst "t"; break; }', "two Words"),
            ('foreverypart { extracttext :lower "t"; break; }', "two words"),
            ('foreverypart { extracttext :upper "t"; break; }', "TWO WORDS"),
            ('foreverypart { extracttext :length "t"; break; }', "9"),
            ('foreverypart { extracttext :quotewildcard "t"; break; }', "two Words"),
        ]:
            found = first(f'{script} fileinto "${{t}}";', message=letter)
            self.assertEqual(found.target.name, want, script)

    def test_a_message_replaced_may_have_another_author(self):  # RFC 5703 §5
        found = first('replace :from "ann@x.test" :subject "new" "text"; keep;')
        made = b"".join(one for one in found.draft.pieces if isinstance(one, bytes))
        head = made.partition(b"\r\n\r\n")[0] + b"\r\n"
        self.assertIn(b"From: ann@x.test\r\n", head)
        self.assertIn(b"Subject: new\r\n", head)
        self.assertNotIn(b'"Ann, A."', head)


class DuplicateTests(SynchronousTestCase):
    def test_handles_keep_what_was_seen_apart(self):  # RFC 7352 §3
        keys = {
            first(script).key
            for script in (
                "if duplicate {}",
                'if duplicate :handle "a" {}',
                'if duplicate :handle "b" {}',
                'if duplicate :handle "a" :uniqueid "u" {}',
            )
        }
        self.assertEqual(len(keys), 4)
