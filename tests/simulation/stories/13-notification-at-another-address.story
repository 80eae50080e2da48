# A signed message about one payment, which names only the bank's reference, is sent to the address of another one.
process A ship mail~
process B ship mail~
process C ship mail~
at 1s A open o1 spage 1000 as p1
at 30s A open o2 spage 1000 as p2
on any bank create p2 #1: late 25s
on any note any p1 #1: drop
at 20s payer pays p1
at 40s bank notifies p1 paid at p2
calm at 2h
expect events o1 paid
expect events o2 expired
expect status p2 expired
