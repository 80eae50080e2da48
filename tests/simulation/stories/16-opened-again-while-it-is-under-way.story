# An opening is under way and slow; the same is opened at another process, which waits for the answer.
process A ship mail~
process B ship mail~
process C ship mail~
at 1s A open o1 page 1000 as p1
on A bank create p1 #1: late 10s
at 3s B open o1 page 1000 as p1
calm at 1h
expect call p1 pending
expect writes p1 = 1
