"""What the shop says of its ordinary work."""

CATALOGUE = "GET catalogue ok articles=%d took=%dms"
CART = "cart updated id=%s articles=%d total=%s"
ORDER = "thank you: order no. %d (customer %d) is on its way, total %s"
REPORT = "warehouse %s: stock report ready after %d ms"
STARTED = "shop version %s is up, listening on %s"
