"""Tests for mailtwist.directory.ldap_fields."""

from twisted.trial.unittest import SynchronousTestCase

from mailtwist.directory.ldap_fields import mapped


class MappedTests(SynchronousTestCase):
    def texts(self, lines, **values):
        made = mapped(["name=mail", *lines])
        return made.texts({"mail": ["ann@x.test"], **values})

    def test_values_become_texts(self):
        for line, values, text, why in [
            ("home=homeDirectory", ["/home/ann"], "/home/ann", "as it is"),
            ("home=homeDirectory", [], None, "no value is no text"),
            ("home=homeDirectory", [""], None, "nor is an empty one"),
            ("uses=mailUse", ["imap4", "pop3"], "imap4,pop3", "a list"),
            ("enabled=userAccountControl", ["512"], "yes", "a normal account"),
            ("enabled=userAccountControl", ["514"], "no", "ACCOUNTDISABLE"),
            ("enabled=userAccountControl", ["66050"], "no", "among other bits"),
            ("enabled=nsAccountLock", ["TRUE"], "no", "of 389 Directory Server"),
            ("enabled=nsAccountLock", ["false"], "yes", "not locked"),
            ("enabled=pwdAccountLockedTime", ["2026Z"], "no", "of ppolicy"),
            ("login_until_s=accountExpires", ["0"], None, "never"),
            ("login_until_s=accountExpires", [str(2**63 - 1)], None, "never, too"),
            ("login_until_s=accountExpires", ["116444736010000000"], "1", "1970"),
            ("login_until_s=shadowExpire", ["2"], "172800", "days"),
            ("login_until_s=shadowExpire", ["-1"], None, "never"),
            (
                "send_as=proxyAddresses",
                ["SMTP:a@x.test", "smtp:b@x.test", "X400:c=us"],
                "a@x.test,b@x.test",
                "mail addresses only",
            ),
            (
                "senders=publicDelegates",
                ["ann@x.test", "$team"],
                "ann@x.test,$team",
                "who else may send from the address",
            ),
            (
                "groups=memberOf",
                ["CN=Mail Team,OU=groups,DC=x", "cn=a\\,b,dc=x", "sales"],
                "Mail-Team,sales",
                "common names, but those that cannot be told",
            ),
        ]:
            field, _, attribute = line.partition("=")
            texts = self.texts([line], **{attribute.lower(): values})
            self.assertEqual(texts.get(field), text, why)

    def test_several_attributes_for_one_field(self):
        lines = ["enabled=a", "enabled=userAccountControl", "login_until_s=b"]
        lines += ["login_until_s=c", "send_as=d", "send_as=e"]
        texts = self.texts(
            lines,
            a=["yes"],
            useraccountcontrol=["2"],
            b=["10"],
            c=["9"],
            d=["x@x.test"],
            e=["y@x.test"],
        )
        self.assertEqual(texts["enabled"], "no", "whoever says no is right")
        self.assertEqual(texts["login_until_s"], "9", "the earlier end")
        self.assertEqual(texts["send_as"], "x@x.test,y@x.test")

    def test_what_cannot_be_meant(self):
        for line, values, why in [
            ("enabled=userAccountControl", ["x"], "no number"),
            ("home=homeDirectory", ["/a", "/b"], "two homes"),
            ("password=userPassword", ["{PLAIN}a", "{PLAIN}b"], "two passwords"),
        ]:
            attribute = line.partition("=")[2].lower()
            with self.assertRaises(ValueError, msg=why) as caught:
                self.texts([line], **{attribute: values})
            self.assertNotIn("PLAIN", str(caught.exception))

    def test_lines_that_are_none(self):
        for lines, why in [
            (["home"], "no attribute"),
            (["home="], "an empty one"),
            (["shoe=size", "name=mail"], "no field of ours"),
            (["home=homeDirectory"], "nothing tells the name"),
        ]:
            with self.assertRaises(ValueError, msg=why):
                mapped(lines)

    def test_a_password_that_is_not_needed_is_not_read(self):
        lines = ["name=mail", "password=userPassword", "home=mail"]
        self.assertEqual(mapped(lines, without=["password"]).attributes, ("mail",))
