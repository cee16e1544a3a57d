"""Lists of rights that Courier left in its folders."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from mailtwist.store.maildir.courier_acl import FILE, rights_in

ANN = "Ann@example.test"
ALL, ADMINS = "aceilrstwx", "administrators aceilrstwx\n"


class CourierAclTests(SynchronousTestCase):
    def rights(self, text, owner=ANN):
        folder = Path(self.mktemp())
        folder.mkdir()
        if text is not None:
            octets = text if isinstance(text, bytes) else text.encode()
            (folder / FILE).write_bytes(octets)
        found = rights_in(str(folder), owner)
        return {one: "".join(sorted(held)) for one, held in found.items()}

    def test_what_they_mean_here(self):
        own, everything = f"owner {ALL}\n{ADMINS}", "aeiklprstwx"
        for text, more, why in [
            ("user=bob@x.test ilrstw\n", {"bob@x.test": "ilrstw"}, "a login"),
            ("user=Bob lr\n", {"bob@example.test": "lr"}, "without domain"),
            ("-user=bob@x.test w\n", {"-bob@x.test": "w"}, "taken away"),
            ("group=team lrc\n", {"$team": "klrx"}, "a group that may create"),
            ("anyone l\nanonymous r\n", {"anyone": "lr"}, "two words for it"),
            ("user=b\u00e9a@x.test lr\n", {"b\u00e9a@x.test": "lr"}, "UTF-8"),
            ("user=bob@x.test lr?z1\n", {"bob@x.test": "lr"}, "letters of others"),
        ]:
            self.assertEqual(self.rights(own + text), {ANN: everything, **more}, why)
        self.assertEqual(
            self.rights(f"owner alrsw\n{ADMINS}"), {ANN: "alrsw"}, "less for the owner"
        )
        kept = self.rights(f"user=ann@example.test lr\nuser=b@x.test l\n{ADMINS}")
        self.assertEqual(kept, {ANN: "alr", "b@x.test": "l"}, "the owner by name")
        of_nobody = self.rights(f"owner {ALL}\nuser=bob lr\n", owner="")
        self.assertEqual(of_nobody, {"": everything, "bob": "lr"}, "to be imported")

    def test_what_says_nothing(self):
        for text in (
            None,
            "",
            f"owner {ALL}\n{ADMINS}",
            f"{ADMINS}",
            "\n",
            "user= l\n",
        ):
            self.assertEqual(self.rights(text), {}, text)
        self.assertEqual(self.rights(b"user=\xff\xfe lr\n"), {})
        for odd in ("user=$team lr\n", "sender=x lr\n", "owner\n", "  \n"):
            self.assertEqual(self.rights(f"owner {ALL}\n{odd}"), {}, odd)
