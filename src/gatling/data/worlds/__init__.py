"""The generator of benign runs: one TOML per domain, executed against a state."""
