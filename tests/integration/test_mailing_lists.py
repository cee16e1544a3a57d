"""Mailing lists over real SMTP: people with clients, hosts that send things back."""

import re
from email import message_from_bytes, policy

from tests.integration import ways_in
from tests.integration.daemon import DaemonTestCase
from tests.integration.programs import message
from tests.integration.smtp_peer import Script
from tests.integration.world import WorldTestCase, until

TOKEN = re.compile(r"dev[a-z0-9]*-confirm\+([a-z2-7]{24})@")


def parsed(octets):
    return message_from_bytes(octets, policy=policy.default)


def text_of(octets):
    return parsed(octets).get_body(("plain",)).get_content()


class ListWorldTestCase(WorldTestCase):
    """A list of its own on servidorA for each test."""

    extra = '[lists]\nlook_s = 0.3\nurl = "https://lists.test/l"\n'
    _lists = 0

    def setUp(self):
        super().setUp()
        ListWorldTestCase._lists += 1
        self.name = f"dev{ListWorldTestCase._lists}"
        self.list = f"{self.name}@a.test"
        self.owner = self.user(self.world.a)
        self.command("add", f"--owner={self.owner}", *self.settings())

    def settings(self):
        return ["--set=from_rewriting=never"]

    def command(self, what, *arguments, said=""):
        return self.world.a.command("list", what, self.list, *arguments, said=said)

    def at(self, function):
        return f"{self.name}-{function}@a.test"

    def post(self, sender, to=None, daemon=None, **fields):
        self.send(daemon or self.world.a, sender, to or self.list, **fields)

    def newest(self, user, count, daemon=None):
        """The newest message of a user, once there are `count`."""
        found = self.arrived(daemon or self.world.a, user, count)
        return found[-1]

    def told(self):
        return "".join(d.log.read_text() for d in (self.world.a, self.world.b))


class JoiningTests(ListWorldTestCase):
    def test_who_subscribes_confirms_by_an_answer_and_leaves_the_same_way(self):
        ann = self.user(self.world.b)
        self.post(ann, self.at("subscribe"), self.world.b, subject="x")
        asked = self.newest(ann, 1, self.world.b)
        reply_to = parsed(asked)["Reply-To"]
        self.assertRegex(str(reply_to), TOKEN)
        self.assertNotIn(ann, self.command("members"))
        self.post(ann, str(reply_to), self.world.b, subject="Re: yes")
        welcome = self.newest(ann, 2, self.world.b)
        self.assertIn("You are on the mailing list", text_of(welcome))
        self.assertIn(ann, self.command("members"))

        self.post(ann, self.at("unsubscribe"), self.world.b, subject="x")
        asked = self.newest(ann, 3, self.world.b)
        self.post(ann, str(parsed(asked)["Reply-To"]), self.world.b)
        self.assertIn(
            "not on the mailing list", text_of(self.newest(ann, 4, self.world.b))
        )
        self.assertNotIn(ann, self.command("members"))

    def test_an_answer_counts_once_and_a_program_s_never(self):
        ann = self.user(self.world.a)
        self.post(ann, self.at("subscribe"))
        reply_to = str(parsed(self.newest(ann, 1))["Reply-To"])
        self.post(ann, reply_to, **{"Auto-Submitted": "auto-replied"})
        until(lambda: "no answer of a person" in self.told(), self.told)
        self.assertNotIn(ann, self.command("members"))
        self.post(ann, reply_to)
        self.newest(ann, 2)
        self.post(ann, reply_to)
        self.assertIn("Nobody waits", text_of(self.newest(ann, 3)))

    def test_commands_are_answered_in_one_mail(self):
        ann = self.user(self.world.a)
        self.command("subscribe", "--quiet", ann)
        self.command("set", "description=For developers", "who=members")
        body = "which\ninfo\nwho\nlists\nset digest\nnonsense\nend\nwho\n-- \nhelp\n"
        self.post(ann, self.at("request"), subject="commands", body=body)
        answer = text_of(self.newest(ann, 1))
        for part in (
            f"{self.list}: each post as it comes",
            "For developers",
            f"{ann}\n(1 members)",
            f"{self.list}: digests",
            "nonsense is not a command",
        ):
            self.assertIn(part, answer.replace("\r\n", "\n"))
        self.assertEqual(answer.count("> who"), 1)
        self.assertIn(f"{ann}  (digest)", self.command("members"))

    def test_moderators_let_people_in(self):
        self.command("set", "subscription=moderated")
        ann = self.user(self.world.a)
        self.post(ann, self.at("subscribe"))
        asked = self.newest(self.owner, 1)
        self.assertIn(ann, parsed(asked)["Subject"])
        self.assertIn("moderators were asked", text_of(self.newest(ann, 1)))
        self.post(self.owner, str(parsed(asked)["Reply-To"]), body="accept\n")
        self.assertIn("You are on", text_of(self.newest(ann, 2)))


