"""The same recogniser behind other servers, as its makers advise: two processes of one thread, and batches."""
