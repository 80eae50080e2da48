# The answer to the commit that reserves is lost, and the caller opens again: it is resumed.
process A ship mail~
process B ship mail~
process C ship mail~
at 1s A open o1 page 1000 as p1
on A commit reserve p1 #1: lose
at 10s A open o1 page 1000 as p1
calm at 1h
expect call p1 pending
expect writes p1 = 1
