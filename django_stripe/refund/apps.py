from django_stripe.common import apps


class RefundConfig(apps.StripeObjectConfig):
    name = "django_stripe.refund"
    label = "stripe_refund"
    verbose_name = "Stripe refunds"
