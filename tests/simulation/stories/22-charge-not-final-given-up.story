# A charge is debited and answered "not final yet". It is not given up before the bank says what became of it.
process A ship mail~
process B ship mail~
process C ship mail~
at 1s A charge o1 north 1000 as p1
on any bank charge p1 #1: not-final 10m
at 2m A cancel p1
at 3m A open o1 page 1000 as p2
at 4m payer pays p2
calm at 1h
expect debits o1 = 1
expect events o1 paid
