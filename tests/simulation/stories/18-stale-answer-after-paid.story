# The first card is declined, and the payer pays with another. An answer that was given between the two arrives late.
process A ship mail~
process B ship mail~
process C ship mail~
at 1s A open o1 page 1000 as p1
at 30s payer declines p1
at 30s payer pays p1
at 59s B query p1
on B bank query p1 #1: late 20s
at 1m payer pays p1
calm at 1h
expect status p1 paid
expect events o1 declined paid
expect not-listed p1
