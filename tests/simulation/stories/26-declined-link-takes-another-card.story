# A link that nobody can be asked about refuses a card and takes another, and the second notification never comes.
process A ship mail~
process B ship mail~
process C ship mail~
at 1s A open o1 link 1000 as p1
at 2m payer declines p1
at 2m payer pays p1
at 3m payer pays p1
on any note any p1 #2: drop
calm at 1h
expect listed p1
