# Another amount is paid. A person takes it off the list when the questions have ended: it stays, until somebody decides.
process A ship mail~
process B ship mail~
process C ship mail~
at 1s A open o1 page 1000 as p1
at 1m payer pays p1 600
calm at 30m
at 9d A resolve p1
end at 10d
expect listed p1 amount-mismatch