class PostingTests(ListWorldTestCase):
    def test_a_post_reaches_members_here_and_elsewhere_once(self):
        ann, bob = self.user(self.world.a), self.user(self.world.b)
        self.command("subscribe", "--quiet", ann, bob)
        self.command("set", "prefix=[dev]", "footer=Leave: {unsubscribe}")
        self.post(ann, subject="Plans", body="Let us meet.\n")
        for user, daemon in ((ann, self.world.a), (bob, self.world.b)):
            octets = self.newest(user, 1, daemon)
            made = parsed(octets)
            self.assertEqual(made["Subject"], "[dev] Plans")
            self.assertEqual(made["List-Id"], f'"{self.name}" <{self.name}.a.test>')
            self.assertIn(f"Leave: {self.at('unsubscribe')}", text_of(octets))
            verp = f"<{self.name}-bounces+{user.replace('@', '=')}@a.test>"
            self.assertEqual(made["Return-Path"], verp)

    def test_a_stranger_s_post_waits_for_a_moderator(self):
        ann, eve = self.user(self.world.a), self.user(self.world.b)
        self.command("subscribe", "--quiet", ann)
        self.post(eve, daemon=self.world.b, subject="First", body="Hello.\n")
        note = self.newest(self.owner, 1)
        self.assertIn("no member of the list", text_of(note))
        self.assertIn(b"message/rfc822", note)
        self.assertIn("First", self.command("moderate"))
        self.post(self.owner, str(parsed(note)["Reply-To"]), body="accept\n\n> x\n")
        self.assertEqual(parsed(self.newest(ann, 1))["Subject"], "First")

        self.post(eve, daemon=self.world.b, subject="Second")
        self.newest(self.owner, 3)  # with the answer to the first
        token = self.command("moderate").split()[0]
        self.command("moderate", "reject", token, "--reason=Not here.")
        self.assertIn("Not here.", text_of(self.newest(eve, 1, self.world.b)))
        self.assertEqual(self.command("moderate"), "")

    def test_what_the_list_refuses_comes_back_to_the_author(self):
        self.command("set", "strangers=reject")
        eve = self.user(self.world.b)
        self.post(eve, daemon=self.world.b)
        self.assertIn(b"Status: 5.7.1", self.newest(eve, 1, self.world.b))

    def test_each_member_may_have_a_link_of_its_own(self):
        ann, bob = self.user(self.world.a), self.user(self.world.b)
        self.command("subscribe", "--quiet", ann, bob)
        self.command("set", "one_click=true")
        self.post(ann)
        links = []
        for user, daemon in ((ann, self.world.a), (bob, self.world.b)):
            made = parsed(self.newest(user, 1, daemon))
            one_click = made["List-Unsubscribe-Post"]
            self.assertEqual(one_click, "List-Unsubscribe=One-Click")
            links.append(made["List-Unsubscribe"].partition(">")[0])
        self.assertNotEqual(*links)
        token = links[0].rpartition("/")[2]
        self.post(bob, self.at(f"unsubscribe+{token}"), self.world.b)
        self.assertIn("not on the mailing list", text_of(self.newest(ann, 2)))
        self.assertNotIn(ann, self.command("members"))

    def test_the_same_message_goes_out_once(self):
        ann = self.user(self.world.a)
        self.command("subscribe", "--quiet", ann)
        fields = {"Message-ID": f"<{self.name}@a.test>"}
        self.post(ann, subject="Once", **fields)
        self.newest(ann, 1)
        self.post(ann, subject="Once", **fields)
        until(lambda: "dropped: it came before" in self.told(), self.told)
        self.assertEqual(self.count(self.world.a, ann), 1)

    def test_digests(self):
        ann, bob = self.user(self.world.a), self.user(self.world.a)
        self.command("subscribe", "--quiet", "--mode=digest", ann)
        self.command("subscribe", "--quiet", "--mode=plain", bob)
        for subject in ("One", "Two"):
            self.post(ann, subject=subject)
        told = f"list <{self.list}>: sent to"
        until(lambda: self.told().count(told) == 2, self.told)
        self.command("digest")
        made = parsed(self.newest(ann, 1))
        self.assertEqual(made["Subject"], f"{self.name} digest, issue 1")
        digest = next(
            p for p in made.walk() if p.get_content_type() == "multipart/digest"
        )
        subjects = [part.get_content()["Subject"] for part in digest.iter_parts()]
        self.assertEqual(subjects, ["One", "Two"])
        self.assertIn("Subject: Two", text_of(self.newest(bob, 1)))

    def test_a_digest_goes_out_by_its_size(self):
        ann = self.user(self.world.a)
        self.command("set", "digest_octets=1024")
        self.command("subscribe", "--quiet", "--mode=digest", ann)
        self.post(ann, subject="Long", body="long\n" * 500)
        self.assertIn("digest, issue 1", parsed(self.newest(ann, 1))["Subject"])

    def test_mail_to_the_owner_reaches_the_owners(self):
        eve = self.user(self.world.b)
        self.post(eve, self.at("owner"), self.world.b, subject="Help me")
        self.assertEqual(parsed(self.newest(self.owner, 1))["Subject"], "Help me")


