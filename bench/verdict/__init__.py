"""The verdict on worlds whose truth is known."""
