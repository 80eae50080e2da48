# A signed notification says paid, and whenever the bank is asked, it does not know the payment.
process A ship mail~
process B ship mail~
process C ship mail~
at 1s A open o1 page 1000 as p1
at 1m bank notifies p1 paid
on any bank query p1 #0: say notfound
calm at 2d23h
expect events o1 paid
expect listed p1