class DmarcTests(ListWorldTestCase):
    def settings(self):
        return []

    def test_from_is_rewritten_for_domains_that_ask_for_it(self):
        ann, bob = self.user(self.world.a), self.user(self.world.b)
        self.command("subscribe", "--quiet", ann, bob)
        strict = b"v=DMARC1; p=reject".decode()
        self.world.dns.set({"TXT _dmarc.b.test": [strict]})
        try:
            self.post(bob, daemon=self.world.b, subject="Strict")
            made = parsed(self.newest(ann, 1))
        finally:
            self.world.dns.set({"TXT _dmarc.b.test": []})
        self.assertEqual(made["From"].addresses[0].addr_spec, self.list)
        self.assertEqual(made["Reply-To"], bob)
        self.post(ann, subject="Lax")
        made = parsed(self.newest(ann, 2))
        self.assertEqual(made["From"], ann)


class Refusing(Script):
    """Takes mail for nobody."""

    def rcpt(self, address):
        return "550 5.1.1 No such user"


class BounceTests(ListWorldTestCase):
    def test_a_member_whose_mail_bounces_is_probed_and_removed(self):
        self.command("set", "bounce_score=1")
        peer = self.world.peer(Refusing(), "gone.test")
        ann = self.user(self.world.a)
        self.command("subscribe", "--quiet", ann, "zoe@gone.test")
        self.post(ann, subject="Anybody there?")
        notes = self.arrived(self.world.a, self.owner, 2)
        subjects = [parsed(one)["Subject"] for one in notes]
        self.assertIn("was stopped", subjects[0])
        self.assertIn("cannot be reached", subjects[1])
        self.assertNotIn("zoe@gone.test", self.command("members"))
        self.assertIn("hard 5.1.1", self.command("bounces"))
        self.assertEqual(peer.script.messages, [])


class CrashTests(ListWorldTestCase):
    def test_a_killed_server_loses_no_post(self):
        peer = self.world.peer(Script(), f"{self.name}.test")
        ann = self.user(self.world.a)
        self.command("subscribe", "--quiet", f"zoe@{self.name}.test", ann)
        subjects = [f"Post {number}" for number in range(8)]
        for subject in subjects:
            self.post(ann, subject=subject)
        self.world.a.kill()
        self.world.a.start()

        def told():
            return {
                str(parsed(octets)["Subject"]) for _, octets in peer.script.messages
            }

        until(lambda: told() == set(subjects), self.told)
        until(lambda: self.command("archive").split()[1:] == ["8"], self.told)


class ConfiguredTests(DaemonTestCase):
    """A list that the configuration makes."""

    extra = (
        '[[mailing_list]]\naddress = "fixed@example.test"\nposting = "anyone"\n'
        'from_rewriting = "never"\nfooter = "Fixed."\n'
    )

    def test_it_serves_and_is_set_in_the_file_alone(self):
        ann, fixed = self.user(), "fixed@example.test"
        until(lambda: fixed in self.daemon.command("list", "show"))
        self.daemon.command("list", "subscribe", fixed, "--quiet", ann)
        ways_in.deliver(self.daemon, fixed, message(to=fixed))
        got = until(lambda: ways_in.messages(self.daemon, ann))
        self.assertIn("Fixed.", text_of(got[0]))
        with self.assertRaisesRegex(AssertionError, "in the configuration file"):
            self.daemon.command("list", "set", fixed, "footer=x")


class ArchiveTests(ListWorldTestCase):
    def test_members_read_the_archive_over_imap(self):
        ann, eve = self.user(self.world.a), self.user(self.world.a)
        self.command("subscribe", "--quiet", ann)
        self.post(ann, subject="For the record", body="A unicorn.\n")
        self.newest(ann, 1)
        folder = f"Shared/Lists/{self.list}"

        def shown(user):
            client = ways_in.imapclient(self.world.a, user)[0]
            try:
                names = [name for _, _, name in client.list_folders()]
                if folder not in names:
                    return None
                return client.select_folder(folder, readonly=True)[b"EXISTS"]
            finally:
                client.logout()

        until(lambda: shown(ann) == 1, self.told)
        self.assertIs(shown(eve), None)
        self.assertEqual(until(lambda: shown(self.owner)), 1)
        self.command("set", "archive_access=public")
        until(lambda: shown(eve) == 1, self.told)
        self.assertIn("For the record", self.command("archive", "--search=UNICORN"))
        self.assertRegex(self.command("archive"), r"\A\d{4}-\d\d  1\n\Z")
        target = self.world.folder / f"{self.name}.mbox"
        self.command("archive", f"--mbox={target}")
        self.assertIn(b"\nSubject: For the record\n", target.read_bytes())
