"""What the shop says of its ordinary work."""

CATALOGUE = "catalogue served: %d articles in %d ms"
CART = "cart %s holds %d articles, worth %s"
ORDER = "order %d placed by customer %d: %s"
REPORT = "stock report for warehouse %s took %d ms"
STARTED = "shop %s ready on %s"
