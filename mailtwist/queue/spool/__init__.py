"""The durable queue on disk: `queue.sqlite` and the files of large messages.

What `commit` and `settle` answered survives `kill -9` and a power cut: the database
writes through a log that is synced at each commit (WAL, synchronous=FULL), and all
calls that wait at that moment share one commit.  The octets of a small message lie in
the database, so that one sync makes it durable; a large one streams to a file of its
own, which is synced before its row is written.  A row is the truth: a file without one
is what a crash left, and is removed at the next start.
"""
