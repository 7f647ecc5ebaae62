"""Starts and stops TorchServe, the metrics page and the dashboard on this machine: `make up`, `make down`."""
