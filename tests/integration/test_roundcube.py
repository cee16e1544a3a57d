"""Filters of Roundcube's managesieve plugin: its own classes write and read them."""

import json
from pathlib import Path

from tests.integration import ways_in
from tests.integration.daemon import PASSWORD, ROOT, DaemonTestCase, free_port
from tests.integration.programs import message, run
from tests.integration.sieve_wire import listener

PORT = free_port()
CLASSES = ROOT / ".roundcube/usr/share/roundcube/plugins/managesieve/lib/Roundcube"
SCRIPT = Path(__file__).with_name("roundcube_sieve.php")


def rule(name, tests, actions, join=False, disabled=False):
    return {
        "type": "if",
        "tests": tests,
        "actions": actions,
        "join": join,
        "disabled": disabled,
        "name": name,
    }


def header(value, *, kind="contains", field="subject", negated=False):
    return {
        "test": "header",
        "type": kind,
        "not": negated,
        "arg1": field,
        "arg2": value,
    }


def file_into(name):
    return {"type": "fileinto", "target": name}


# Each test and action that its page offers for what this server says it can.
TESTS = [
    {"test": "size", "type": "over", "not": False, "arg": "2M"},
    {"test": "exists", "not": True, "arg": ["x-one", "x-two"]},
    header(["a", "b"], kind="matches", negated=True),
    header("a.*", kind="regex"),
    header("2", kind="count-ge"),
    header("10", kind="value-lt", field="x-number"),
    {"test": "address", "part": "detail", "type": "is", "not": False}
    | {"arg1": ["to", "cc"], "arg2": "lists"},
    {"test": "envelope", "part": "domain", "type": "contains", "not": False}
    | {"arg1": "from", "arg2": "example"},
    {"test": "body", "part": "text", "type": "contains", "not": False, "arg": "words"},
    {"test": "body", "part": "content", "content": "text", "type": "contains"}
    | {"not": False, "arg": "words"},
    {"test": "date", "header": "date", "part": "date", "type": "value-ge"}
    | {"not": False, "arg": "2026-01-01", "zone": "+0100"},
    {"test": "currentdate", "part": "weekday", "type": "is", "not": False, "arg": "1"},
    {"test": "duplicate", "not": False, "handle": "h", "seconds": 60, "last": True},
    {"test": "spamtest", "type": "value-ge", "not": False, "arg": "5"},
]
ACTIONS = [
    file_into("Lists/Größe") | {"copy": True},
    {"type": "redirect", "target": "ann@example.org", "copy": True},
    {"type": "addflag", "target": ["\\Seen", "work"]},
    {"type": "addheader", "name": "X-A", "value": "b"},
    {"type": "deleteheader", "name": "X-B", "value": "c", "match-type": "contains"},
    {"type": "set", "name": "a", "value": "b", "lower": True},
    {"type": "notify", "method": "mailto:ann@example.org", "importance": "1"}
    | {"message": "mail", "options": []},
    {
        "type": "vacation",
        "days": "7",
        "subject": "Weg",
        "reason": "Bin weg.\r\nBald da.",
    }
    | {"addresses": ["ann@example.org"]},
    {"type": "include", "target": "other", "personal": True, "optional": True},
    {"type": "keep"},
    {"type": "stop"},
]


class RoundcubeTests(DaemonTestCase):
    extra = listener(PORT)

    def kept(self, user, *rules):
        """What is read of rules that were kept."""
        _, told = run(
            *("php", SCRIPT, CLASSES, PORT, user, PASSWORD, "roundcube"),
            said=json.dumps(rules),
        )
        return json.loads(told[told.index("{") :])

    def test_filters_are_kept_and_do_what_they_say(self):
        user = self.user()
        rules = [
            rule("Python", [header("python")], [file_into("INBOX"), {"type": "stop"}]),
            rule("off", [header("a")], [{"type": "discard"}], disabled=True),
            rule("größer", [header("spam")], [{"type": "discard"}], join=True),
        ]
        kept = self.kept(user, *rules)
        self.assertEqual(kept["scripts"], ["roundcube"])
        self.assertIn("# rule:[größer]\r\n", kept["text"])
        for wanted, got in zip(rules, kept["rules"], strict=True):
            self.assertEqual(
                (got["name"], got["disabled"]), (wanted["name"], wanted["disabled"])
            )
            (action, *_), (same, *_) = got["actions"], wanted["actions"]
            self.assertEqual(action["type"], same["type"])
        for subject in ("python", "a", "spam"):
            ways_in.deliver(self.daemon, user, message(subject, user))
        self.assertEqual(len(ways_in.messages(self.daemon, user)), 2)

    def test_all_that_the_page_offers_is_taken(self):
        user = self.user()
        tests = [
            rule(f"t{at}", [one], [file_into("A")]) for at, one in enumerate(TESTS)
        ]
        actions = [
            rule(f"a{at}", [header("x")], [one]) for at, one in enumerate(ACTIONS)
        ]
        kept = self.kept(user, *tests, *actions)
        self.assertEqual(len(kept["rules"]), len(tests) + len(actions))
        self.assertTrue({"fileinto", "vacation", "regex"} <= set(kept["extensions"]))
        ways_in.deliver(self.daemon, user, message("through all of it", user))
        refused = self.kept_alone(user, {"type": "reject", "target": "Nein, grüße"})
        self.assertIn('reject "Nein, grüße"', refused["text"])

    def kept_alone(self, user, action):
        return self.kept(user, rule("only", [header("x")], [action]))
