//! The providers' own side of the wire, with pages, faults and explanations.
