"""CAPABILITY says what can be done now, and the command table agrees."""

from twisted.trial.unittest import SynchronousTestCase

from mailtwist.imap4.capability import (
    CAPABILITIES,
    Situation,
    capabilities,
    enabled,
)
from mailtwist.imap4.commands import COMMANDS, SELECTED, State

RFC = r"^RFC \d+( §[\d.]+)?$|^draft-ietf-morg-inthread$"  # a draft to the end
BEFORE = State.NOT_AUTHENTICATED


def told(**situation):
    return capabilities(Situation(**situation)).decode().split()


class CapabilityTests(SynchronousTestCase):
    def test_rev1_comes_first(self):
        self.assertEqual(told(state=BEFORE)[0], "IMAP4rev1")

    def test_clear_text_says_starttls_and_forbids_login(self):
        found = told(state=BEFORE)
        self.assertIn("STARTTLS", found)
        self.assertIn("LOGINDISABLED", found)

    def test_tls_says_neither(self):
        found = told(state=BEFORE, tls=True, mechanisms=("PLAIN",))
        self.assertNotIn("STARTTLS", found)
        self.assertNotIn("LOGINDISABLED", found)
        self.assertIn("AUTH=PLAIN", found)

    def test_a_listener_without_tls_that_takes_passwords(self):
        found = told(state=BEFORE, starttls=False, plaintext=True)
        self.assertNotIn("STARTTLS", found)
        self.assertNotIn("LOGINDISABLED", found)

    def test_after_login_the_rest_is_told_and_the_login_is_not(self):
        found = told(state=State.AUTHENTICATED, mechanisms=("PLAIN",))
        for name in ("MOVE", "UIDPLUS", "CONDSTORE", "ESEARCH", "LIST-STATUS"):
            self.assertIn(name, found)
        for name in ("STARTTLS", "LOGINDISABLED", "AUTH=PLAIN"):
            self.assertNotIn(name, found)

    def test_what_the_avatar_cannot_do_is_not_told(self):
        situation = Situation(State.SELECTED, missing=frozenset({"CONDSTORE", "MOVE"}))
        found = capabilities(situation).split()
        self.assertNotIn(b"MOVE", found)
        self.assertEqual(enabled(("CONDSTORE",), situation), ())

    def test_enable_knows_what_can_be_enabled(self):
        situation = Situation(State.AUTHENTICATED)
        asked = ("CONDSTORE", "X-WHAT", "CONDSTORE", "IDLE")
        self.assertEqual(enabled(asked, situation), ("CONDSTORE",))

    def test_each_row_names_an_rfc_and_stands_once(self):
        names = [row.name for row in CAPABILITIES]
        self.assertEqual(len(names), len(set(names)))
        for row in (*CAPABILITIES, *COMMANDS.values()):
            self.assertRegex(
                row.rfc, r"^RFC \d+( §[\d.]+)?$|^draft-ietf-morg-inthread$"
            )


class CommandTableTests(SynchronousTestCase):
    def test_expunge_is_held_back_where_numbers_are_under_way(self):
        """RFC 3501 §7.4.1, RFC 5256 §3: not their UID forms."""
        found = {row.name for row in COMMANDS.values() if row.keeps_numbers}
        self.assertEqual(found, {"FETCH", "STORE", "SEARCH", "SORT", "THREAD"})

    def test_try_create_is_for_commands_with_a_target(self):
        found = {row.name for row in COMMANDS.values() if row.try_create}
        wanted = {"APPEND", "COPY", "MOVE", "REPLACE"}
        wanted |= {"UID COPY", "UID MOVE", "UID REPLACE"}
        self.assertEqual(found, wanted)

    def test_uid_forms_need_a_mailbox(self):
        for row in COMMANDS.values():
            if row.uid:
                self.assertEqual(row.states, SELECTED)

    def test_commands_with_a_password_or_a_token_are_secret(self):
        found = {row.name for row in COMMANDS.values() if row.secret}
        self.assertEqual(found, {"LOGIN", "AUTHENTICATE", "URLFETCH"})
