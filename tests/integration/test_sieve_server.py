"""Scripts of the server: before and after those of users, shared ones, lists."""

from tests.integration import ways_in
from tests.integration.daemon import DaemonTestCase
from tests.integration.programs import message
from tests.integration.world import until


class ServerScriptTests(DaemonTestCase):
    extra = """
[sieve]
before = ["before.sieve"]
after = ["after.sieve"]
shared = "shared"
without = ["editheader"]
lists = ["friends"]

[[table]]
name = "friends"
kind = "file"
source = "friends"
"""

    def write(self, name, text):
        path = self.daemon.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    def setUp(self):
        super().setUp()
        for name in ("before", "after"):
            self.write(f"{name}.sieve", 'require "imap4flags";')

    def put(self, user, text):
        self.write("script.sieve", text)
        path = str(self.daemon.folder / "script.sieve")
        self.daemon.command("sieve", "put", user, "main", path, "--activate")

    def flags(self, user, count=1):
        starttls, client = ways_in.imapclient(self.daemon, user)
        starttls.logout()
        try:
            client.select_folder("INBOX", readonly=True)
            found = client.fetch(client.search(), ["FLAGS"])
        finally:
            client.logout()
        return [
            {flag.decode() for flag in one[b"FLAGS"]} - {"\\Recent"}
            for _, one in sorted(found.items())
        ]

    def test_they_stand_around_the_one_of_the_user(self):
        user = self.user()
        flags = 'require "imap4flags"; addflag "{}";'
        self.write("before.sieve", flags.format("first"))
        self.write("after.sieve", flags.format("last"))
        self.put(user, flags.format("mine"))
        ways_in.deliver(self.daemon, user, message("hello", user))
        self.assertEqual(self.flags(user), [{"first", "mine", "last"}])
        self.write("before.sieve", "discard;")
        ways_in.deliver(self.daemon, user, message("gone", user))
        self.write("before.sieve", flags.format("again"))
        ways_in.deliver(self.daemon, user, message("hello", user))
        self.assertEqual(self.flags(user)[1:], [{"again", "mine", "last"}])

    def test_a_broken_one_hinders_nobody(self):
        user = self.user()
        self.write("before.sieve", "nonsense;")
        ways_in.deliver(self.daemon, user, message("hello", user))
        found = until(lambda: len(held := self.flags(user)) > 1 and held, str)
        self.assertEqual(len(found), 2)  # with the note

    def test_scripts_of_the_server_may_be_included(self):
        user = self.user()
        self.write("shared/marks.sieve", 'require "imap4flags"; addflag "shared";')
        self.put(user, 'require "include"; include :global "marks";')
        ways_in.deliver(self.daemon, user, message("hello", user))
        self.assertEqual(self.flags(user), [{"shared"}])

    def test_an_extension_may_be_switched_off(self):
        with self.assertRaisesRegex(AssertionError, 'extension "editheader" is not'):
            self.put(self.user(), 'require "editheader"; addheader "X-A" "b";')

    def test_lists_are_asked_and_sent_to(self):
        user, friend = self.user(), self.user()
        self.write("friends", f"{friend} yes\ncarl@example.test yes\n")
        self.daemon.add_user("carl")
        self.put(
            user,
            'require ["extlists", "imap4flags"];\n'
            'if address :list "from" "friends" { addflag "friend"; keep; }\n'
            'else { redirect :list "friends"; }',
        )
        known = message("known", user).replace(b"From: ", b"X-From: ", 1)
        ways_in.deliver(self.daemon, user, b"From: %s\r\n" % friend.encode() + known)
        self.assertEqual(self.flags(user), [{"friend"}])
        ways_in.deliver(self.daemon, user, message("to all of them", user))
        for each in (friend, "carl@example.test"):
            until(lambda each=each: self.flags(each), self.daemon.log.read_text)
        self.assertEqual(len(self.flags(user)), 1)
