"""What computes for the page: requests, processes that answer them, and a store of answers."""
