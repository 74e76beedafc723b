"""Decisions: pure functions, plain values and frames in, frames out. No I/O, clock or environment."""
