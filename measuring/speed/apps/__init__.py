"""The same recogniser behind other servers, set up as their makers advise: two processes of one thread, batches."""
