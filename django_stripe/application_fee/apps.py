from django_stripe.common import apps


class ApplicationFeeConfig(apps.StripeObjectConfig):
    name = "django_stripe.application_fee"
    label = "stripe_application_fee"
    verbose_name = "Stripe application fees"
