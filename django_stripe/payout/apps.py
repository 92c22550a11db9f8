from django_stripe.common import apps


class PayoutConfig(apps.StripeObjectConfig):
    name = "django_stripe.payout"
    label = "stripe_payout"
    verbose_name = "Stripe payouts"
