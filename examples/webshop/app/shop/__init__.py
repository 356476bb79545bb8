"""A small web shop that logs like a real one."""
