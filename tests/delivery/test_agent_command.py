from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.delivery.agent_command import exit_fault, words

VALUES = {
    "SENDER": "eve@x.test",
    "RECIPIENT": "a b@y.test",
    "EXTENSION": "",
    "USER": "-f",
}


class WordsTests(SynchronousTestCase):
    def test_words(self):
        for command, expected, why in [
            ("/bin/x", ["/bin/x"], "a program"),
            ("/bin/x -a 'b c' \"d\"", ["/bin/x", "-a", "b c", "d"], "quotes"),
            ("exec /bin/x", ["/bin/x"], "exec is what happens anyway"),
            ("/bin/x $SENDER", ["/bin/x", "eve@x.test"], "a variable"),
            ("/bin/x ${recipient}", ["/bin/x", "a b@y.test"], "one word stays one"),
            ("/bin/x -f$(sender)", ["/bin/x", "-feve@x.test"], "inside of a word"),
            ('/bin/x "$EXTENSION"', ["/bin/x", ""], "an empty one"),
            ("/bin/x -o${user}", ["/bin/x", "-o-f"], "behind an option"),
            ("/bin/x '#user'", ["/bin/x", "#user"], "no comments"),
        ]:
            if "$(" in command:  # parentheses are for a shell
                self.assertRaises(ValueError, words, command, VALUES)
                continue
            self.assertEqual(words(command, VALUES), expected, why)

    def test_what_only_a_shell_could_do_is_told(self):
        for command, why in [
            ("/bin/x > /tmp/y", "redirection"),
            ("/bin/x | /bin/y", "a pipe"),
            ("/bin/x && /bin/y", "and"),
            ("/bin/x; /bin/y", "then"),
            ("/bin/x `id`", "a substitution"),
            ("/bin/x $(id)", "another"),
            ("IFS=' ' /bin/x", "a variable set"),
            ("x", "no absolute path"),
            ("", "nothing"),
            ("exec", "nothing to run"),
            ("/bin/x 'open", "an open quote"),
            ("/bin/x \0", "a control character"),
            ("/bin/x $unknown", "an unknown variable"),
            ("/bin/x $USER", "a value that looks like an option"),
        ]:
            with self.assertRaises(ValueError, msg=why):
                words(command, VALUES)

    @given(st.text(), st.text())
    def test_any_text_is_words_or_a_told_fault(self, command, value):
        for text in (command, f"/bin/x {command}", "/bin/x $A ${a}"):
            try:
                found = words(text, {"A": value})
            except ValueError:
                continue
            self.assertTrue(found[0].startswith("/"))
        if not value.startswith("-"):
            found = words("/bin/x $A ${a}", {"A": value})
            self.assertEqual(found, ["/bin/x", value, value])


class ExitTests(SynchronousTestCase):
    def test_what_an_exit_means(self):
        for status, output, code, public in [
            (67, b"", "5.1.1", "User unknown"),
            (75, b"later\n", "4.3.0", "Temporary failure: later"),
            (77, b"", "5.7.0", "Permission denied"),
            (1, b"oops", "5.3.0", "Command failed with status 1: oops"),
            (None, b"", "4.3.0", "Command was killed"),
            (1, b"4.2.2 Full\n", "4.2.2", "Full"),
            (69, b"5.7.1 No, never", "5.7.1", "No, never"),
            (1, b"a\r\nb\x00\xff", "5.3.0", "Command failed with status 1: a b"),
        ]:
            fault = exit_fault(status, output)
            self.assertEqual((fault.status, fault.public), (code, public))
        self.assertIsNone(exit_fault(0, b"all is well"))

    @given(st.none() | st.integers(1, 255), st.binary())
    def test_any_output_is_a_printable_line(self, status, output):
        fault = exit_fault(status, output)
        self.assertRegex(fault.status, r"\A[45]\.\d+\.\d+\Z")
        self.assertRegex(fault.public, r"\A[ -~]+\Z")
