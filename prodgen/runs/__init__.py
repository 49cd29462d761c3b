"""Training runs that are queued: what is asked for, who works on it, and what the store keeps of it."""
