"""The verdict once more: over what the coordinator kept of a rollout, or over plain log files."""
