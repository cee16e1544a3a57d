"""Tests for mailtwist.sieve.programs: scripts are compiled once."""

import os

from twisted.internet.defer import succeed
from twisted.trial.unittest import TestCase

from mailtwist.sieve import programs
from mailtwist.sieve.extensions import EXTENSIONS
from mailtwist.sieve.faults import ScriptError
from mailtwist.sieve.programs import Programs, ScriptFile


class ProgramTests(TestCase):
    def setUp(self):
        self.compiled = []
        compiling = programs.compiling

        def counted(octets, *rest):
            self.compiled.append(octets)
            return compiling(octets, *rest)

        self.patch(programs, "compiling", counted)
        self.programs = Programs(frozenset(EXTENSIONS), 1000, lambda: succeed(None))

    async def test_the_same_octets_are_compiled_once(self):
        first = await self.programs.program(b"keep;")
        self.assertIs(await self.programs.program(b"keep;"), first)
        self.assertIsNot(await self.programs.program(b"discard;"), first)
        self.assertEqual(self.compiled, [b"keep;", b"discard;"])

    async def test_so_are_those_that_are_wrong(self):
        for _ in range(2):
            with self.assertRaises(ScriptError) as wrong:
                await self.programs.program(b"nonsense;")
            self.assertEqual(len(wrong.exception.faults), 1)
        self.assertEqual(self.compiled, [b"nonsense;"])

    async def test_what_was_not_used_for_long_is_forgotten(self):
        self.patch(programs, "MOST_KEPT", 2)
        for script in (
            b"keep;",
            b"discard;",
            b"keep;",
            b"stop;",
            b"keep;",
            b"discard;",
        ):
            await self.programs.program(script)
        self.assertEqual(self.compiled, [b"keep;", b"discard;", b"stop;", b"discard;"])

    async def test_a_file_is_read_again_when_it_changed(self):
        path = os.path.abspath(self.mktemp())
        file = ScriptFile(path, self.programs)
        with self.assertRaisesRegex(ScriptError, "cannot be read"):
            await file.program()
        for text in ("keep;", "discard;", "discard; keep;"):
            with open(path, "w") as out:
                out.write(text)
            first = await file.program()
            self.assertIs(await file.program(), first)
        self.assertEqual(len(self.compiled), 3)
