import os
import re
import subprocess
import sys
import threading

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.flags import LETTERS, SEEN
from mailtwist.store.maildir.names import (
    KEYWORD_LETTERS,
    MaildirName,
    UniqueNames,
    encoded_host,
    flags_of,
    letters_for,
)

FILENAME = st.text(
    st.characters(blacklist_characters="/\0", max_codepoint=0xDCFF), min_size=1
)
KNOWN = st.text(st.sampled_from("".join(LETTERS) + KEYWORD_LETTERS))

# (file name, base, octets, virtual octets, letters, who writes such names)
THEIRS = [
    (
        "1423137223.M384823P5637.imap,S=1204,W=1231:2,RSab",
        "1423137223.M384823P5637.imap,S=1204,W=1231",
        1204,
        1231,
        "RSab",
        "Dovecot",
    ),
    (
        "1035478339.27041_118.foo.org,S=1000:2,S",
        "1035478339.27041_118.foo.org,S=1000",
        1000,
        None,
        "S",
        "Courier",
    ),
    (
        "1086173912.Vfe03I38c2M123456.mail.example.org",
        "1086173912.Vfe03I38c2M123456.mail.example.org",
        None,
        None,
        "",
        "Postfix",
    ),
    (
        "1118500132.R13245.mutt:2,FS",
        "1118500132.R13245.mutt",
        None,
        None,
        "FS",
        "mutt",
    ),
    ("1118500132.4711_1.host", "1118500132.4711_1.host", None, None, "", "procmail"),
    ("x:1,anything", "x", None, None, "", "an experiment"),
    ("x:2,SF", "x", None, None, "FS", "letters out of order"),
    ("x:2,FSX,more:fields", "x", None, None, "FSX", "unknown letter and field"),
    ("x:2,", "x", None, None, "", "looked at, no flag"),
    ("x:", "x", None, None, "", "an empty info"),
    ("x:3,S", "x", None, None, "", "a version of the info that nobody knows"),
    ("x,S=12,S=13", "x,S=12,S=13", 12, None, "", "the first size counts"),
    ("x,S=1a,W=-2", "x,S=1a,W=-2", None, None, "", "sizes that are none"),
    ("x,FMD5=00,S=5", "x,FMD5=00,S=5", 5, None, "", "other fields before ours"),
    ("x!2,S", "x!2,S", None, None, "", "another separator is no info"),
]


class MaildirNameTests(SynchronousTestCase):
    def test_names_of_other_programs_are_understood(self):
        for filename, base, octets, virtual, letters, who in THEIRS:
            name = MaildirName.parse(filename)
            self.assertEqual(
                (name.base, name.octets, name.crlf_octets, name.letters),
                (base, octets, virtual, letters),
                who,
            )

    @given(filename=FILENAME)
    def test_any_name_keeps_its_base_and_letters(self, filename):
        name = MaildirName.parse(filename)
        self.assertTrue(filename.startswith(name.base))
        self.assertEqual(MaildirName.parse(name.format()), name)

    @given(filename=FILENAME, letters=KNOWN)
    def test_new_letters_come_back_and_the_rest_stays(self, filename, letters):
        name = MaildirName.parse(filename)
        changed = evolve(name, letters="".join(sorted(set(letters))))
        self.assertEqual(MaildirName.parse(changed.format()), changed)

    def test_fields_of_other_programs_behind_the_letters_stay(self):
        name = MaildirName.parse("x:2,FSX,more:fields")
        self.assertEqual(name.format(), "x:2,FSX,more:fields")

    @given(flags=st.frozensets(st.sampled_from([*LETTERS.values(), "Work", "$Junk"])))
    def test_flags_survive_the_letters(self, flags):
        letters = letters_for(flags, {"work": "a", "$junk": "b"})
        self.assertEqual(letters, "".join(sorted(letters)))
        self.assertEqual(flags_of(letters, {"a": "Work", "b": "$Junk"}), flags)

    def test_letters_and_keywords_without_a_meaning_are_passed_over(self):
        self.assertEqual(flags_of("SXz", {}), {SEEN})
        self.assertEqual(letters_for(frozenset({SEEN, "unknown"}), {}), "S")


class UniqueNamesTests(SynchronousTestCase):
    def test_a_base_has_all_that_makes_it_unique(self):
        base = UniqueNames("mx.example.test").base(7, 8)
        self.assertRegex(
            base,
            rf"^\d{{10}}\.M\d{{6}}P{os.getpid()}R[0-9a-f]{{8}}Q1\.mx\.example\.test,"
            r"S=7,W=8$",
        )
        name = MaildirName.parse(base)
        self.assertEqual((name.octets, name.crlf_octets), (7, 8))

    def test_threads_never_make_the_same_base(self):
        maker, made = UniqueNames("h"), []
        threads = [
            threading.Thread(
                target=lambda: made.extend([maker.base(1) for _ in range(2000)])
            )
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(set(made)), 8000)

    def test_a_forked_child_makes_bases_of_its_own(self):
        script = (
            "import os; from mailtwist.store.maildir.names import UniqueNames\n"
            "maker = UniqueNames('h'); maker.base(1)\n"
            "child = os.fork()\n"
            "if child: os.waitpid(child, 0)\n"
            "print(maker.base(1), flush=True)\n"
        )
        said = subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            check=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        ).stdout.decode()
        parts = re.findall(r"P(\d+)R([0-9a-f]{8})", said)
        self.assertEqual(len({pid for pid, _ in parts}), 2)
        self.assertEqual(len({token for _, token in parts}), 2)

    def test_hosts_cannot_break_a_name(self):
        for host, encoded in [
            ("a/b:c", "a\\057b\\072c"),
            ("a,S=1", "a\\054S\\0751"),
            ("", "localhost"),
            ("b\u00fccher.test", "b\\303\\274cher.test"),
        ]:
            self.assertEqual(encoded_host(host), encoded)

    @given(host=st.text(st.characters(blacklist_categories=["Cs"])))
    def test_any_host_gives_a_file_name(self, host):
        base = UniqueNames(host or None).base(10**17, 10**17)
        self.assertNotIn("/", base)
        self.assertLess(len((base + ":2,DFPRST" + KEYWORD_LETTERS).encode()), 256)
        self.assertEqual(MaildirName.parse(base).octets, 10**17)
