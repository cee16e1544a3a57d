"""The small process that keeps root when the server has given it up.

    server (unprivileged)  --- socket pair --->  keeper (root)
                                                   |- a child for each request

It reads nothing from the network.  It does three things and no others: `verify` a
password by PAM, start the `agent` of a uid, `open` one of the files that it was told of
when it started.  Each request is done by a forked child with a time limit, so that a
slow PAM module holds up nobody else, one that crashes takes nothing along, and a
password is gone from memory with the child that had it.

`server`, `tasks` and `packets` run in the keeper, with the standard library and the PAM
binding alone; `client` is the asking side, `process` starts it.  A server that is not
root starts the same program with its own rights when PAM is to be asked: one process
more, and the server itself neither loads PAM modules nor forks.

Invariants: passwords travel over the socket only; the keeper believes the server no
more than it must - it never starts anything for uid 0 or one below `least_uid`, never
checks their passwords, runs no other program than it was told of at its start; it ends
when its socket closes.
"""
