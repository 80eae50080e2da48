# A charge is debited and not final yet. The first question about it is answered wrongly: declined. It is asked once more.
database postgres
process A ship mail~
process B ship mail~
process C ship mail~
at 1m A charge o1 north 2400 as p1 keyed
on any bank charge p1 #1: not-final 9m
on any bank query p1 #1: say declined
on any note any #1: drop
calm at 1h15m
expect heard ship o1 paid by 15m
