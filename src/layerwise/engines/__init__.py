"""Engines: run the steps of training over batches of rows. They know rows and steps, not networks."""

from .reference import EpochTotals, ReferenceEngine, Source, one_thread

__all__ = ["EpochTotals", "ReferenceEngine", "Source", "one_thread"]
