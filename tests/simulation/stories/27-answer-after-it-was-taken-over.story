# A process has the answer to its refund and is paused. Another one takes the refund over. The answer is recorded all the same.
process A ship mail~
process B ship mail~
process C ship mail~
at 1s A open o1 spage 1000 as p1
at 1m payer pays p1
at 2m A refund p1 400 as r1
on A commit answer-refund #1: pause 10m before
calm at 1h
expect heard ship o1 refunded by 20m
