import os
import re
import subprocess
import sys
import threading

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.flags import LETTERS
from mailtwist.store.maildir.names import (
    KEYWORD_LETTERS,
    MaildirName,
    NameMaker,
    encoded_host,
    is_message,
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
    ("x:2,SF", "x", None, None, "SF", "letters out of order"),
    ("x:2,FSX,more:fields", "x", None, None, "FS", "unknown letter and field"),
    ("x:2,", "x", None, None, "", "looked at, no flag"),
    ("x:", "x", None, None, "", "an empty info"),
    ("x:3,S", "x", None, None, "", "a version of the info that nobody knows"),
    ("x,S=12,S=13", "x,S=12,S=13", 12, None, "", "the first size counts"),
    ("x,S=1a,W=-2", "x,S=1a,W=-2", None, None, "", "sizes that are none"),
    ("x,FMD5=00,S=5", "x,FMD5=00,S=5", 5, None, "", "other fields before ours"),
    ("x!2,S", "x!2,S", None, None, "", "another separator is no info"),
]


class MaildirNameTests(SynchronousTestCase):
    def test_names_of_other_programs_are_understood_and_kept(self):
        for filename, base, octets, virtual, letters, who in THEIRS:
            name = MaildirName.parse(filename)
            self.assertEqual(
                (name.base, name.octets, name.virtual_octets, name.letters),
                (base, octets, virtual, letters),
                who,
            )
            self.assertEqual(name.format(), filename, who)

    @given(filename=FILENAME)
    def test_any_name_survives(self, filename):
        self.assertEqual(MaildirName.parse(filename).format(), filename)

    @given(filename=FILENAME, letters=KNOWN)
    def test_letters_come_back_sorted_and_the_base_stays(self, filename, letters):
        name = MaildirName.parse(filename)
        changed = MaildirName.parse(name.with_letters(letters).format())
        self.assertEqual(changed.base, name.base)
        self.assertEqual(changed.letters, "".join(sorted(set(letters))))

    def test_what_other_programs_wrote_outlives_a_flag_change(self):
        name = MaildirName.parse("x:2,FSX,more:fields")
        self.assertEqual(name.with_letters("Ta").format(), "x:2,TXa,more:fields")

    def test_a_first_flag_makes_the_info(self):
        self.assertEqual(MaildirName("x").with_letters("S").format(), "x:2,S")
        self.assertEqual(
            MaildirName.parse("x:1,what").with_letters("").format(), "x:2,"
        )

    def test_names_with_a_leading_dot_are_no_messages(self):
        self.assertFalse(is_message(".nfs0000000012"))
        self.assertTrue(is_message("1.x"))


class NameMakerTests(SynchronousTestCase):
    def test_a_base_has_all_that_makes_it_unique(self):
        base = NameMaker("mx.example.test").base(7, 8)
        self.assertRegex(
            base,
            rf"^\d{{10}}\.M\d{{6}}P{os.getpid()}R[0-9a-f]{{8}}Q0\.mx\.example\.test,"
            r"S=7,W=8$",
        )
        name = MaildirName.parse(base)
        self.assertEqual((name.octets, name.virtual_octets), (7, 8))

    def test_threads_never_make_the_same_base(self):
        maker, made = NameMaker("h"), []
        threads = [
            threading.Thread(
                target=lambda: made.extend([maker.base() for _ in range(2000)])
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
            "import os; from mailtwist.store.maildir.names import NameMaker\n"
            "maker = NameMaker('h'); maker.base()\n"
            "child = os.fork()\n"
            "if child: os.waitpid(child, 0)\n"
            "print(maker.base(), flush=True)\n"
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
        base = NameMaker(host).base(10**18, 10**18)
        self.assertNotIn("/", base)
        self.assertLess(len((base + ":2,DFPRST" + KEYWORD_LETTERS).encode()), 256)
        self.assertEqual(MaildirName.parse(base).octets, 10**18)
