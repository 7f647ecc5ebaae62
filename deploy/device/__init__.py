"""A page that reads on the visitor's own device, without a server."""
