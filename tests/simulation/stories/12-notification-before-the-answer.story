# A genuine notification names only the bank's reference, and comes before the answer to the charge, which says pending.
process A ship mail~
process B ship mail~
process C ship mail~
at 1s A charge o1 west 1000 as p1
on any bank charge p1 #1: say pending
on any bank charge p1 #1: early
calm at 30m
expect events o1 paid
expect heard ship o1 paid by 20s
expect not-listed p1
