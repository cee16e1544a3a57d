"""The words of `[restrictions]`, as checks in order."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..config.restricting import Restrictions, word_and_table
from ..errors import MailError
from ..interfaces import ICheck, IResolver, IRouter, ITable
from . import access, faults, names
from .model import Phase, Visit
from .pipeline import Pipeline

Maker = Callable[[IResolver, IRouter], ICheck]


def pipeline(
    config: Restrictions,
    *,
    resolver: IResolver,
    router: IRouter,
    tables: Mapping[str, ITable],
) -> Pipeline:
    """The checks that the configuration names; its words were checked by `load`."""

    def check(text: str) -> ICheck:
        word, table = word_and_table(text)
        if table:
            return ACCESS[word](tables[table], resolver)
        return CHECKS[word](resolver, router)

    return Pipeline(
        {
            phase: [check(text) for text in getattr(config, phase.value)]
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
            lambda visit: visit.recipient,
            faults.RecipientUnknown,
            faults.RecipientTakesNoMail,
        )
    ),
}
ACCESS: dict[str, Callable[[ITable, IResolver], ICheck]] = {
    "check_client_access": access.ClientAccess,
    "check_helo_access": lambda table, _: access.Access(table, access.helo_keys),
    "check_sender_access": lambda table, _: access.Access(table, access.sender_keys),
    "check_recipient_access": (
        lambda table, _: access.Access(table, access.recipient_keys)
    ),
}
