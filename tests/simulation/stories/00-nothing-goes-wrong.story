# The ways through an order, with nothing going wrong.
process A ship mail~
process B ship mail~
process C ship mail~
at 1s A open o1 page 1000 as p1
at 1m payer pays p1
at 5m B refund p1 400 as r1
at 6m C refund p1 600 as r2
at 1s B open o2 hold 2000 as p2
at 1m payer pays p2
at 5m C capture p2 1500 as c2
at 2s C charge o3 north 700 as p3
at 2s C open o4 spage 900 as p4
at 1m payer pays p4
at 3s A open o5 shold 900 as p5
at 1m payer pays p5
at 4m A void p5 as v5
at 3s A charge o6 south 800 as p6
at 3s B open o7 link 500 as p7
at 1m payer pays p7
at 3s B open o8 page 500 as p8
at 3s C open o9 spage 500 as p9
at 1m C cancel p9
calm at 10m
end at 3d
expect events o1 paid refunded refunded
expect events o2 authorized paid
expect event-amount o2 paid 1500
expect stored-taken p2 1500
expect events o3 paid
expect events o4 paid
expect events o5 authorized canceled
expect events o6 paid
expect events o7 paid
expect events o8 expired
expect events o9 canceled
expect taken o2 = 1500
expect given-back o1 = 1000
expect call r1 succeeded
expect heard ship o1 paid by 2m
expect heard mail~ o6 paid by 1m
expect not-listed p1
