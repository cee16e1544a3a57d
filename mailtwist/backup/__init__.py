"""Backups: objects named by their octets, trees of names, and snapshots of both.

    TARGET/objects/ab/cdef...    octets by their SHA-256, written once
    TARGET/snapshots/ID.json     what there was at one moment: trees by digest
    TARGET/seen.sqlite           which file had which digest, so that only new ones are
                                 read; may be deleted

An object is durable before a tree names it, a tree before a snapshot does, and a
snapshot appears by one rename.  What a killed backup left is of use to the next one.
"""
