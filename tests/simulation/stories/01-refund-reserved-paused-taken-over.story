# A reserves a refund of the whole and is paused past the lease. B takes it for never sent and refunds anew. A wakes.
process A ship mail~
process B ship mail~
process C ship mail~
at 1s A open o1 page 1000 as p1
at 1m payer pays p1
at 5m A refund p1 1000 as r1
on A commit reserve-refund p1 #1: pause 10m after
at 10m B refund p1 1000 as r2
calm at 30m
expect given-back o1 = 1000
expect refunds p1 = 1
