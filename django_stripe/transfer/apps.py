from django_stripe.common import apps


class TransferConfig(apps.StripeObjectConfig):
    name = "django_stripe.transfer"
    label = "stripe_transfer"
    verbose_name = "Stripe transfers"
