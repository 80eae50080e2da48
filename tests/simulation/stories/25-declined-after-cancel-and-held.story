# A payment is cancelled here, the page refuses a card, and takes another: the money is held, and somebody must be told.
process A ship mail~
process B ship mail~
process C ship mail~
at 1s A open o1 hold 1000 as p1
at 1m A cancel p1
at 2m payer declines p1
at 2m payer pays p1
at 3m payer pays p1
calm at 1h
expect status p1 authorized
