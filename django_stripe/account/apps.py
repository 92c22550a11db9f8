from django_stripe.common import apps


class AccountConfig(apps.StripeObjectConfig):
    name = "django_stripe.account"
    label = "stripe_account"
    verbose_name = "Stripe accounts"
