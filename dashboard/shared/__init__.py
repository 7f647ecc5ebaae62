"""What several pages of the dashboard use."""
