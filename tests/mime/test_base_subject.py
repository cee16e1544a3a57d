"""The base subject of RFC 5256 §2.1."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.mime.base_subject import base_subject

SUBJECTS = [  # subject, base, says reply or forward, why
    ("hello", "hello", False, "nothing to take off"),
    ("", "", False, "empty"),
    ("   ", "", False, "blank"),
    ("Re: hello", "hello", True, "subj-refwd"),
    ("RE: hello", "hello", True, "in any case"),
    ("Re : hello", "hello", True, "white space before the colon"),
    ("Re[2]: hello", "hello", True, "a blob inside"),
    ("Fw: hello", "hello", True, "fw"),
    ("FWD: hello", "hello", True, "fwd"),
    ("Re: Fwd: re: hello", "hello", True, "several"),
    ("[list] hello", "hello", False, "a blob is no reply"),
    ("[list] Re: hello", "hello", True, "a blob before re"),
    ("Re: [list] [b] hello", "hello", True, "blobs behind"),
    ("[list]", "[list]", False, "a blob that is all there is"),
    ("[a] [b]", "[b]", False, "the last blob is the base"),
    ("Re: [list]", "[list]", True, "behind Re"),
    ("hello (fwd)", "hello", True, "subj-trailer"),
    ("hello (fwd) (FWD) ", "hello", True, "several trailers"),
    ("[fwd: hello]", "hello", True, "subj-fwd"),
    ("[Fwd: Re: [list] hello (fwd)]", "hello", True, "all inside subj-fwd"),
    ("[Fwd: [fwd: hello]]", "hello", True, "twice"),
    ("[Fwd: hello", "[Fwd: hello", False, "not closed"),
    ("hello\t \r\n  world", "hello world", False, "white space becomes one space"),
    ("Reply: hello", "Reply: hello", False, "a word that begins like it"),
    ("Re hello", "Re hello", False, "no colon"),
    ("[nest [ed]] hello", "[nest [ed]] hello", False, "no brackets in a blob"),
]


class BaseSubjectTests(SynchronousTestCase):
    def test_what_is_taken_off(self):
        for subject, base, reply, why in SUBJECTS:
            self.assertEqual(base_subject(subject), (base, reply), why)

    @given(st.text(alphabet="[]Rre:fFwdWD() \ta", max_size=40))
    def test_a_base_subject_is_its_own_base(self, subject):
        base, _ = base_subject(subject)
        self.assertEqual(base_subject(base)[0], base)

    def test_a_hostile_subject_costs_one_pass(self):
        """This would not end in this life if each bracket cost a pass."""
        for part in ("[a]", "[fwd:", "re:", "re[", "(fwd)", "[", "re:[a]"):
            for closing in ("", "]"):
                count = 300_000
                base, _ = base_subject(part * count + closing * count)
                self.assertLessEqual(len(base), (len(part) + 1) * count)
