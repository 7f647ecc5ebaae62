"""Load tests: users who behave as ours do, shapes of load, and what came of it."""
