# A payment is cancelled between the reservation of its write and its submission: it is not sent.
process A ship mail~
process B ship mail~
process C ship mail~
at 1s A open o1 page 1000 as p1
on A commit reserve p1 #1: pause 30s after
at 10s B cancel p1
calm at 30m
expect writes p1 = 0
expect status p1 canceled
