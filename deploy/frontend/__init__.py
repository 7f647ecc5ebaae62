"""Java for TorchServe's front end, and how it is compiled."""
