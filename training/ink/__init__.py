"""A network that finds ink on paper of every kind: the scenes that it learns from, its training, and what it finds.

In development: the recognisers are still served with the rules of `handwriting.preprocess`.
"""
