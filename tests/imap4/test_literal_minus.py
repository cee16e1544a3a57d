"""LITERAL- (RFC 7888 §5): large literals wait for the server, small ones do not."""

from twisted.trial.unittest import SynchronousTestCase

from mailtwist.imap4.framer import MOST_UNASKED

from .room import HELLO, Room, small

LARGE = HELLO + b"x" * 5000
REFUSED = b"BAD [TOOBIG] A literal above 4096 octets must wait for the server"


class LiteralMinusTests(SynchronousTestCase):
    def setUp(self):
        self.client = Room(small(literal_minus=True)).login()
        self.client.hear()

    def test_one_of_both_is_told(self):
        (told,) = self.client.ask("CAPABILITY")[:-1]
        self.assertIn(b" LITERAL- ", told)
        self.assertNotIn(b"LITERAL+", told)
        other = Room().login()
        other.hear()
        self.assertNotIn(b"LITERAL-", other.ask("CAPABILITY")[0])

    def test_a_small_one_need_not_wait(self):
        message = HELLO + b"x" * (MOST_UNASKED - len(HELLO))
        self.assertTrue(self.client.append(message)[-1].startswith(b"OK "))

    def test_a_large_one_is_swallowed_and_refused_and_the_next_command_works(self):
        self.assertEqual(self.client.append(LARGE), [REFUSED])
        many = b"y" * (MOST_UNASKED + 1)
        command = b"SELECT {%d+}\r\n%b" % (len(many), many)
        self.assertEqual(self.client.ask(command), [REFUSED])
        self.assertEqual(self.client.ask("NOOP"), [b"OK NOOP completed"])

    def test_a_large_second_message_of_one_append_is_refused_with_the_first(self):
        self.client.send(
            b"a APPEND INBOX {%d+}\r\n%b {%d+}\r\n%b\r\nb STATUS INBOX (MESSAGES)\r\n"
            % (len(HELLO), HELLO, len(LARGE), LARGE)
        )
        self.assertEqual(
            self.client.hear(),
            [b"a " + REFUSED, b"* STATUS INBOX (MESSAGES 0)", b"b OK STATUS completed"],
        )

    def test_a_large_one_that_waits_is_taken(self):
        self.client.send(b"a APPEND INBOX {%d}\r\n" % len(LARGE))
        self.assertTrue(self.client.hear()[0].startswith(b"+ "))
        self.client.send(LARGE + b"\r\n")
        self.assertTrue(self.client.hear()[-1].startswith(b"a OK "))
