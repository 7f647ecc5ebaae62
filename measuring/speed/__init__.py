"""Speed: Inkserve against other servers, batch settings, bulk requests, cost of metrics, memory."""
