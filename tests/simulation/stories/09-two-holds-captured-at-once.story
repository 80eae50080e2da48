# Two attempts of one order hold money, and both are captured at once: one capture is refused before it is sent.
process A ship mail~
process B ship mail~
process C ship mail~
at 1s A open o1 hold 1000 as p1
at 1m A cancel p1
at 2m A open o1 hold 1000 as p2
at 3m payer pays p1
at 3m payer pays p2
at 10m A capture p1 as c1
at 10m B capture p2 as c2
calm at 30m
expect debits o1 = 1
expect charges o1 = 1
