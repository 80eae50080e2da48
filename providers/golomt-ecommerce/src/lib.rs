//! Golomt Bank E-Commerce for Tulbur: hosted card page, SocialPay page, card tokens, settlement list.
