"""The measures of `make bench`: what the mirror and the webhooks cost, beside the best and beside dj-stripe."""
