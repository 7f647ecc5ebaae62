"""Handwriting fonts as a second source of characters: forms that EMNIST's writers, all of one country, do not use."""
