"""Trains the network that finds ink on paper of every kind: the scenes that it learns from, and its training."""
