"""The Java agent in TorchServe's front end: sources, jar and build."""
