"""`[[source]]`: where accounts and passwords come from, in the order they are asked."""

from __future__ import annotations

from attrs import frozen

from .checks import ge, in_, some_of
from .option import option, required

SOURCE_KINDS = ("userdb", "system", "mysql", "ldap", "passwd_file", "saslauthd")
FILE_FORMATS = ("dovecot", "courier", "shadow")
LOGIN_PROTOCOLS = ("smtp", "submission", "lmtp", "pop3", "imap4", "manage_sieve", "web")


@frozen(kw_only=True)
class Source:
    """A source of accounts; without any the user database is the only one."""

    kind: str = required(
        "`userdb` (the embedded database), `system` (users of the machine, by PAM), "
        "`mysql`, `ldap`, `passwd_file`, or `saslauthd` (passwords only: accounts come "
        "from the other sources).",
        in_(SOURCE_KINDS),
    )
    name: str = option("", "Its name in logs; the kind if empty.")
    settings: str = option(
        "",
        "Of `mysql` and `ldap`: the TOML file with server, login and queries, readable "
        "by its owner only.",
        path=True,
    )
    path: str = option(
        "",
        "Of `passwd_file`: the file, reread when it changes. Of `saslauthd`: its "
        "socket; /run/saslauthd/mux if empty.",
        path=True,
    )
    format: str = option(
        "dovecot",
        "Of `passwd_file`: `dovecot` (passwd-file; a plain passwd file too), `courier` "
        "(the text of userdb) or `shadow`.",
        in_(FILE_FORMATS),
    )
    domains: tuple[str, ...] = option(
        (),
        "Only accounts of these domains are looked up here; of all local ones if "
        "empty.",
        texts=True,
    )
    protocols: tuple[str, ...] = option(
        (),
        "Only logins over these ask it; all if empty. Mail arrives for its accounts "
        "in any case.",
        some_of(LOGIN_PROTOCOLS),
        texts=True,
    )
    listeners: tuple[str, ...] = option(
        (),
        "Only logins at the listeners of these names ask it; all if empty.",
        texts=True,
    )
    logins: bool = option(True, "It checks passwords; off: it only has accounts.")
    names: str = option(
        "full",
        "How it calls its accounts: `full` (user@domain) or `local` (user alone; its "
        "accounts are of `domains`, the first where nobody says which).",
        in_(("full", "local")),
    )
    home: str = option(
        "",
        "Home of accounts for which it names none: `%u` local part, `%d` domain, `%s` "
        "both; a folder below `server.data` if empty.",
    )
    mailbox: str = option(
        "",
        "Mailbox of accounts for which it names none: relative to the home or "
        "absolute, with `%u`, `%d` and `%s`; a Maildir ends in `/`, others are mbox, "
        "or `mbox:FOLDER:INBOX=FILE`, or `maildir:FOLDER:INBOX=FILE` for a Maildir "
        "whose INBOX is an mbox (docs/mbox.md). "
        "`Maildir/` if empty. Postfix's home_mailbox and mail_spool_directory.",
    )
    least_uid: int = option(
        1000, "Accounts with their own uid below this are no accounts.", ge(1)
    )
    service: str = option(
        "mailtwist",
        "PAM service (a file in /etc/pam.d) of `system`, or the service told to "
        "`saslauthd`; `%p` in it is the protocol: `pop`, `imap`, `smtp`, `sieve`.",
    )
    timeout_s: float = option(
        10.0,
        "How long a login waits for an answer of this source; then it counts as down.",
        ge(0.1),
    )
    rest_s: float = option(
        5.0,
        "A source that is down is not asked again for this long, so that not each "
        "login waits for it.",
        ge(0),
    )
    cache_s: float = option(
        60.0,
        "How long a right password, and what is known of an account, counts without "
        "asking again; the password itself is not kept.",
        ge(0),
    )
    unknown_cache_s: float = option(
        5.0, "How long a wrong password and an unknown name count.", ge(0)
    )
    threads: int = option(
        4, "Questions at once, at most; of `mysql` and `ldap` connections.", ge(1)
    )

    @property
    def called(self) -> str:
        """Its name, wherever one is shown."""
        return self.name or self.kind


@frozen(kw_only=True)
class Master:
    """An account that may log in as others: `user*master`, with its own password."""

    account: str = required("Its name, `admin@example.org`.")
    domains: tuple[str, ...] = option(
        (), "Whose accounts it may log in as; none if empty.", texts=True
    )
    protocols: tuple[str, ...] = option(
        (), "Over which protocols; none if empty.", some_of(LOGIN_PROTOCOLS), texts=True
    )
