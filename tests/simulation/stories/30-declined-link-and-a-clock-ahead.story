# The clock of the machine is hours ahead when a link refuses a card. It then takes another, and only the refusal is notified.
schedule even
database sqlite
process A ship mail~
process B ship mail~
process C ship mail~
calm at 1h15m
end at 1d7h15m
at 6m20s85ms842us B open q11 link 1200 as p2
at 6m31s778ms584us clock B +7h21m7s624ms
at 6m40s577ms958us clock A +1m52s18ms
at 8m20s85ms841us payer declines p2
at 8m20s85ms842us payer pays p2
at 9m20s85ms842us payer pays p2
on any note any p2 #2: drop
expect listed p2
