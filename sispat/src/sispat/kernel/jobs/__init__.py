"""Work that is done later, in a process of its own (ADR 20).

Promises: whatever ends the process, the machine or the database, a job is done once or not at all, because that it is done
is written in the transaction that does it. How far it is, and why it failed, is a row that anybody can read.
"""
