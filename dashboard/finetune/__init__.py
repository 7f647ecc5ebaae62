"""The Fine-tune page, and the backup of its drawings."""
