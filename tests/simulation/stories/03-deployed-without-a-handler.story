# While the order is paid, the only process that runs has no handler ship. It hears when it is there again.
process A ship mail~
process B mail~
at 1s A open o1 page 1000 as p1
at 30s stop A 10s
at 1m payer pays p1
at 10m start A ship mail~
calm at 1h
expect heard ship o1 paid by 15m
expect heard mail~ o1 paid by 5m
