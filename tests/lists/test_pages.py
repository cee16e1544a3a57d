from mailtwist.lists.links import token_for
from mailtwist.lists.pages import Request, answer

from .rooms import URL, now
from .samples import post
from .test_desk import ANN, OfficeTestCase, letter


class PageTests(OfficeTestCase):
    url = URL

    def ask(self, office, method, path, body=b""):
        return now(answer(Request(method, path, body), office.desk))

    def test_one_click_unsubscribes_and_looking_does_not(self):
        office = self.office()
        office.join(ANN)
        path = f"/u/{token_for(office.list, office.member(ANN))}"
        for method in ("GET", "HEAD"):
            self.assertEqual(self.ask(office, method, path).status, 200)
        self.assertEqual(office.members(), [ANN])
        made = self.ask(office, "POST", path, b"List-Unsubscribe=One-Click")
        self.assertEqual((made.status, office.members()), (200, []))
        self.assertEqual(self.ask(office, "POST", path).status, 404)

    def test_a_subscription_is_confirmed_by_the_link_in_the_mail(self):
        office = self.office()
        office.take("subscribe", letter())
        text = self.text(office.sent()[0])
        (link,) = (line.strip() for line in text.splitlines() if URL in line)
        path = link.removeprefix(URL)
        self.assertIn(b"<form", self.ask(office, "GET", path).body)
        self.assertEqual(office.members(), [])
        self.assertEqual(self.ask(office, "POST", path).status, 200)
        self.assertEqual(office.members(), [ANN])

    def test_a_moderator_decides(self):
        office = self.office(archive=False)
        office.join("bob@b.test")
        office.take("", post(subject="<b>Hi</b>"))
        token = self.reply_to(office.sent()[0]).partition("+")[2]
        shown = self.ask(office, "GET", f"/c/{token}").body
        self.assertIn(b"&lt;b&gt;Hi", shown)
        self.assertIn(b'value="reject"', shown)
        self.ask(office, "POST", f"/c/{token}", b"verdict=nonsense")
        self.assertEqual(office.sent(), [])
        self.ask(office, "POST", f"/c/{token}", b"verdict=accept")
        self.assertEqual(len(office.sent()), 1)

    def test_what_is_not_there(self):
        office = self.office()
        for method, path, status in (
            ("GET", "/", 404),
            ("GET", "/u/", 404),
            ("GET", "/x/abc", 404),
            ("GET", "/u/../../etc", 404),
            ("POST", f"/u/{'a' * 40}", 404),
            ("POST", f"/c/{'a' * 24}", 404),
            ("DELETE", f"/c/{'a' * 24}", 405),
        ):
            self.assertEqual(self.ask(office, method, path).status, status, path)
