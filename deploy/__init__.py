"""Running Inkserve: `deploy.local` on this machine."""
