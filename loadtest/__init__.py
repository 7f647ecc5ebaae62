"""Load tests with Locust: users, load shapes, objectives, the comparison of batching, and the soak."""
