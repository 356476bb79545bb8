"""What Noonday's agent and coordinator both speak: messages, topology, bus, manifests, signing."""
