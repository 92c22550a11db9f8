from django_stripe.common import apps


class ChargeConfig(apps.StripeObjectConfig):
    name = "django_stripe.charge"
    label = "stripe_charge"
    verbose_name = "Stripe charges"
