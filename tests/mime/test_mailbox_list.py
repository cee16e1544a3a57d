from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.address import Address
from mailtwist.errors import BadAddress
from mailtwist.mime.address_list import addresses
from mailtwist.mime.mailbox_list import mailbox_list

READ = [
    (b"ann@x.test", ["ann@x.test"], "an address alone"),
    (b" Ann Lee <ann@x.test>\r\n", ["ann@x.test"], "with a name"),
    (b'"Lee, Ann" <ann@X.Test>', ["ann@x.test"], "a comma in quotes"),
    (b"J. R. Lee <ann@x.test>", ["ann@x.test"], "dots in a name (obsolete)"),
    (b"<ann@x.test>", ["ann@x.test"], "no name"),
    (b"=?utf-8?Q?J=C3=BCrg?= =?utf-8?B?w6Q=?= <j@x.test>", ["j@x.test"], "encoded"),
    (b"J\xc3\xbcrg <j@x.test>", ["j@x.test"], "UTF-8 (RFC 6532)"),
    (b"J\xfcrg <j@x.test>", ["j@x.test"], "octets of some old charset"),
    ("jürg@bücher.test".encode(), ["jürg@bücher.test"], "an address in UTF-8"),
    (b"j@xn--bcher-kva.test", ["j@bücher.test"], "A-labels"),
    (b"a@x.test,\r\n\tb <b@x.test>", ["a@x.test", "b@x.test"], "several, folded"),
    (b"a@x.test, ,b@x.test,", ["a@x.test", "b@x.test"], "empty elements"),
    (b"(now) ann(Ann (Lee\\)))@(at)x.test (ok)", ["ann@x.test"], "comments"),
    (b"ann @ x . test", ["ann@x.test"], "space around dots (obsolete)"),
    (b'"ann"@x.test', ["ann@x.test"], "quoted without need"),
    (b'"a\\"b c".d@x.test', ['"a\\"b c.d"@x.test'], "quoted with need"),
    (b"ann@[192.0.2.1]", ["ann@[192.0.2.1]"], "an address literal"),
    (b"Ann <@a.test,@b.test:ann@x.test>", ["ann@x.test"], "a route (obsolete)"),
    (b"Us: a@x.test, B <b@x.test>;", ["a@x.test", "b@x.test"], "a group"),
    (b"nobody:;", [], "a group of nobody (RFC 6854)"),
    (b"Us: a@x.test;, c@x.test", ["a@x.test", "c@x.test"], "more behind it"),
]
NOT_READ = [
    (b"", "nothing"),
    (b" (only a comment)", "a comment alone"),
    (b"ann", "no domain"),
    (b"Ann Lee", "a name alone"),
    (b"boss@y.test ann@x.test", "two without a comma: which?"),
    (b"boss@y.test <ann@x.test>", "an address for a name"),
    (b"Lee, Ann <ann@x.test>", "a comma that is not quoted"),
    (b"<ann@x.test> <boss@y.test>", "two in brackets"),
    (b"<ann@x.test> Ann", "a name behind"),
    (b"Ann <ann@x.test", "no end"),
    (b"Ann <<ann@x.test>>", "two brackets"),
    (b'"Ann <ann@x.test>', "a quote without end"),
    (b"ann@x.test (more", "a comment without end"),
    (b"ann@x.test)", "a comment without beginning"),
    (b"ann@@x.test", "two signs"),
    (b"ann@x.test@y.test", "two domains"),
    (b"a..b@x.test", "two dots"),
    (b".a@x.test", "a dot first"),
    (b"a b@x.test", "two words"),
    (b'a"b"@x.test', "a word and a quoted one"),
    (b"=?utf-8?Q?ann=40x.test?=", "encoded as a whole"),
    (b"ann@=?utf-8?Q?x?=.test", "an encoded domain"),
    (b"ann@x..test", "an empty label"),
    (b"ann@x test", "a domain in two"),
    (b"Us: a@x.test", "a group without end"),
    (b"Us: Them: a@x.test;;", "a group in a group"),
    (b"a@x.test; b@x.test", "a semicolon without group"),
    (b":;", "a group without name"),
    (b"\xff\xfe@x.test", "octets that are no UTF-8"),
    (b"ann\x00@x.test", "NUL"),
    (b"ann\\@x.test", "a backslash"),
    (b"a" * 65 + b"@x.test", "a local part that is too long"),
]


class MailboxListTests(SynchronousTestCase):
    def test_what_is_read(self):
        for value, wanted, why in READ:
            found = [str(address) for address in mailbox_list(value)]
            self.assertEqual(found, wanted, why)

    def test_what_might_be_read_in_two_ways_is_not_read(self):
        for value, why in NOT_READ:
            with self.assertRaises(BadAddress, msg=why):
                mailbox_list(value)

    @given(st.binary(max_size=60))
    @example(b"(" * 60)
    def test_any_octets_are_read_or_refused(self, value):
        try:
            found = mailbox_list(value)
        except BadAddress as fault:
            self.assertTrue(fault.public.isascii())
        else:
            self.assertTrue(all(address.domain for address in found))

    @given(st.lists(st.sampled_from([b for b, *_ in READ[:16]]), min_size=1))
    def test_lists_are_what_their_members_are(self, members):
        found = mailbox_list(b",\r\n ".join(one.strip() for one in members))
        self.assertEqual(found, [a for one in members for a in mailbox_list(one)])

    @given(
        st.text(st.sampled_from('ab.@<>,:;" ()\\x'), max_size=24).map(str.encode),
    )
    def test_a_tolerant_reader_finds_the_same_addresses(self, value):
        """Who shows the message sees what was judged."""
        try:
            found = mailbox_list(value)
        except BadAddress:
            return
        shown = [
            Address.parse(
                f"{Address(one.mailbox.decode()).quoted_local_part}@{one.host.decode()}"
            )
            for one in addresses([value])
            if one.host is not None
        ]
        self.assertEqual(shown, found)
