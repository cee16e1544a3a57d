from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.errors import BadParameter, SyntaxFault, UnknownEvent
from mailtwist.imap4 import types as t
from mailtwist.imap4.types_events import (
    EventGroup,
    MailboxFilter,
    Notify,
    NotifyEvent,
)

from ..talk import asked, asked_or_refused

NEW, GONE = NotifyEvent.MESSAGE_NEW, NotifyEvent.MESSAGE_EXPUNGE
METADATA = frozenset(
    {NotifyEvent.MAILBOX_METADATA_CHANGE, NotifyEvent.SERVER_METADATA_CHANGE}
)
FLAGS, NAME = NotifyEvent.FLAG_CHANGE, NotifyEvent.MAILBOX_NAME
BOTH = frozenset({NEW, GONE})
ALL = BOTH | {FLAGS}
NOTHING = frozenset()
F = MailboxFilter


class NotifyTests(SynchronousTestCase):
    def test_commands(self):
        cases = (
            (b"NOTIFY NONE", Notify()),
            (b"notify none", Notify()),
            (
                b"NOTIFY SET (selected (MessageNew MessageExpunge))",
                Notify((EventGroup(F.SELECTED, BOTH),)),
            ),
            (
                b"NOTIFY SET STATUS (SELECTED-DELAYED (MessageNew (UID FLAGS UID)"
                b" MessageExpunge FlagChange)) (personal (MailboxName))",
                Notify(
                    (
                        EventGroup(
                            F.SELECTED_DELAYED,
                            ALL,
                            (),
                            (t.FetchUid(), t.FetchFlags()),
                        ),
                        EventGroup(F.PERSONAL, frozenset({NAME})),
                    ),
                    status=True,
                ),
            ),
            (
                b"NOTIFY SET (personal (MAILBOXMETADATACHANGE servermetadatachange))",
                Notify((EventGroup(F.PERSONAL, METADATA),)),
            ),
            (
                b"NOTIFY SET (mailboxes (inbox Lists/a) (MailboxName))",
                Notify(
                    (
                        EventGroup(
                            F.MAILBOXES,
                            frozenset({NAME}),
                            (("INBOX",), ("Lists", "a")),
                        ),
                    )
                ),
            ),
            (
                b"NOTIFY SET (subtree Lists NONE) (subscribed NONE)",
                Notify(
                    (
                        EventGroup(F.SUBTREE, NOTHING, (("Lists",),)),
                        EventGroup(F.SUBSCRIBED, NOTHING),
                    )
                ),
            ),
            (
                b"NOTIFY SET (inboxes MessageNew MessageExpunge)",
                Notify((EventGroup(F.INBOXES, BOTH),)),
            ),
            (
                b"NOTIFY SET (mailboxes (x// a*b) (MailboxName))",
                Notify((EventGroup(F.MAILBOXES, frozenset({NAME}), (("a*b",),)),)),
            ),
        )
        for line, wanted in cases[:-1]:
            self.assertEqual(asked(line), wanted, line)
        quoted = cases[-1][0].replace(b"a*b", b'"a*b"')
        self.assertEqual(asked(quoted), cases[-1][1], "no mailbox is named x//")

    def test_what_is_refused_and_how(self):
        for line, fault, why in (
            (b"NOTIFY", SyntaxFault, "nothing is said"),
            (b"NOTIFY ALL", BadParameter, "neither SET nor NONE"),
            (b"NOTIFY SET", SyntaxFault, "no group"),
            (b"NOTIFY SET STATUS", SyntaxFault, "no group"),
            (b"NOTIFY SET STATE (personal NONE)", BadParameter, "no STATUS"),
            (b"NOTIFY SET (nobody NONE)", BadParameter, "no filter"),
            (b"NOTIFY SET (personal ())", SyntaxFault, "no event"),
            (b"NOTIFY SET (personal (MessageNew))", BadParameter, "§5: both"),
            (b"NOTIFY SET (personal (MessageExpunge))", BadParameter, "§5: both"),
            (b"NOTIFY SET (personal (FlagChange))", BadParameter, "§5: all three"),
            (b"NOTIFY SET (selected (MailboxName))", BadParameter, "§6.1"),
            (b"NOTIFY SET (selected (MailboxMetadataChange))", BadParameter, "§6.1"),
            (
                b"NOTIFY SET (selected NONE) (selected-delayed NONE)",
                BadParameter,
                "§6.1: one of them",
            ),
            (
                b"NOTIFY SET (personal (MessageNew (UID) MessageExpunge))",
                BadParameter,
                "§8: attributes are of the selected mailbox",
            ),
            (b"NOTIFY SET (personal (AnnotationChange))", UnknownEvent, "§3.1: NO"),
            (b"NOTIFY SET (personal (X-New MailboxName))", UnknownEvent, "§3.1: NO"),
            (b"NOTIFY SET (personal (X-New) (", SyntaxFault, "syntax comes first"),
        ):
            self.assertRaises(fault, asked, line)
            self.assertTrue(why)

    @given(
        st.booleans(),
        st.lists(
            st.tuples(
                st.sampled_from([f for f in F if f not in (F.SELECTED,)]),
                st.sampled_from([NOTHING, BOTH, ALL, METADATA]),
                st.lists(
                    st.text("abz ", min_size=1).map(lambda name: (name,)),
                    min_size=1,
                    max_size=3,
                    unique=True,
                ),
            ),
            min_size=1,
            max_size=4,
            unique_by=lambda one: one[0],
        ),
    )
    def test_what_is_written_is_read(self, status, groups):
        wanted, written = [], []
        for which, events, paths in groups:
            if which is F.SELECTED_DELAYED:
                events &= ALL
            named = which in (F.SUBTREE, F.MAILBOXES)
            wanted.append(EventGroup(which, events, tuple(paths) if named else ()))
            names = " ".join(f'"{path[0]}"' for path in paths)
            told = " ".join(event.value for event in sorted(events, key=str))
            written.append(
                f"({which.value}{f' ({names})' if named else ''}"
                f" {f'({told})' if told else 'NONE'})"
            )
        line = f"NOTIFY SET{' STATUS' if status else ''} {' '.join(written)}"
        self.assertEqual(asked(line.encode()), Notify(tuple(wanted), status))

    @given(st.text('()SETNO stauselcd MgFlnCh"{}1', max_size=40))
    def test_anything_else_is_a_fault(self, rest):
        found = asked_or_refused(b"NOTIFY " + rest.encode())
        self.assertTrue(found is None or isinstance(found, Notify))
