"""Tests for mailtwist.store.maildir.command: programs that do what they should not."""

import os
import sys
from pathlib import Path

from attrs import evolve
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from mailtwist.store.maildir.command import Bounds, Command

BOUNDS = Bounds(timeout_s=20.0, cpu_s=5, memory_octets=256 << 20, output_octets=100_000)


def running():
    """(pid, process group) of all processes that have not ended."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if fields[0] not in "ZX":
            yield int(path.parent.name), int(fields[2])


class CommandTests(TestCase):
    timeout = 60

    async def run_it(self, *words, octets=b"", **bounds):
        command = Command(reactor, evolve(BOUNDS, **bounds))
        command.start(words, octets)
        return await command.ended

    def python(self, source, **how):
        return self.run_it(sys.executable, "-c", source, **how)

    def shell(self, script, **how):
        return self.run_it("sh", "-c", script, **how)

    async def gone(self, numbers):
        """Wait until no such process or group is left: a signal takes its time."""
        for _ in range(500):
            left = [one for one in running() if not numbers.isdisjoint(one)]
            if not left:
                return
            await deferLater(reactor, 0.01, lambda: None)
        self.fail(f"{left} go on")

    async def test_its_output_is_what_it_makes_of_its_input(self):
        for octets in (b"", b"x", bytes(range(256)) * 300):
            made = await self.run_it("cat", octets=octets)
            self.assertEqual((made.output, made.fault), (octets, ""))

    async def test_it_can_move_about_in_its_input(self):
        made = await self.run_it("tail", "-c", "3", "/dev/stdin", octets=b"abcdef")
        self.assertEqual((made.output, made.fault), (b"def", ""))

    async def test_one_that_reads_nothing(self):
        made = await self.run_it("echo", "done", octets=b"x" * 1_000_000)
        self.assertEqual((made.output, made.fault), (b"done\n", ""))

    async def test_no_word_goes_through_a_shell(self):
        words = ("$HOME", "`id`", "a b", "; exit 1", "*")
        made = await self.run_it("printf", "%s|", *words)
        self.assertEqual(made.output.decode(), "".join(f"{one}|" for one in words))

    async def test_nothing_of_ours_is_in_its_environment_or_open(self):
        os.environ["A_SECRET"] = "x"
        self.addCleanup(os.environ.pop, "A_SECRET")
        made = await self.run_it("env")
        names = {line.partition("=")[0] for line in made.output.decode().split()}
        self.assertEqual(names - {"LC_CTYPE"}, {"PATH", "LANG", "HOME"})
        made = await self.shell("pwd; umask; ls /proc/$$/fd")
        told = made.output.decode().split()
        self.assertEqual(told[:2], ["/", "0077"])
        self.assertLessEqual(set(told[2:]), {"0", "1", "2", "10"})

    async def test_how_it_fails(self):
        for script, want in [
            ("echo some; exit 3", "it ended with status 3"),
            ("echo no  good >&2; exit 1", "it ended with status 1: no good"),
            ("kill -SEGV $$", "it was ended by signal 11"),
            (
                "yes | head -c 100000 >&2; exit 2",
                "it ended with status 2:" + " y" * 100,
            ),
        ]:
            made = await self.shell(script)
            self.assertEqual(made.fault, want, script)

    async def test_a_program_that_is_not_there(self):
        made = await self.run_it("no-such-program-anywhere")
        self.assertIn("status 127: no-such-program-anywhere: No such", made.fault)

    async def test_one_that_hangs_is_killed_with_all_it_started(self):
        script = "sleep 1000 & echo $!; sleep 1000 & echo $!; trap '' TERM; wait"
        made = await self.shell(script, timeout_s=0.5)
        self.assertEqual(made.fault, "it took longer than 0.5 s")
        self.assertTrue(made.late)
        pids = set(map(int, made.output.split()))
        self.assertEqual(len(pids), 2)
        await self.gone(pids)

    async def test_what_it_leaves_running_is_killed(self):
        made = await self.shell("sleep 1000 & echo $!")
        self.assertEqual(made.fault, "")
        await self.gone({int(made.output)})

    async def test_one_that_left_its_group_is_not_waited_for(self):
        since = reactor.seconds()
        made = await self.shell("setsid sleep 6 & echo done")
        self.assertEqual((made.output, made.fault), (b"done\n", ""))
        self.assertLess(reactor.seconds() - since, 5)

    async def test_of_a_flood_the_beginning_is_kept(self):
        made = await self.run_it("yes")
        self.assertEqual(made.output, b"y\n" * 50_000)
        self.assertEqual((made.fault, made.late), ("", False))

    async def test_memory(self):
        made = await self.python("x = bytearray(1 << 30)")
        self.assertIn("MemoryError", made.fault)

    async def test_processor_time(self):
        made = await self.python("while True: pass", cpu_s=1)
        self.assertRegex(made.fault, r"it was ended by signal (9|24)")

    async def test_a_file_without_end(self):
        path = os.path.abspath(self.mktemp())
        made = await self.shell(f"yes > {path}")
        self.assertTrue(made.fault)
        self.assertLessEqual(os.path.getsize(path), 64 << 20)

    async def test_one_that_forks_without_end_is_ended(self):
        made = await self.shell("f() { f | f & }; f; echo $$; sleep 1000", timeout_s=1)
        self.assertTrue(made.late)
        await self.gone({int(made.output.split()[0])})

    async def test_one_that_is_killed_before_it_began(self):
        command = Command(reactor, BOUNDS)
        command.start(("sleep", "1000"), b"")
        command.kill("enough")
        made = await command.ended
        self.assertEqual(made.fault, "enough")
