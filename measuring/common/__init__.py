"""What all measurements share: a temporary server, pictures to send, load, charts and pages of results."""
