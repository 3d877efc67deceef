"""The subject itself: plain values and pure functions, without clock, input or output."""
