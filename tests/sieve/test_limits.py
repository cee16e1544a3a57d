"""Every limit of mailtwist.sieve.limits stops a script, which is then a keep alone."""

import time

import attrs
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.sieve.limits import SLICE, Limits

from .running import MESSAGE, PARTS, REQUIRE, Answers, actions

MANY = 400


def repeated(template, count=MANY):
    return "".join(template.format(at) for at in range(count))


# Limit -> (script, what is told, with which limits, message).
STOPPED = {
    "work": (repeated('set "a" "${{a}}xxxx";', 4000), "it does too much", {}),
    "actions": (repeated('fileinto "a{}";', 33), "it has too many actions", {}),
    "redirects": (
        repeated('redirect "a{}@x.test";', 6),
        "it has too many redirects",
        {},
    ),
    "variables": (repeated('set "v{}" "x";', 257), "it has too many variables", {}),
    "all_characters": (
        repeated('set "v{}" "0123456789";', 20),
        "its variables are too large",
        {"all_characters": 100},
    ),
    "fields": (repeated('addheader "X-A" "{}";', 101), "it adds too many fields", {}),
    "message_octets": (
        'enclose "0123456789"; enclose "0123456789";',
        "it adds too much to the message",
        {"message_octets": 30},
    ),
    "includes": (
        'include "a0";',
        "scripts included too deeply",
        {},
    ),
}
# Those that cut what is too much.
CUT = {
    "variable_characters": "test_run: what is too long is cut",
    "parts": "below",
    "vacation_least_s": "test_run: what a vacation says",
    "vacation_most_s": "test_run: what a vacation says",
}
DEEP = Answers(
    scripts={f"a{at}": f'require "include"; include "a{at + 1}";' for at in range(20)}
)


class LimitTests(SynchronousTestCase):
    def test_each_is_met(self):
        named = {one.name for one in attrs.fields(Limits)}
        self.assertEqual(named, STOPPED.keys() | CUT.keys())
        for name, (script, told, more) in STOPPED.items():
            limits = Limits(**({"work": 20_000} if name == "work" else {}) | more)
            did = actions(
                REQUIRE + f'fileinto "before"; {script}', limits=limits, answers=DEEP
            )
            self.assertEqual(did[1:], ["implicit keep"], name)
            self.assertIn(told, did[0], name)

    def test_what_is_just_allowed_goes_on(self):
        for script, count in [
            (repeated('fileinto "a{}";', 32), 32),
            (repeated('redirect "a{}@x.test";', 5), 5),
        ]:
            self.assertEqual(len(actions(REQUIRE + script)), count)

    def test_no_more_parts_are_looked_at(self):
        script = 'foreverypart { set "n" "${n}i"; } fileinto "x${n}";'
        did = actions(REQUIRE + script, message=PARTS, limits=Limits(parts=3))
        self.assertEqual(did, ["fileinto xiii"])

    def test_work_bounds_the_time_of_any_script(self):
        """A unit is about a microsecond; here with room for a busy machine."""
        large = MESSAGE + b"ab " * 200_000
        for script in (
            repeated('if body :raw :matches "*a*b*c*d" {{ discard; }}', 300),
            repeated('if header :regex "subject" "(a*)*b" {{ discard; }}', 300),
            'foreverypart { foreverypart { set "a" "${a}${a}b"; } }' * 100,
            'if anyof (not exists "x", false) { addflag "f"; }' * 300,
        ):
            began = time.process_time()
            actions(REQUIRE + script, message=large, limits=Limits(work=100_000))
            self.assertLess(time.process_time() - began, 5.0, script[:60])

    def test_a_slice_is_short(self):
        self.assertLess(SLICE, Limits().work // 100)
