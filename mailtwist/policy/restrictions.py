"""The words of `[restrictions]`, as checks in order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ..config.restricting import (
    Restriction,
    RestrictionClass,
    Restrictions,
    restriction_list,
)
from ..errors import MailError
from ..interfaces import ICheck, IResolver, IRouter, ITable
from . import access, faults, names
from .lists import Defers, Listed, WarnIfReject, later
from .model import Phase, Visit
from .orders import Orders
from .pipeline import Pipeline

Maker = Callable[[IResolver, IRouter], ICheck]
NOTHING_BEHIND: Mapping[Phase, Sequence[ICheck]] = {}
AccessMaker = Callable[[ITable, IResolver, access.Checks], ICheck]


def pipeline(
    config: Restrictions,
    *,
    resolver: IResolver,
    router: IRouter,
    tables: Mapping[str, ITable],
    classes: Sequence[RestrictionClass] = (),
    behind: Mapping[Phase, Sequence[ICheck]] = NOTHING_BEHIND,
) -> Pipeline:
    """The checks that the configuration names; its words were checked by `load`.

    Those of `behind` come last in their lists, if nothing permits before."""
    named = {one.name: one for one in classes}

    def check(one: Restriction) -> ICheck:
        """Raises ValueError for a word, a class or a table that is not there."""
        if one.table in tables:
            made = ACCESS[one.word](tables[one.table], resolver, checks)
        elif one.word in named:
            made = Listed(listed(named[one.word].checks))
        elif one.word in CHECKS:
            made = CHECKS[one.word](resolver, router)
        else:
            raise ValueError(one)
        return WarnIfReject(made) if one.warns else made

    def checks(some: Sequence[Restriction]) -> Sequence[ICheck]:
        return [check(one) for one in some]

    def listed(texts: Sequence[str]) -> Sequence[ICheck]:
        return [each for text in texts for each in checks(restriction_list(text))]

    return Pipeline(
        {
            phase: (*listed(getattr(config, phase.value)), *behind.get(phase, ()))
            for phase in Phase
        },
        delayed=config.delay_reject,
    )


def _allows(holds: Callable[[Visit], bool]) -> Maker:
    return lambda resolver, router: names.Allows(holds)


def _refuses(wrong: Callable[[Visit], bool], fault: Callable[[], MailError]) -> Maker:
    return lambda resolver, router: names.Says(wrong, fault)


CHECKS: dict[str, Maker] = {
    "permit": _allows(lambda visit: True),
    "permit_mynetworks": _allows(lambda visit: visit.trusted),
    "permit_sasl_authenticated": _allows(lambda visit: bool(visit.login)),
    "permit_inet_interfaces": _allows(lambda visit: visit.address == "local"),
    "reject": _refuses(lambda visit: True, faults.Refused),
    "defer": _refuses(lambda visit: True, faults.Deferred),
    "defer_if_permit": lambda resolver, router: Defers(Orders(defer_if_permit=later())),
    "defer_if_reject": lambda resolver, router: Defers(Orders(defer_if_reject=later())),
    "reject_plaintext_session": _refuses(lambda v: not v.tls, faults.TlsWanted),
    "reject_unauth_pipelining": _refuses(lambda v: v.impatient, faults.Impatient),
    "reject_unknown_client_hostname": (
        lambda resolver, router: names.ClientKnown(resolver, confirmed=True)
    ),
    "reject_unknown_reverse_client_hostname": (
        lambda resolver, router: names.ClientKnown(resolver, confirmed=False)
    ),
    "reject_invalid_helo_hostname": _refuses(names.helo_is_invalid, faults.HeloInvalid),
    "reject_non_fqdn_helo_hostname": _refuses(
        names.helo_is_not_full, faults.HeloNotFull
    ),
    "reject_unknown_helo_hostname": (
        lambda resolver, router: names.HeloKnown(resolver)
    ),
    "reject_non_fqdn_sender": _refuses(
        lambda visit: names.is_not_full(visit.sender), faults.SenderNotFull
    ),
    "reject_unknown_sender_domain": (
        lambda resolver, router: names.DomainKnown(
            resolver,
            router,
            lambda visit: visit.sender,
            faults.SenderUnknown,
            faults.SenderTakesNoMail,
        )
    ),
    "reject_unlisted_sender": lambda resolver, router: names.SenderListed(router),
    "reject_sender_login_mismatch": (
        lambda resolver, router: names.SenderListed(router, logged_in=True)
    ),
    "reject_non_fqdn_recipient": _refuses(
        lambda visit: names.is_not_full(visit.recipient), faults.RecipientNotFull
    ),
    "reject_unknown_recipient_domain": (
        lambda resolver, router: names.DomainKnown(
            resolver,
            router,
            lambda visit: visit.recipient,
            faults.RecipientUnknown,
            faults.RecipientTakesNoMail,
        )
    ),
}
ACCESS: dict[str, AccessMaker] = {
    "check_client_access": access.ClientAccess,
    "check_helo_access": lambda t, _, checks: access.Access(
        t, access.helo_keys, checks
    ),
    "check_sender_access": lambda t, _, checks: access.Access(
        t, access.sender_keys, checks
    ),
    "check_recipient_access": lambda t, _, checks: access.Access(
        t, access.recipient_keys, checks
    ),
}
