# 1000 is held and 600 is captured, and the answer is lost: 600 is what is stored and told.
process A ship mail~
process B ship mail~
process C ship mail~
at 1s A open o1 hold 1000 as p1
at 1m payer pays p1
at 5m A capture p1 600 as c1
on A bank capture p1 #1: lose
at 1h B refund p1 600 as r1
calm at 2h
expect events o1 authorized paid refunded
expect event-amount o1 paid 600
expect stored-taken p1 600
expect given-back o1 = 600
