"""Teaches the network of `handwriting.preprocess.ink` what is ink: scenes on paper of every kind, and its training."""
