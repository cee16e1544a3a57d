"""`mailtwist search` beside a running server, and without one."""

import json

from tests.integration import ways_in
from tests.integration.daemon import DaemonTestCase
from tests.integration.programs import message


class SearchCommandTests(DaemonTestCase):
    def fill(self):
        user = self.user()
        ways_in.deliver(
            self.daemon, user, message("Lunch?", body="Is an apple pie enough?\r\n")
        )
        client = ways_in.imapclient(self.daemon, user)[1]
        client.create_folder("Old")
        client.append("Old", message("Grüße", body="Nothing of it.\r\n"))
        client.append("Old", message("apple <b>", body="x " * 300 + "APPLE & more\r\n"))
        client.logout()
        return user

    def test_it_shows_where_words_are(self):
        user = self.fill()
        told = self.daemon.command("search", user, "apple").splitlines()
        self.assertEqual(len(told), 4)
        self.assertIn("    Is an [apple] pie enough?", told)
        self.assertTrue(any(line.endswith("[APPLE] & more") for line in told), told)
        self.assertTrue(any(line.startswith("Old  20") for line in told), told)

    def test_for_programs_it_is_as_in_jmap(self):
        user = self.fill()
        told = json.loads(
            self.daemon.command(
                "search", user, "--json", "--folder", "Old", "subject:APPLE", "body:&"
            )
        )
        (one,) = told
        self.assertEqual((one["mailbox"], one["uid"]), ("Old", 2))
        self.assertEqual(one["snippet"]["subject"], "<mark>apple</mark> &lt;b&gt;")
        self.assertTrue(one["snippet"]["preview"].endswith("<mark>&amp;</mark> more"))

    def test_slips_are_forgiven_where_that_is_asked_for(self):
        user = self.fill()
        told = self.daemon.command("search", user, "--fuzzy", "body:enouhg pie")
        self.assertIn("an apple [pie] enough?", told)
