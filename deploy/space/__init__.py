"""A Hugging Face Space: the dashboard on one port, TorchServe beside it."""
