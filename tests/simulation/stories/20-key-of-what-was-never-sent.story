# The first try of a refund was never sent: its key is free, and the second try is made.
process A ship mail~
process B ship mail~
process C ship mail~
at 1s A open o1 page 1000 as p1
at 1m payer pays p1
at 5m A refund p1 1000 as r1
on any send refund p1 #1: never-sent
on any send refund p1 #1: never-sent
on any send refund p1 #1: never-sent
at 10m B refund p1 1000 as r1
calm at 1h
expect call r1 succeeded
expect given-back o1 = 1000
expect refunds p1 = 1
