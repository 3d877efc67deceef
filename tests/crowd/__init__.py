"""Many clients of many processes: they play, and what they saw is held against the store."""
