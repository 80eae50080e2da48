# The process of a refund dies before it sends. The same call at another process waits for it, and is then a new try.
process A ship mail~
process B ship mail~
process C ship mail~
at 1s A open o1 page 1000 as p1
at 1m payer pays p1
at 5m A refund p1 400 as r1
on A commit reserve-refund #1: crash 30m after
at 5m30s B refund p1 400 as r1
calm at 1h
expect refunds p1 = 1
expect given-back o1 = 400
