"""Which function answers which command."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from .. import types as t
from ..response import Answer
from ..session import Session
from ..types_events import CancelUpdate, Notify, UidBatches
from ..types_kept import (
    GetAcl,
    GetMetadata,
    GetQuota,
    GetQuotaRoot,
    ListRights,
    MyRights,
    SetAcl,
    SetMetadata,
    SetQuota,
)
from ..types_search import MultiSearch, Search, Sort, Thread
from ..types_urlauth import GenUrlAuth, ResetKey, UrlFetch
from . import (
    acl,
    auth,
    context,
    copy,
    expunge,
    fetch,
    idle,
    limit,
    list,
    mailboxes,
    metadata,
    multisearch,
    notify,
    quota,
    search,
    select,
    sort,
    store,
    urlauth,
)

# None: the command goes on, and another event ends it (IDLE).
Handler = Callable[[Session, Any], Awaitable[Answer | None]]

HANDLERS: dict[type[Any], Handler] = {
    t.Capability: auth.capability,
    t.Noop: auth.noop,
    t.Check: auth.noop,
    t.Logout: auth.logout,
    t.Id: auth.id_,
    t.StartTls: auth.start_tls,
    t.Login: auth.login,
    t.Authenticate: auth.authenticate,
    t.Enable: auth.enable,
    t.Compress: auth.compress,
    t.Unauthenticate: auth.unauthenticate,
    t.Create: mailboxes.create,
    t.Delete: mailboxes.delete,
    t.Rename: mailboxes.rename,
    t.Subscribe: mailboxes.subscribe,
    t.Unsubscribe: mailboxes.unsubscribe,
    t.Status: mailboxes.status,
    t.Namespace: mailboxes.namespace,
    GetQuota: quota.get_quota,
    GetQuotaRoot: quota.get_quota_root,
    SetQuota: quota.set_quota,
    GetMetadata: metadata.get_metadata,
    SetMetadata: metadata.set_metadata,
    SetAcl: acl.set_acl,
    GetAcl: acl.get_acl,
    ListRights: acl.list_rights,
    MyRights: acl.my_rights,
    t.List: list.list_,
    t.Lsub: list.lsub,
    t.Select: select.select,
    t.Examine: select.select,
    t.Close: select.close,
    t.Unselect: select.unselect,
    t.Expunge: expunge.expunge,
    Search: search.search,
    MultiSearch: multisearch.esearch,
    Sort: sort.sort,
    Thread: sort.thread,
    t.Fetch: fetch.fetch,
    t.Store: store.store,
    t.Copy: copy.copy,
    t.Move: copy.move,
    t.Idle: idle.idle,
    CancelUpdate: context.cancel_update,
    UidBatches: limit.uidbatches,
    Notify: notify.notify,
    GenUrlAuth: urlauth.gen_url_auth,
    UrlFetch: urlauth.url_fetch,
    ResetKey: urlauth.reset_key,
}
