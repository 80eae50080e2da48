# An opening is under way and slow; somebody looks at it from another process. Looking changes nothing.
process A ship mail~
process B ship mail~
process C ship mail~
at 1s C open o1 page 1000 as p1
on C bank create p1 #1: late 28s
at 5s A query p1
at 8s A query p1
calm at 1h
expect call p1 pending
expect events o1 expired
