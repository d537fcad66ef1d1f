"""A network, data and a metric of one's own, as a user's file has them."""
