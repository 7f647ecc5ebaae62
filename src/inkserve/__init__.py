"""The client side of Inkserve."""
