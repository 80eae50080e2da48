# The bank gives back 1000 where 600 were asked: what it says is counted, and listed.
process A ship mail~
process B ship mail~
process C ship mail~
at 1s A open o1 page 1000 as p1
at 1m payer pays p1
at 5m A refund p1 600 as r1
on any bank refund p1 #1: amount 1000
at 10m B refund p1 400 as r2
calm at 1h
expect given-back o1 = 1000
expect listed p1 amount-mismatch
expect refunds p1 = 1
