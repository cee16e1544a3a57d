"""Mail that other processes put into the queue that this one runs."""

from .rooms import DEAD, SENT, World
from .test_manager import ManagerTestCase


class Other(World):
    """A process that takes mail into the queue of `world`, and does not run it."""

    def __init__(self, world):
        self.folder, self.config, self.clock = world.folder, world.config, world.clock
        self.sent = 1000
        self.open_spool()


class OthersTests(ManagerTestCase):
    def other(self, world):
        other = Other(world)
        self.addCleanup(other.close)
        return other

    def test_mail_of_another_process_is_tried_as_soon_as_it_is_heard_of(self):
        world = self.world()
        name = self.other(world).queue()
        self.assertEqual(world.wire.ids, [])
        world.result(world.manager.heard([name, "gone"]))
        self.assertEqual(world.wire.ids, [name])
        world.result(world.manager.heard([name]))
        self.assertEqual((world.wire.ids, world.count()), ([name], 0))

    def test_mail_that_nobody_told_of_is_found_within_seconds(self):
        world = self.world()
        world.queue()
        world.advance(2.0, step=1.0)
        name = self.other(world).queue()
        world.advance(2.0, step=1.0)
        self.assertEqual(world.wire.ids, ["m1", name])

    def test_mail_of_others_does_not_end_the_pause_of_a_destination(self):
        world, names = self.world(), []
        other = self.other(world)
        world.wire.answer = lambda job: DEAD
        for _ in range(8):
            world.queue("a@x.test")
        before = len(world.wire.attempts)
        for _ in range(5):
            names.append(other.queue("b@x.test"))
            world.result(world.manager.heard(names[-1:]))
            world.advance(1.0, step=0.5)
        self.assertEqual(len(world.wire.attempts), before)
        world.wire.answer = lambda job: SENT
        world.result(other.spool.hurry(world.clock.seconds()))
        world.advance(2.0, step=0.5)
        self.assertEqual(len(world.wire.attempts), before + 8 + len(names))

    def test_what_is_heard_of_while_the_memory_is_full_comes_later(self):
        world = self.world()
        world.manager._loaded._most = 0
        name = self.other(world).queue()
        world.result(world.manager.heard([name]))
        self.assertEqual(world.wire.ids, [])
        world.manager._loaded._most = 10
        world.advance(2.0, step=1.0)
        self.assertEqual(world.wire.ids, [name])
