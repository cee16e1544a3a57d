"""From an accepted envelope to durable files: routing, local delivery, verdicts.

The order is fixed (architecture D6): write to tmp/, make durable, rename, sync the
directory, answer.  A recipient's verdict is None when its copy is durable, else the
fault that says why it is not.
"""
