"""A release as a data set that others' tools open: its tables, cards and descriptions."""
