# Another amount is paid than was asked for: questions and history are bounded, and it is listed.
process A ship mail~
process B ship mail~
process C ship mail~
at 1s A open o1 page 1000 as p1
at 1m payer pays p1 600
calm at 30m
end at 10d
expect questions p1 <= 60
expect history p1 <= 60
expect listed p1 amount-mismatch
