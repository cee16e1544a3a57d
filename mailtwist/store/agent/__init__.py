"""Mail of accounts that have a uid of their own, by a process that has it too.

The server never takes a user's uid.  For each active one the root side starts an agent,
which runs the same MaildirStore with that user's rights and no others: links and
modes in a home mean to it what they mean to its owner.  `codec` and `frames` carry the
interfaces of mailboxes over a Unix socket, `served` is the agent's end, `remote` ours,
`agents` starts, counts and ends them, `store` is the IStore that sends each account to
where its mail is.

Invariants: what an agent answered is durable; requests in flight when it dies fail for
now, later ones start another; what it says is taken as a user's word and never trusted
with more than that user's session.
"""
