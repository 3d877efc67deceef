"""Recordings of calls: what rtpengine wrote down, made into sound."""
