from django_stripe.common import apps


class DisputeConfig(apps.StripeObjectConfig):
    name = "django_stripe.dispute"
    label = "stripe_dispute"
    verbose_name = "Stripe disputes"
