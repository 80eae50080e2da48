# A handler never returns: it is called once at a time, again after its time limit, and the process stops when asked.
process A ship mail~
at 1s A open o1 page 1000 as p1
at 1m payer pays p1
on any handler ship #1: hang
on any handler ship #1: hang
at 2h stop A 10m
calm at 4h
expect concurrent ship <= 1
expect stopped A by 2h5m
expect heard ship o1 paid by 1d
expect heard mail~ o1 paid by 5m
