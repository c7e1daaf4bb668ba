"""The audit as users run it: sessions, batches, verdicts and their rendering."""
