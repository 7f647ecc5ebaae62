"""Recognisers in other formats than ours, checked against torch, measured in one table, and a pruned one."""
