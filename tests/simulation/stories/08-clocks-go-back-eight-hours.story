# The machine's clock goes back eight hours: nothing stands still.
database sqlite
process A ship mail~
process B ship mail~
process C ship mail~
at 1s A open o1 page 1000 as p1
at 1s A open o2 page 1000 as p2
at 2m clock A -8h
at 2m clock B -8h
at 2m clock C -8h
at 3m payer pays p1
on any note any p1 #1: drop
at 5m C open o3 page 500 as p3
at 6m payer pays p3
at 10m B refund p3 500 as r3
calm at 4h
expect heard ship o1 paid by 45m
expect heard ship o3 paid by 7m
expect heard ship o3 refunded by 11m
# It was opened before, so it ends as much later as the clock went back.
expect heard ship o2 expired by 10h
