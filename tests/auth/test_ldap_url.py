"""Tests for mailtwist.auth.checkers.ldap_url: what a directory's answer is worth."""

from twisted.trial.unittest import SynchronousTestCase

from mailtwist.auth.checkers.ldap_url import check_filter, spelled_so

SPELLED = [
    ("leo", ["Leo"], True, "case is one user"),
    ("leo@example.test", ["l@example.test", "LEO@example.test"], True, "one of many"),
    ("leo", ["l\u00e9o"], False, "Active Directory takes accents for the same"),
    ("leo", ["le-o"], False, "another name"),
    ("leo", ["leo@example.test"], False, "with a domain"),
    ("leo", [], False, "a value that we may not read"),
]
FILTERS = ["(a=b", "a=b)", "(a=b)(c=d)", "()", "(&)", "a"]


class UrlCheckerTests(SynchronousTestCase):
    def test_another_spelling_is_another_user(self):
        for name, values, same, why in SPELLED:
            self.assertIs(spelled_so(name, values), same, why)

    def test_what_is_no_filter_is_told(self):
        for query in FILTERS:
            fault = self.assertRaises(ValueError, check_filter, query)
            self.assertIn("filter is none", str(fault))
        for query in ("(a=b)", "(&(a=b)(!(c=d*)))", "(objectClass=*)"):
            self.assertIs(check_filter(query), None)
