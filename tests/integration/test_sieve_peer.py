"""Scripts side by side with Dovecot's `sieve-test`: the same tests and actions."""

import pwd
import re
import subprocess
import tempfile
from os import chmod
from pathlib import Path
from shutil import rmtree

from twisted.trial.unittest import SynchronousTestCase

from tests.sieve import cases
from tests.sieve.running import MESSAGE, PARTS, actions

EXTENSIONS = (
    *("fileinto", "reject", "envelope", "encoded-character", "subaddress", "copy"),
    *("relational", "comparator-i;ascii-numeric", "regex", "imap4flags", "variables"),
    *("body", "enotify", "environment", "mailbox", "date", "index", "mime", "include"),
    *("foreverypart", "extracttext", "vacation", "editheader"),
)
QUOTED = ", ".join(f'"{name}"' for name in EXTENSIONS)


# What the peer has otherwise, and why.
DIFFERENT = {
    'header :contains :comparator "i;unicode-casemap" "subject" "caf\u00c9"': (
        "it has no such comparator"
    ),
    'address :is "x-none" ""': "it refuses fields that have no addresses",
    'date :zone "+0000" "date" "iso8601" "2026-03-01T07:15:30+00:00"': (
        "it writes Z for no offset"
    ),
    'environment "domain" "example.test"': "it is elsewhere",
    'string "a" "A"': "it compares octets here, against RFC 5228 \u00a72.7.3",
    'body :text :contains "bold words"': "it makes no space of a tag",
}
SCRIPTS = (
    "",
    "keep;",
    "discard;",
    'fileinto "a"; fileinto "b";',
    'fileinto "a"; keep;',
    'fileinto :copy "a";',
    'redirect "c@d.example";',
    'redirect :copy "c@d.example"; discard;',
    'if header :matches "x-number" "* *" { fileinto "${2}-${1}"; stop; } discard;',
    'if header :matches "x-many" ["t*", "*"] { fileinto "x${1}"; }',
    'set :upperfirst :lower "a" "xYZ"; fileinto "${a}";',
    'set :length "a" "xyz"; set "b" "${a}${a}"; fileinto "${b}";',
    'set :quotewildcard "a" "x*"; if string :matches "x*" "${a}" { discard; }',
    'addflag "\\\\seen"; addflag "b"; keep;',
    'setflag "a b"; removeflag "a"; fileinto "x";',
    'setflag "a"; if hasflag "a" { fileinto "y"; }',
    'addheader "X-New" "v"; if header "x-new" "v" { fileinto "y"; }',
    'deleteheader :index 1 "x-many"; if header "x-many" "one" {} else { discard; }',
    'if anyof (false, not header :is "x" "y") { discard; } else { keep; }',
    'if false {} elsif true { fileinto "e"; } else { fileinto "f"; }',
    'foreverypart { if header :mime :subtype "content-type" "html"'
    ' { extracttext "t"; fileinto "h"; break; } }',
)


class PeerTests(SynchronousTestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(rmtree, self.folder, True)
        chmod(self.folder, 0o755)
        nobody = pwd.getpwnam("nobody")
        (self.folder / "dovecot.conf").write_text(
            f"protocols =\nbase_dir = {self.folder}/run\n"
            f"mail_location = maildir:{self.folder}/mail\n"
            f"mail_home = {self.folder}/home\nlog_path = {self.folder}/log\n"
            f"mail_uid = {nobody.pw_uid}\nmail_gid = {nobody.pw_gid}\n"
            "plugin {\n sieve_extensions = +editheader\n}\n"
        )

    def theirs(self, script, message):
        """What `sieve-test` says to a script: its output, or its errors."""
        (self.folder / "a.sieve").write_text(head(script) + script)
        (self.folder / "a.eml").write_bytes(message)
        done = subprocess.run(
            [
                *("sieve-test", "-c", "dovecot.conf", "-f", "ann@example.org"),
                *("-a", "bob+lists@example.test", "-r", "bob+lists@example.test"),
                *("-l", f"maildir:{self.folder}/mail", "a.sieve", "a.eml"),
            ],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=60,
        )
        return done.stdout or done.stderr

    def test_every_test_is_what_it_is_there(self):
        wrong, same = [], 0
        for tables, message in ((cases.ALL, MESSAGE), (cases.ON_PARTS, PARTS)):
            for rows in tables.values():
                for test, truth in rows:
                    script = (
                        f'if {test} {{ fileinto "yes"; }} else {{ fileinto "no"; }}'
                    )
                    told = self.theirs(script, message)
                    found = re.search(r"folder: (yes|no)", told)
                    theirs = found and found[1] == "yes"
                    if theirs is truth:
                        same += 1
                    if (theirs is truth) is (test in DIFFERENT):
                        wrong.append((test, truth, told))
        self.assertEqual(wrong, [])
        self.assertGreater(same, 150)

    def test_scripts_end_with_what_they_do_there(self):
        for script in SCRIPTS:
            message = PARTS if "foreverypart" in script else MESSAGE
            told = self.theirs(script, message)
            self.assertIn("Performed actions", told, script)
            self.assertEqual(normal(told), ours(script, message), (script, told))

    def test_what_is_wrong_here_is_wrong_there(self):
        for script in (
            "keep",
            "nonsense;",
            'fileinto ["a"];',
            "if true;",
            "else {}",
            "if size 1 {}",
            'if header :is :contains "a" "b" {}',
            "keep {}",
            'redirect "nobody";',
            'if header :regex "a" "(" {}',
            'set "1a" "b";',
            'keep; require "copy";',
            "if not (true) {}",
            "break;",
        ):
            self.assertIn("error:", self.theirs(script, MESSAGE), script)


def normal(told):
    """The peer's actions as sorted words."""
    found = []
    for line in told.splitlines():
        if match := re.match(r" \* store message in folder: (.*)", line):
            found.append(match[1])
        elif match := re.match(r"\s+\+ add IMAP flags: (.*)", line):
            found[-1] += f" [{' '.join(sorted(match[1].lower().split()))}]"
        elif match := re.match(r" \* redirect message to: <(.*)>", line):
            found.append(f"redirect {match[1]}")
    return sorted(found)


def ours(script, message):
    found = []
    for action in actions(head(script) + script, message=message):
        name, bracket, flags = action.partition(" [")
        name = name.removeprefix("fileinto ").removeprefix("implicit ")
        if name not in ("discard", "nothing"):
            name = "INBOX" if name == "keep" else name
            found.append(name + bracket + flags.lower())
    return sorted(found)


def head(script):
    more = ', "ihave"' if "ihave" in script else ""
    return f"require [{QUOTED}{more}];\n"
