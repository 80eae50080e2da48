//! Golomt Bank Instore: SocialPay at the till.
