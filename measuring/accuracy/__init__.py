"""How well a recogniser reads over HTTP: figures, pictures of them, and where they are kept."""
