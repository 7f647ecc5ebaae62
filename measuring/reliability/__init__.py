"""What strangers do to a server: bad input, and whether it holds. Sees the server from outside, as loadtest does."""
