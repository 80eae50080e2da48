# The refund succeeded at the bank, and the commit of its answer is refused once.
process A ship mail~
process B ship mail~
process C ship mail~
at 1s A open o1 page 1000 as p1
at 1m payer pays p1
at 5m A refund p1 1000 as r1
on A commit answer-refund p1 #1: refuse
calm at 30m
expect call r1 succeeded
expect given-back o1 = 1000
expect events o1 paid refunded
expect not-listed p1
