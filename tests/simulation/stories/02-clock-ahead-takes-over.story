# The clock of B is 130 s ahead, and nobody is paused for long: what A is about to send is not taken over.
process A ship mail~
process B ship mail~
process C ship mail~
at 1s A open o1 page 1000 as p1
at 1m payer pays p1
at 2m clock B +130s
at 5m A refund p1 1000 as r1
on A commit submit-refund p1 #1: pause 8s before
calm at 30m
expect call r1 succeeded
expect events o1 paid refunded
expect refunds p1 = 1
