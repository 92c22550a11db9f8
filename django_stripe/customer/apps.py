from django_stripe.common import apps


class CustomerConfig(apps.StripeObjectConfig):
    name = "django_stripe.customer"
    label = "stripe_customer"
    verbose_name = "Stripe customers"
