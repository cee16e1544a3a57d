"""Coroutines run to their first wait."""

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.eager import step


class StepTests(SynchronousTestCase):
    async def work(self, *waits):
        told = [await wait for wait in waits]
        if not told:
            return "done"
        return told

    def test_what_need_not_wait_is_done(self):
        self.assertEqual(step(self.work()), ("done", None))
        fired = Deferred()
        fired.callback(1)
        self.assertEqual(step(self.work(fired)), ([1], None))

    def test_a_fault_is_raised(self):
        fired = Deferred()
        fired.errback(ValueError("x"))
        self.assertRaises(ValueError, step, self.work(fired))

    def test_the_rest_goes_on_from_the_wait(self):
        first, second = Deferred(), Deferred()
        _, rest = step(self.work(first, second))
        going = Deferred.fromCoroutine(rest)
        first.callback(1)
        self.assertNoResult(going)
        second.callback(2)
        self.assertEqual(self.successResultOf(going), [1, 2])

    def test_a_fault_in_a_wait_comes_through(self):
        first = Deferred()
        going = Deferred.fromCoroutine(step(self.work(first))[1])
        first.errback(ValueError("x"))
        self.failureResultOf(going, ValueError)

    def test_cancelling_the_rest_cancels_the_wait(self):
        first = Deferred()
        going = Deferred.fromCoroutine(step(self.work(first))[1])
        going.cancel()
        self.assertTrue(first.called)
        self.failureResultOf(going, CancelledError)

    def test_what_is_never_awaited_is_closed(self):
        closed = []

        async def work():
            try:
                await Deferred()
            finally:
                closed.append(True)

        _, rest = step(work())
        waiting = rest.send(None)
        self.assertIsInstance(waiting, Deferred)
        rest.close()
        self.assertEqual(closed, [True])
