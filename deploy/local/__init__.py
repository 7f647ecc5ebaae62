"""Starts, watches and stops TorchServe and the dashboard on this machine: `make up`, `make down`, `make status`."""
