//! The provider, through the real transport and over real sockets, against a gateway that was written without it.

mod cards;
mod payments;
mod world;
