# A reserves a charge and is paused past the lease. B takes it for never sent, and the order is charged anew. A wakes.
process A ship mail~
process B ship mail~
process C ship mail~
at 1s A charge o1 north 1000 as p1 keyed
on A commit reserve p1 #1: pause 10m after
at 5m B charge o1 north 1000 as p2 keyed
calm at 30m
expect debits o1 = 1
expect events o1 canceled paid
