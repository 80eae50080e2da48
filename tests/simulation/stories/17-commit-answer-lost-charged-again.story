# The answer to the commit that reserves a charge is lost; the caller charges again after the lease, with the same key.
process A ship mail~
process B ship mail~
process C ship mail~
at 1s A charge o1 north 1000 as p1 keyed
on A commit reserve p1 #1: lose
at 5m A charge o1 north 1000 as p1 keyed
calm at 1h
expect call p1 paid
expect debits o1 = 1
